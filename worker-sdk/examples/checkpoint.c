/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c -- a long task that survives the loss of its machine: it counts the primes below the
 * number in its payload, saves its progress every thousand numbers, and goes on from there in the
 * next worker.
 *
 *     echo 200000 | ackctl publish primes -
 *     ./checkpoint primes      # press Ctrl-C in the middle, then start it again
 *
 * Two ways to lose the machine, one answer to both:
 *   SIGTERM   ackd_task_should_stop says so; the handler saves and releases the task.
 *   SIGKILL   nobody says anything; the last checkpoint is at most a thousand numbers old.
 */
#include <ackd/ackd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEP = 1000 };

struct progress {
    long next;  /* the number to look at next */
    long found; /* primes below it */
};

static int is_prime(long number)
{
    for (long divisor = 2; divisor * divisor <= number; divisor++)
        if (number % divisor == 0)
            return 0;
    return number > 1;
}

/* What the last worker saved; the beginning if there is nothing, or nothing of use. */
static struct progress resume(const struct ackd_task *task)
{
    struct progress progress = {2, 0};

    if (task->checkpoint.data == NULL ||
        sscanf(task->checkpoint.data, "%ld %ld", &progress.next, &progress.found) != 2)
        return (struct progress){2, 0};
    printf("%s: resumed at %ld\n", task->id, progress.next);
    return progress;
}

static void save(struct ackd_task *task, const struct progress *progress)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%ld %ld", progress->next, progress->found);

    /* If the broker is away, the library keeps it and sends it along when the task is given back.
     */
    (void)ackd_task_checkpoint(task, text, (size_t)size, NULL);
}

static enum ackd_verdict count_primes(struct ackd_task *task, void *context)
{
    const struct timespec *pause = context; /* so that there is time to press Ctrl-C */
    long limit = strtol(task->payload.data, NULL, 10);
    struct progress progress = resume(task);
    char result[32];

    if (limit < 2)
        return ackd_task_fail_for_good(task, "\"%.32s\" is no limit",
                                       (const char *)task->payload.data);
    printf("%s: begun\n", task->id);
    for (; progress.next < limit; progress.next++) {
        if (progress.next % STEP == 0) {
            save(task, &progress);
            if (ackd_task_should_stop(task) != ACKD_STOP_NO) {
                printf("%s: left at %ld\n", task->id, progress.next);
                return ackd_task_release(task, 0);
            }
            nanosleep(pause, NULL);
        }
        progress.found += is_prime(progress.next);
    }
    printf("%s: %ld primes\n", task->id, progress.found);
    ackd_task_set_result(task, result,
                         (size_t)snprintf(result, sizeof result, "%ld", progress.found));
    return ACKD_DONE;
}

int main(int argc, char **argv)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    struct ackd_worker_options options;
    struct ackd_worker *worker;
    struct ackd_error error;

    setvbuf(stdout, NULL, _IOLBF, 0);
    ackd_worker_options_init(&options);
    options.queue = argc > 1 ? argv[1] : "primes";
    options.handler = count_primes;
    options.context = (void *)&pause;
    options.handle_signals = true;
    options.stop_when_empty = true;
    if (ackd_worker_new(&options, &worker, &error) == ACKD_OK)
        ackd_worker_run(worker, &error);
    if (error.status != ACKD_OK)
        fprintf(stderr, "checkpoint: %s\n", error.message);
    ackd_worker_free(worker);
    return error.status == ACKD_OK ? 0 : 1;
}
