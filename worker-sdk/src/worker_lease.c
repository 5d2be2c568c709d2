/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_lease.c -- the leaser: keeps enough tasks waiting, and takes along what is to be settled.
 *
 * It calls when a handler thread has nothing to do or half of the prefetch is used up, for what is
 * missing. With acks or nacks in the call it does not wait for tasks, as their outcome would come
 * back only with the reply; without, it is a long poll, which a drain cuts short.
 *
 * What arrives is looked up in the sink first: tasks that are done there (their worker was lost
 * between commit and ack) are acked without computing.
 *
 * A call without a reply may have leased tasks to nobody, so its session is retired (W3).
 */
#include <stdlib.h>

#include "backoff.h"
#include "worker_internal.h"

enum { LEASE_TASKS_MAX = 10000 /* that the broker gives in one reply */ };

/* One call of the leaser. */
struct turn {
    struct list batch; /* settled along */
    size_t batch_count;
    int64_t want;
    struct session *session; /* a task's worth of reference keeps it, see turn_begin */
};

static bool turn_begin(struct ackd_worker *self, struct turn *turn);
static enum ackd_status turn_call(struct ackd_worker *self, struct turn *turn,
                                  struct ackd_error *error);
static void turn_failed(struct ackd_worker *self, struct turn *turn,
                        const struct ackd_error *error);
static void accept_tasks(struct ackd_worker *self, struct turn *turn,
                         struct ackd_lease_reply *reply);
static void look_for_the_end(struct ackd_worker *self, const struct ackd_lease_reply *reply);
static bool is_refused_for_good(enum ackd_status status);

void *worker_lease_thread(void *context)
{
    struct ackd_worker *self = context;
    struct backoff backoff = {0};
    struct turn turn;

    while (turn_begin(self, &turn)) {
        struct ackd_error error;

        if (turn_call(self, &turn, &error) == ACKD_OK) {
            backoff_reset(&backoff);
            continue;
        }
        turn_failed(self, &turn, &error);
        backoff.asked_ms = error.retry_after_ms;
        if (is_refused_for_good(error.status))
            worker_fail(self, &error);
        worker_pause(self, &self->lease, backoff_next_ms(&backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS),
                     &self->draining);
    }
    return NULL;
}

/* `lock`. How many tasks are missing: for the threads that have none, and of the prefetch. */
static int64_t missing(const struct ackd_worker *self)
{
    return worker_prefetch(self) + self->idle - self->stats.waiting;
}

/* `lock`. Whether more tasks may be asked for: few wait, and what is finished gets confirmed. */
static bool window_open(const struct ackd_worker *self)
{
    int64_t prefetch = worker_prefetch(self);
    int64_t held = prefetch + (int64_t)self->options.concurrency * self->options.batch_max;
    int64_t want = missing(self);

    return machine_lease_left_ms(self) > 0 && want > 0 && want >= prefetch / 2 &&
           self->open_count < 2 * held + UNCONFIRMED_BASE &&
           self->open_bytes < 8 * (size_t)BATCH_BYTES_MAX;
}

bool worker_leaser_will_call(const struct ackd_worker *self)
{
    return self->leaser_state == LEASER_IDLE && !self->draining && window_open(self);
}

/* Waits for a reason to call. False: draining. */
static bool turn_begin(struct ackd_worker *self, struct turn *turn)
{
    bool go_on;

    *turn = (struct turn){0};
    list_init(&turn->batch);
    pthread_mutex_lock(&self->lock);
    self->leaser_state = LEASER_IDLE;
    while (!self->draining && !worker_leaser_will_call(self)) {
        if (!list_is_empty(&self->settling_list))
            pthread_cond_signal(&self->settle);
        worker_wait(self, &self->lease, INT64_MAX);
    }
    go_on = !self->draining;
    self->leaser_state = go_on ? LEASER_BUSY : LEASER_ENDED;
    if (go_on) {
        turn->want = missing(self);
        if (turn->want > LEASE_TASKS_MAX)
            turn->want = LEASE_TASKS_MAX;
        turn->batch_count = settle_take(self, &turn->batch);
    }
    if (!list_is_empty(&self->settling_list))
        pthread_cond_signal(&self->settle);
    pthread_mutex_unlock(&self->lock);
    return go_on;
}

/* How long the call may wait for tasks: until there is something to settle, not at all. */
static int64_t turn_wait_ms(struct ackd_worker *self, const struct turn *turn)
{
    int64_t wait_ms = self->options.stop_when_empty ? POLL_WAIT_EMPTY_MS : POLL_WAIT_MS;
    int64_t left_ms;

    if (turn->batch_count > 0)
        return 0;
    pthread_mutex_lock(&self->lock);
    left_ms = machine_lease_left_ms(self);
    pthread_mutex_unlock(&self->lock);
    return left_ms > wait_ms ? wait_ms : left_ms > 0 ? left_ms : 0;
}

/* Takes a hold of the session for new leases, so that the keeper does not end it meanwhile. */
static enum ackd_status turn_session(struct ackd_worker *self, struct turn *turn,
                                     struct ackd_error *error)
{
    enum ackd_status status = worker_open_session(self, self->leasing, error);

    if (status != ACKD_OK)
        return status;
    pthread_mutex_lock(&self->lock);
    turn->session = self->session;
    if (turn->session != NULL)
        turn->session->tasks++;
    pthread_mutex_unlock(&self->lock);
    return turn->session != NULL ? ACKD_OK
                                 : ackd_error_set(error, ACKD_SESSION_NOT_FOUND, "%s",
                                                  ackd_status_text(ACKD_SESSION_NOT_FOUND));
}

