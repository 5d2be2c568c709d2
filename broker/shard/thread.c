/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.c -- a thread around a shard: run batches while there is work, else sleep until a call
 * comes or the shard has something to do by itself.
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "shard/state.h"

#define STALL_MS 2000 /* later than this, and for so long */
#define SLEEP_MS_MAX                                                                               \
    INT64_C(3600000) /* a bound for timedwait; waking once an hour costs nothing                   \
                      */

static struct timespec in_ms(int64_t wait_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

/* Back much later than it wanted, the process was stopped or starved. The heartbeats of that time
 * are still on their way through the faces: nothing expires before they had a moment. */
static void forgive_stall(struct shard *self, int64_t wanted_ms)
{
    int64_t now_ms = clock_now_ms(&self->options.clock);

    if (wanted_ms < self->awake_ms)
        wanted_ms = self->awake_ms;
    if (now_ms - wanted_ms > STALL_MS && self->chores_after_ms < now_ms + STALL_MS)
        self->chores_after_ms = now_ms + STALL_MS;
    self->awake_ms = now_ms;
}

/* False: the end was asked for and nothing is left to do. */
static bool wait_for_work(struct shard *self)
{
    int64_t next_ms = shard_next_ms(self);
    bool go_on;

    pthread_mutex_lock(&self->mutex);
    while (list_is_empty(&self->inbox) && list_is_empty(&self->cancels) && !self->stopping) {
        int64_t wait_ms = next_ms - clock_now_ms(&self->options.clock);
        struct timespec until = in_ms(wait_ms < SLEEP_MS_MAX ? wait_ms : SLEEP_MS_MAX);

        if (wait_ms <= 0 || (atomic_load(&self->draining) && !list_is_empty(&self->waiting)))
            break;
        pthread_cond_timedwait(&self->wake, &self->mutex, &until);
    }
    go_on = !self->stopping || !list_is_empty(&self->inbox);
    self->stopped = !go_on;
    pthread_mutex_unlock(&self->mutex);
    forgive_stall(self, next_ms);
    return go_on;
}

static void *thread_main(void *argument)
{
    struct shard *self = argument;
    char name[16];

    snprintf(name, sizeof name, "ackd-shard-%d", self->options.index);
    pthread_setname_np(pthread_self(), name);
    self->awake_ms = clock_now_ms(&self->options.clock);
    while (wait_for_work(self)) /* asked each time: what the shard does by itself may never end */
        shard_step(self);
    wait_drain(self); /* nobody waits any more: shard_stop comes after the faces have gone */
    shard_step(self);
    return NULL;
}

enum status shard_start(struct shard *self)
{
    pthread_condattr_t attributes;
    sigset_t all;
    sigset_t before;
    int failed;

    ASSERT(!self->has_thread);
    pthread_cond_destroy(&self->wake);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);

    sigfillset(&all);        /* signals are for the main thread */
    sigdelset(&all, SIGBUS); /* raised by the thread itself, where a disk can't be read */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&self->thread, NULL, thread_main, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    self->has_thread = failed == 0;
    return failed == 0 ? STATUS_OK : STATUS_UNAVAILABLE;
}

void shard_stop(struct shard *self)
{
    if (!self->has_thread)
        return;
    pthread_mutex_lock(&self->mutex);
    self->stopping = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
    self->has_thread = false;
}
