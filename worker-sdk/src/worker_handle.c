/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_handle.c -- the threads that call the handler, and how fast it is.
 *
 *   waiting --take--> running --handler returns--> finished | settling
 *
 * How a task ends is decided in task_ended, from the handler's verdict and from what happened
 * meanwhile:
 *   done      commit, then ack; also after the lease was lost, or after the task was given back, as
 *             finished work may still count (salvage). Not if nobody wants it.
 *   failed    nack, unless the lease is gone.
 *   released  the same.
 */
#include <stdlib.h>

#include "worker_internal.h"

/* How much work to hold, if prefetch is left to us. */
enum {
    PREFETCH_AHEAD_MS = 500,
    PREFETCH_AUTO_MAX = 1000,
    LONG_BATCH_MS = 2000 /* beside it the time of a lease is nothing: hold none */
};

static size_t take_batch(struct ackd_worker *self, struct ackd_task **faces);
static void call_handler(struct ackd_worker *self, struct ackd_task **faces, size_t count);
static void task_ended(struct ackd_worker *self, struct task *task);
static void learn_speed(struct ackd_worker *self, size_t count, int64_t spent_ms);

void *worker_handle_thread(void *context)
{
    struct ackd_worker *self = context;
    struct ackd_task **faces = calloc((size_t)self->options.batch_max, sizeof(struct ackd_task *));
    size_t count;

    if (faces == NULL) {
        struct ackd_error error;

        ackd_error_set(&error, ACKD_INTERNAL, "no memory for a handler's batch");
        worker_fail(self, &error);
    }
    while (faces != NULL && (count = take_batch(self, faces)) > 0) {
        int64_t start_ms = worker_now_ms();

        call_handler(self, faces, count);
        pthread_mutex_lock(&self->lock);
        learn_speed(self, count, worker_now_ms() - start_ms);
        machine_learn(self, worker_now_ms() - start_ms);
        for (size_t i = 0; i < count; i++)
            task_ended(self, task_of(faces[i]));
        pthread_mutex_unlock(&self->lock);
        if (atomic_load(&self->draining) || self->options.max_run_until_unix_ms != 0)
            worker_wake(self);
    }
    free(faces);
    return NULL;
}

int64_t worker_prefetch(const struct ackd_worker *self)
{
    int64_t least = (int64_t)self->options.concurrency * self->options.batch_max;
    int64_t most = least > PREFETCH_AUTO_MAX ? least : PREFETCH_AUTO_MAX;
    double ahead;

    if (self->options.prefetch > 0)
        return self->options.prefetch;
    if (self->tasks_per_ms * LONG_BATCH_MS <= self->options.batch_max) /* or not known yet */
        return 0;
    ahead = self->tasks_per_ms * self->options.concurrency * PREFETCH_AHEAD_MS;
    if (ahead < (double)least)
        return least;
    return ahead > (double)most ? most : (int64_t)ahead;
}

/* Waits for tasks and moves up to batch_max of them to `running`; 0: the thread shall end. */
static size_t take_batch(struct ackd_worker *self, struct ackd_task **faces)
{
    size_t count = 0;

    pthread_mutex_lock(&self->lock);
    self->idle += self->options.batch_max;
    while (list_is_empty(&self->waiting) && !self->draining) {
        if (worker_leaser_will_call(self))
            pthread_cond_signal(&self->lease);
        worker_wait(self, &self->work, INT64_MAX);
    }
    self->idle -= self->options.batch_max;
    while (count < (size_t)self->options.batch_max && !list_is_empty(&self->waiting)) {
        struct task *task = CONTAINER_OF(list_take_first(&self->waiting), struct task, link);

        self->stats.waiting--;
        self->stats.running++;
        list_append(&self->running, &task->link);
        faces[count++] = &task->face;
    }
    if (worker_leaser_will_call(self))
        pthread_cond_signal(&self->lease);
    pthread_mutex_unlock(&self->lock);
    return count;
}

static void call_handler(struct ackd_worker *self, struct ackd_task **faces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        task_load_checkpoint(task_of(faces[i]));
    if (self->options.batch_handler != NULL) {
        self->options.batch_handler(faces, count, self->options.context);
        return;
    }
    task_of(faces[0])->verdict = self->options.handler(faces[0], self->options.context);
}

/* `lock`. */
static void task_dropped(struct ackd_worker *self, struct task *task)
{
    if (!task->given_back)
        self->stats.lost++;
    task_free(task);
}

/* `lock`. The task is in no list. */
static void task_done(struct ackd_worker *self, struct task *task)
{
    self->stats.computed++;
    if (task->stop == ACKD_STOP_CANCELLED || task->stop == ACKD_STOP_DONE) {
        task_dropped(self, task);
        return;
    }
    if (self->options.sink->commit == NULL) {
        settle_ack(self, task, false);
        return;
    }
    list_append(&self->finished, &task->link);
    self->open_count++;
    self->open_bytes += task->result_size;
    pthread_cond_signal(&self->commit);
}

/* `lock`. */
static void task_ended(struct ackd_worker *self, struct task *task)
{
    list_remove(&task->link);
    self->stats.running--;
    if (self->leaving) {
        task_free(task);
        return;
    }
    if (task->verdict == ACKD_DONE) {
        task_done(self, task);
        return;
    }
    if (task->verdict == ACKD_RELEASED)
        self->stats.released++;
    else
        self->stats.failed++;
    if (task->given_back || task->stop != ACKD_STOP_NO)
        task_dropped(self, task);
    else if (task->verdict == ACKD_RELEASED)
        settle_nack(self, task, self->draining ? ACKD_NACK_PREEMPTED : ACKD_NACK_RELEASED, false);
    else
        settle_nack(self, task, ACKD_NACK_FAILED, false);
}

/* `lock`. The newest batch weighs a fifth, so that one odd task does not decide. */
static void learn_speed(struct ackd_worker *self, size_t count, int64_t spent_ms)
{
    double speed = (double)count / (spent_ms > 0 ? (double)spent_ms : 0.5);

    self->tasks_per_ms = self->tasks_per_ms > 0 ? self->tasks_per_ms * 0.8 + speed * 0.2 : speed;
}