static enum ackd_status turn_call(struct ackd_worker *self, struct turn *turn,
                                  struct ackd_error *error)
{
    struct ackd_lease_request request;
    struct ackd_lease_reply *reply = NULL;
    enum ackd_status status = turn_session(self, turn, error);

    if (status != ACKD_OK)
        return status;
    ackd_lease_request_init(&request);
    request.queue = self->options.queue;
    request.max_tasks = turn->want;
    request.session_id = turn->session->info->id;
    request.wait_ms = turn_wait_ms(self, turn);
    status = settle_request(&turn->batch, turn->batch_count, &request)
                 ? ackd_client_lease(self->leasing, &request, &reply, error)
                 : ackd_error_set(error, ACKD_UNAVAILABLE, "no memory to lease tasks");
    settle_request_deinit(&request);
    if (status != ACKD_OK)
        return status;
    worker_note_broker(self, NULL);
    settle_answered(self, &turn->batch, reply);
    look_for_the_end(self, reply);
    accept_tasks(self, turn, reply);
    return ACKD_OK;
}

static void turn_failed(struct ackd_worker *self, struct turn *turn, const struct ackd_error *error)
{
    pthread_mutex_lock(&self->lock);
    self->leaser_state = LEASER_BUSY; /* not idle: the settler sends during the pause */
    settle_put_back(self, &turn->batch);
    if (turn->session != NULL) {
        if (error->status == ACKD_SESSION_NOT_FOUND)
            session_gone(self, turn->session);
        else if (error->no_reply)
            session_retire(self, turn->session);
        turn->session->tasks--;
        pthread_cond_signal(&self->keep);
    }
    pthread_mutex_unlock(&self->lock);
    if (worker_may_pass(error->status) && error->status != ACKD_CANCELED)
        worker_note_broker(self, error);
}

/* Which of the tasks the sink has already; all false if it can't tell. */
static bool *find_done(struct ackd_worker *self, const struct ackd_lease_reply *reply)
{
    struct ackd_sink *sink = self->options.sink;
    size_t count = reply->task_count;
    bool *done = calloc(count + 1, sizeof *done);
    const char **ids = calloc(count + 1, sizeof *ids);
    struct ackd_error error;

    if (sink->find_done != NULL && done != NULL && ids != NULL && count > 0) {
        for (size_t i = 0; i < count; i++)
            ids[i] = reply->tasks[i].task.id;
        pthread_mutex_lock(&self->sink_lock);
        if (sink->find_done(sink, self->options.queue, ids, count, done, &error) != ACKD_OK) {
            /* Computing again costs time; waiting for the sink would cost it for sure. */
            memset(done, 0, count);
            worker_note_sink(self, &error);
        }
        pthread_mutex_unlock(&self->sink_lock);
    }
    free(ids);
    return done;
}

/* `lock`. Puts a task where it belongs. */
static void accept_task(struct ackd_worker *self, struct task *task, bool done)
{
    if (done) {
        self->stats.skipped++;
        settle_ack(self, task, true);
    } else if (self->draining || machine_lease_left_ms(self) <= 0) {
        settle_nack(self, task, ACKD_NACK_PREEMPTED, true);
    } else {
        list_append(&self->waiting, &task->link);
        self->stats.waiting++;
        pthread_cond_signal(&self->work);
    }
}

/* Takes over the reply, and the turn's hold of its session. */
static void accept_tasks(struct ackd_worker *self, struct turn *turn,
                         struct ackd_lease_reply *reply)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    bool *done = find_done(self, reply);

    pthread_mutex_lock(&self->lock);
    if (delivery == NULL || done == NULL) {
        if (reply->task_count > 0)
            session_retire(self, turn->session);
        ackd_lease_reply_free(reply);
        free(delivery);
    } else {
        *delivery = (struct delivery){.reply = reply, .tasks = 1};
        self->stats.leased += (int64_t)reply->task_count;
        for (size_t i = 0; i < reply->task_count; i++) {
            struct task *task = task_new(self, &reply->tasks[i], turn->session, delivery);

            if (task == NULL)
                session_retire(self, turn->session);
            else
                accept_task(self, task, done[i]);
        }
        delivery_unref(delivery);
    }
    turn->session->tasks--;
    pthread_cond_signal(&self->keep);
    pthread_mutex_unlock(&self->lock);
    free(done);
}

/* stop_when_empty: nothing is left in the queue, and nothing is open here. */
static void look_for_the_end(struct ackd_worker *self, const struct ackd_lease_reply *reply)
{
    bool empty;

    if (!self->options.stop_when_empty || reply->task_count > 0 ||
        reply->ready + reply->leased + reply->delayed > 0)
        return;
    pthread_mutex_lock(&self->lock);
    empty = self->stats.waiting + self->stats.running + self->open_count == 0;
    self->queue_empty = empty;
    pthread_mutex_unlock(&self->lock);
    if (empty)
        worker_wake(self);
}

/* Trying again would not help. */
static bool is_refused_for_good(enum ackd_status status)
{
    switch (status) {
    case ACKD_MALFORMED:
    case ACKD_INVALID:
    case ACKD_TOO_LARGE:
    case ACKD_QUEUE_NOT_FOUND:
    case ACKD_UNIMPLEMENTED:
        return true;
    default:
        return false;
    }
}
