/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.c -- a thread around a shard: run batches while there is work, else sleep until a call
 * comes or the shard has something to do by itself. A batch that follows another may stay open for
 * a moment, for calls to share its commit (gather.c).
 */
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "shard/state.h"

#define STALL_MS 2000 /* later than this, and for so long */
/* A bound for timedwait: waking once an hour costs nothing. */
#define SLEEP_MS_MAX INT64_C(3600000)
#define TIMER_SLACK_NS 1000 /* waits between batches are of some ten microseconds */

static struct timespec at_ns(int64_t time_ns)
{
    return (struct timespec){.tv_sec = time_ns / 1000000000, .tv_nsec = time_ns % 1000000000};
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

/* Something but calls to look at. */
static bool is_called_away(const struct shard *self)
{
    return !list_is_empty(&self->cancels) || self->inspection != NULL || self->stopping ||
           (atomic_load(&self->draining) && !list_is_empty(&self->waiting));
}

/* With the mutex held: until so many calls are there as the open batch had better have before it
 * goes on, or it is time. */
static void gather_calls(struct shard *self)
{
    size_t calls = gather_next(&self->gather);
    struct timespec until = at_ns(self->gather.until_ns);
    int64_t begun_ns;

    if (self->inbox_count >= calls)
        return;
    begun_ns = clock_monotonic_ns();
    self->wake_count = calls;
    while (self->inbox_count < calls && !is_called_away(self)) {
        if (pthread_cond_timedwait(&self->wake, &self->mutex, &until) == ETIMEDOUT)
            break;
    }
    self->wake_count = 1;
    self->batch.gather_ns += clock_monotonic_ns() - begun_ns;
}

static bool take_more(struct shard *self, struct list *calls)
{
    if (gather_next(&self->gather) == 0 || !shard_has_room(self))
        return false;
    pthread_mutex_lock(&self->mutex);
    gather_calls(self);
    shard_take(self, calls);
    pthread_mutex_unlock(&self->mutex);
    return !list_is_empty(calls);
}

/* False: the end was asked for and nothing is left to do. */
static bool wait_for_work(struct shard *self)
{
    int64_t next_ms = shard_next_ms(self);
    bool go_on;

    pthread_mutex_lock(&self->mutex);
    gather_calls(self);
    if (list_is_empty(&self->inbox)) /* nobody came: who comes later did not come back */
        gather_end(&self->gather);
    while (list_is_empty(&self->inbox) && !is_called_away(self)) {
        int64_t wait_ms = next_ms - clock_now_ms(&self->options.clock);
        struct timespec until;

        if (wait_ms <= 0)
            break;
        if (wait_ms > SLEEP_MS_MAX)
            wait_ms = SLEEP_MS_MAX;
        until = at_ns(clock_monotonic_ns() + wait_ms * 1000000);
        pthread_cond_timedwait(&self->wake, &self->mutex, &until);
    }
    go_on = !self->stopping || !list_is_empty(&self->inbox);
    self->stopped = !go_on;
    pthread_mutex_unlock(&self->mutex);
    forgive_stall(self, next_ms);
    return go_on;
}

static size_t count_inbox(struct shard *self)
{
    size_t count;

    pthread_mutex_lock(&self->mutex);
    count = self->inbox_count;
    pthread_mutex_unlock(&self->mutex);
    return count;
}

static void run_batch(struct shard *self)
{
    struct gather_batch last = {.begun_ns = clock_monotonic_ns()};

    shard_step(self);
    gather_end(&self->gather);
    last.ended_ns = clock_monotonic_ns();
    last.answered = self->batch.answered;
    last.waiting = count_inbox(self);
    last.gather_ns = self->batch.gather_ns;
    last.commit_ns = self->batch.commit_ns;
    gather_begin(&self->gather, &last);
}

static void *thread_main(void *argument)
{
    struct shard *self = argument;
    char name[16];

    snprintf(name, sizeof name, "ackd-shard-%d", self->options.index);
    pthread_setname_np(pthread_self(), name);
    self->awake_ms = clock_now_ms(&self->options.clock);
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    self->take_more = take_more;
    while (wait_for_work(self)) /* each time: what is due by itself may never end */
        run_batch(self);
    self->take_more = NULL;
    wait_drain(self); /* nobody waits any more: shard_stop comes after the faces have gone */
    shard_step(self);
    store_leave(self->store);
    return NULL;
}

enum status shard_start(struct shard *self)
{
    pthread_condattr_t attributes;

    ASSERT(!self->has_thread);
    pthread_cond_destroy(&self->wake);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);

    self->has_thread = thread_start(&self->thread, thread_main, self) == 0;
    return self->has_thread ? STATUS_OK : STATUS_UNAVAILABLE;
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
    errand_stop(&self->inspector);
}
