/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_machine.c -- the machine under a worker: what the environment says of it, and its end.
 *
 *          task_ms before     the drain      grace_ms before
 *   ----------|-----------------------------------|-------------------|  max_run_until
 *    leases   | no task would be done in time:    | drain             | the machine is gone
 *             | leases none, gives unstarted back |
 *
 * A machine's end is known ahead where it may run only so long (flex-start), and it is told shortly
 * before where it is taken away (preemption.h). Of the latter a drain follows at once, like that of
 * a SIGTERM, but it is none: the SIGTERM that comes later must not count as the second.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "error_export.h"
#include "worker_internal.h"

#define CHECKPOINT_DIRECTORY_ENV "ACKD_CHECKPOINT_DIR"
#define MACHINE_MAX_RUN_ENV "ACKD_MACHINE_MAX_RUN_MS"

enum { FORGET = 8 /* a short task takes so much of the difference off the expected time */ };

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The machine's own clock since its boot: a container has no other. */
static enum ackd_status max_run_from_environment(struct ackd_worker_options *options,
                                                 struct ackd_error *error)
{
    const char *text = getenv(MACHINE_MAX_RUN_ENV);
    char *end = NULL;
    long long max_run_ms;

    if (options->max_run_until_unix_ms != 0 || text == NULL || text[0] == '\0')
        return ACKD_OK;
    errno = 0;
    max_run_ms = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || max_run_ms <= 0 || max_run_ms > INT64_MAX / 2)
        return error_export_field(error, "max_run_until_unix_ms",
                                  MACHINE_MAX_RUN_ENV " must be a number of ms over 0");
    options->max_run_until_unix_ms =
        clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME) + max_run_ms;
    return ACKD_OK;
}

enum ackd_status machine_options(struct ackd_worker_options *options, struct ackd_error *error)
{
    if (options->checkpoint_directory == NULL) {
        const char *directory = getenv(CHECKPOINT_DIRECTORY_ENV);

        if (directory != NULL && directory[0] != '\0')
            options->checkpoint_directory = directory;
    }
    return max_run_from_environment(options, error);
}

int64_t machine_drain_in_ms(const struct ackd_worker *self)
{
    if (self->options.max_run_until_unix_ms == 0)
        return INT64_MAX;
    return self->options.max_run_until_unix_ms - self->options.grace_ms - clock_ms(CLOCK_REALTIME);
}

int64_t machine_lease_left_ms(const struct ackd_worker *self)
{
    int64_t drain_in_ms = machine_drain_in_ms(self);

    return drain_in_ms == INT64_MAX ? INT64_MAX : drain_in_ms - self->task_ms;
}

void machine_learn(struct ackd_worker *self, int64_t spent_ms)
{
    if (spent_ms >= self->task_ms)
        self->task_ms = spent_ms;
    else
        self->task_ms -= (self->task_ms - spent_ms) / FORGET;
}
