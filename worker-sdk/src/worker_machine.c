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

#include "base/clock.h"
#include "error_export.h"
#include "preemption.h"
#include "worker_internal.h"

#define CHECKPOINT_DIRECTORY_ENV "ACKD_CHECKPOINT_DIR"
#define MACHINE_MAX_RUN_ENV "ACKD_MACHINE_MAX_RUN_MS"
#define PREEMPTION_ENV "ACKD_PREEMPTION"
#define PREEMPTION_URL_ENV "ACKD_PREEMPTION_URL"

enum { FORGET = 8 /* a short task takes so much of the difference off the expected time */ };

/* The machine's own clock: a container has no other. */
static int64_t since_boot_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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
    options->max_run_until_unix_ms = clock_wall_ms() - since_boot_ms() + max_run_ms;
    return ACKD_OK;
}

/* A text that is not set in the options. */
static void text_from_environment(const char **text, const char *name)
{
    const char *value = *text == NULL ? getenv(name) : NULL;

    if (value != NULL && value[0] != '\0')
        *text = value;
}

enum ackd_status machine_options(struct ackd_worker_options *options, struct ackd_error *error)
{
    text_from_environment(&options->checkpoint_directory, CHECKPOINT_DIRECTORY_ENV);
    text_from_environment(&options->preemption, PREEMPTION_ENV);
    text_from_environment(&options->preemption_url, PREEMPTION_URL_ENV);
    if (options->preemption != NULL && !preemption_knows(options->preemption))
        return error_export_field(error, "preemption",
                                  "preemption must be gce, aws or azure (" PREEMPTION_ENV ")");
    return max_run_from_environment(options, error);
}

enum ackd_status machine_open(struct ackd_worker *self, struct ackd_error *error)
{
    const char *cloud = self->options.preemption;
    const char *url = self->options.preemption_url;

    self->options.preemption = self->options.preemption_url = NULL; /* the caller's texts */
    if (cloud == NULL)
        return ACKD_OK;
    self->preemption = preemption_new(cloud, url);
    return self->preemption != NULL
               ? ACKD_OK
               : ackd_error_set(error, ACKD_INTERNAL, "no memory for a worker");
}

void *machine_watch_thread(void *context)
{
    struct ackd_worker *self = context;
    bool told = false;

    while (!atomic_load(&self->leaving)) {
        bool reached;

        if (preemption_wait(self->preemption, &self->leaving, &reached)) {
            worker_log(self, ACKD_LOG_INFO, "this machine is about to be taken away");
            atomic_store(&self->preempted, true);
            worker_wake(self);
            break;
        }
        if (!reached && !told && !atomic_load(&self->leaving)) {
            worker_log(self, ACKD_LOG_WARN,
                       "the cloud's metadata server does not answer: only "
                       "SIGTERM will tell that the machine goes");
            told = true;
        }
    }
    return NULL;
}

int64_t machine_drain_in_ms(const struct ackd_worker *self)
{
    if (self->options.max_run_until_unix_ms == 0)
        return INT64_MAX;
    return self->options.max_run_until_unix_ms - self->options.grace_ms - clock_wall_ms();
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
