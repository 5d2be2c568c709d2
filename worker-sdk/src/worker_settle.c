/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_settle.c -- telling the broker how each lease ended: acks and nacks, in batches, until
 * they are answered.
 *
 * Both travel in a Lease call: with max_tasks 0 from the settler's thread, or along with the
 * leaser's next one when that is about to leave anyway. They are idempotent by token, so a batch
 * without an answer is simply sent again. An item that the broker refuses:
 *   lease lost, or the task is gone    nothing is left to do.
 *   the result is refused              the task fails with the broker's sentence.
 *   try again                          back into the list.
 *   anything else                      the session is retired (W3).
 */
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "worker_internal.h"

enum { ASKED_MS_MAX = 2000 /* a drain has not the time to wait for longer */ };

static void settlement_add(struct ackd_worker *self, struct settlement *settlement,
                           size_t open_bytes);
static void settlement_end(struct ackd_worker *self, struct settlement *settlement);
static void answered_ack(struct ackd_worker *self, struct settlement *settlement,
                         const struct ackd_ack_outcome *outcome);
static void answered_nack(struct ackd_worker *self, struct settlement *settlement,
                          const struct ackd_outcome *outcome);
static void remove_checkpoints(struct ackd_worker *self);
static bool send_batch(struct ackd_worker *self, struct list *batch, size_t count,
                       struct backoff *backoff);
static void drop_batch(struct ackd_worker *self, struct list *batch,
                       const struct ackd_error *error);

void *worker_settle_thread(void *context)
{
    struct ackd_worker *self = context;
    struct backoff backoff = {0};

    for (;;) {
        struct list batch;
        size_t count;

        list_init(&batch);
        pthread_mutex_lock(&self->lock);
        while (!self->leaving &&
               (list_is_empty(&self->settling_list) || worker_leaser_will_call(self)))
            worker_wait(self, &self->settle, INT64_MAX);
        count = self->leaving ? 0 : settle_take(self, &batch);
        pthread_mutex_unlock(&self->lock);
        if (count == 0)
            return NULL;
        if (send_batch(self, &batch, count, &backoff))
            backoff_reset(&backoff);
        else
            worker_pause(self, &self->settle,
                         backoff_next_ms(&backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS), &self->leaving);
    }
}

void settle_ack(struct ackd_worker *self, struct task *task, bool committed)
{
    task->settlement = (struct settlement){.task = task,
                                           .token = (char *)(uintptr_t)task->lease_token,
                                           .is_ack = true,
                                           .committed = committed,
                                           .delay_ms = -1};
    if (task->has_result && !committed)
        task->settlement.data = (struct ackd_bytes){task->result, task->result_size};
    settlement_add(self, &task->settlement, task->settlement.data.size);
}

void settle_nack(struct ackd_worker *self, struct task *task, enum ackd_nack_reason reason,
                 bool unstarted)
{
    bool failed = reason == ACKD_NACK_FAILED;

    task->settlement = (struct settlement){.task = task,
                                           .token = (char *)(uintptr_t)task->lease_token,
                                           .reason = reason,
                                           .unstarted = unstarted,
                                           .permanent = failed && task->permanent,
                                           .error = failed ? task->error : NULL,
                                           .has_checkpoint = task->unsaved,
                                           .delay_ms = -1};
    if (task->unsaved)
        task->settlement.data = (struct ackd_bytes){task->checkpoint, task->checkpoint_size};
    if (reason == ACKD_NACK_RELEASED && task->release_delay_ms > 0)
        task->settlement.delay_ms = task->release_delay_ms;
    settlement_add(self, &task->settlement, task->settlement.data.size);
}

void settle_refused(struct ackd_worker *self, struct task *task, const char *message)
{
    free(task->error);
    task->error = strdup(message);
    task->permanent = false;
    self->stats.failed++;
    settle_nack(self, task, ACKD_NACK_FAILED, false);
}

void settle_give_back(struct ackd_worker *self, struct task *task)
{
    struct settlement *settlement = calloc(1, sizeof *settlement);

    task->given_back = true;
    if (settlement == NULL || (settlement->token = strdup(task->lease_token)) == NULL) {
        free(settlement); /* the session's end will give it back */
        return;
    }
    settlement->reason = ACKD_NACK_PREEMPTED;
    settlement->delay_ms = -1;
    if (task->unsaved) {
        settlement->has_checkpoint = true;
        settlement->data = (struct ackd_bytes){task->checkpoint, task->checkpoint_size};
        task->checkpoint = NULL;
        task->unsaved = false;
    }
    settlement_add(self, settlement, settlement->data.size);
}

size_t settle_take(struct ackd_worker *self, struct list *batch)
{
    size_t bytes = 0;
    size_t count = 0;

    while (count < BATCH_ITEMS_MAX && !list_is_empty(&self->settling_list)) {
        struct settlement *next = CONTAINER_OF(self->settling_list.next, struct settlement, link);

        if (count > 0 && bytes + next->data.size > BATCH_BYTES_MAX)
            break;
        bytes += next->data.size;
        count++;
        list_remove(&next->link);
        list_append(batch, &next->link);
    }
    return count;
}

void settle_put_back(struct ackd_worker *self, struct list *batch)
{
    list_append_all(batch, &self->settling_list);
    list_append_all(&self->settling_list, batch);
    pthread_cond_signal(&self->settle);
}

bool settle_request(struct list *batch, size_t count, struct ackd_lease_request *request)
{
    struct ackd_ack *acks = calloc(count + 1, sizeof *acks);
    struct ackd_nack *nacks = calloc(count + 1, sizeof *nacks);

    request->acks = acks;
    request->nacks = nacks;
    if (acks == NULL || nacks == NULL)
        return false;
    LIST_EACH (link, batch) {
        const struct settlement *item = CONTAINER_OF(link, struct settlement, link);

        if (item->is_ack) {
            acks[request->ack_count++] =
                (struct ackd_ack){.lease_token = item->token,
                                  .has_result = !item->committed && item->task->has_result,
                                  .result = item->data,
                                  .committed = item->committed};
        } else {
            nacks[request->nack_count++] =
                (struct ackd_nack){.lease_token = item->token,
                                   .reason = item->reason,
                                   .error = item->error,
                                   .has_delay = item->delay_ms >= 0,
                                   .delay_ms = item->delay_ms,
                                   .has_checkpoint = item->has_checkpoint,
                                   .checkpoint = item->data,
                                   .unstarted = item->unstarted,
                                   .permanent = item->permanent};
        }
    }
    return true;
}

void settle_request_deinit(struct ackd_lease_request *request)
{
    free((void *)(uintptr_t)request->acks);
    free((void *)(uintptr_t)request->nacks);
    request->acks = NULL;
    request->nacks = NULL;
    request->ack_count = 0;
    request->nack_count = 0;
}

void settle_answered(struct ackd_worker *self, struct list *batch,
                     const struct ackd_lease_reply *reply)
{
    size_t ack = 0;
    size_t nack = 0;

    pthread_mutex_lock(&self->lock);
    LIST_EACH_SAFE (link, batch) {
        struct settlement *settlement = CONTAINER_OF(link, struct settlement, link);

        list_remove(link);
        if (settlement->is_ack && ack < reply->ack_outcome_count)
            answered_ack(self, settlement, &reply->ack_outcomes[ack++]);
        else if (!settlement->is_ack && nack < reply->nack_outcome_count)
            answered_nack(self, settlement, &reply->nack_outcomes[nack++]);
        else
            settlement_end(self, settlement);
    }
    pthread_mutex_unlock(&self->lock);
    remove_checkpoints(self);
    if (atomic_load(&self->draining))
        worker_wake(self);
}

/* `lock`. */
static void settlement_add(struct ackd_worker *self, struct settlement *settlement,
                           size_t open_bytes)
{
    list_append(&self->settling_list, &settlement->link);
    self->open_count++;
    self->open_bytes += open_bytes;
    if (worker_leaser_will_call(self))
        pthread_cond_signal(&self->lease);
    else
        pthread_cond_signal(&self->settle);
}

/* `lock`. Nothing is left to tell the broker. */
static void settlement_end(struct ackd_worker *self, struct settlement *settlement)
{
    self->open_count--;
    self->open_bytes -= settlement->data.size;
    if (settlement->task != NULL) {
        task_free(settlement->task);
    } else {
        free((void *)(uintptr_t)settlement->data.data);
        free(settlement->token);
        free(settlement);
    }
    if (worker_leaser_will_call(self))
        pthread_cond_signal(&self->lease);
}

void settle_drop_all(struct ackd_worker *self)
{
    self->leaser_state = LEASER_ENDED; /* nobody is to be woken */
    LIST_EACH_SAFE (link, &self->settling_list) {
        list_remove(link);
        settlement_end(self, CONTAINER_OF(link, struct settlement, link));
    }
}

/* `lock`. An answer that leaves the lease's fate unclear. */
static void settlement_unclear(struct ackd_worker *self, struct settlement *settlement)
{
    self->stats.lost++;
    if (settlement->task != NULL)
        session_retire(self, settlement->task->session);
    settlement_end(self, settlement);
}

static bool is_over(enum ackd_status status)
{
    return status == ACKD_LEASE_LOST || status == ACKD_TASK_NOT_FOUND ||
           status == ACKD_QUEUE_NOT_FOUND || status == ACKD_WRONG_STATE;
}

/* `lock`. With a checkpoint file the task lives until that is removed. */
static void acked(struct ackd_worker *self, struct settlement *settlement)
{
    if (!settlement->task->has_file) {
        settlement_end(self, settlement);
        return;
    }
    list_append(&self->ended, &settlement->task->link);
}

/* Removes the checkpoint files of acked tasks; not under `lock`. One that stays does no harm. */
static void remove_checkpoints(struct ackd_worker *self)
{
    struct list *link;

    for (;;) {
        struct task *task;

        pthread_mutex_lock(&self->lock);
        link = list_take_first(&self->ended);
        pthread_mutex_unlock(&self->lock);
        if (link == NULL)
            return;
        task = CONTAINER_OF(link, struct task, link);
        (void)file_store_remove(self->checkpoints, task->face.id, NULL);
        pthread_mutex_lock(&self->lock);
        settlement_end(self, &task->settlement);
        pthread_mutex_unlock(&self->lock);
    }
}

static void answered_ack(struct ackd_worker *self, struct settlement *settlement,
                         const struct ackd_ack_outcome *outcome)
{
    if (outcome->status == ACKD_OK) {
        self->stats.acked++;
        self->stats.salvaged += outcome->salvaged;
        acked(self, settlement);
    } else if (is_over(outcome->status)) {
        self->stats.lost++;
        settlement_end(self, settlement);
    } else if (outcome->status == ACKD_TOO_LARGE || outcome->status == ACKD_INVALID) {
        self->open_count--;
        self->open_bytes -= settlement->data.size;
        settle_refused(self, settlement->task, outcome->message);
    } else if (ackd_status_is_retryable(outcome->status)) {
        list_append(&self->settling_list, &settlement->link);
        pthread_cond_signal(&self->settle);
    } else {
        settlement_unclear(self, settlement);
    }
}

static void answered_nack(struct ackd_worker *self, struct settlement *settlement,
                          const struct ackd_outcome *outcome)
{
    if (outcome->status == ACKD_OK) {
        self->stats.unstarted += settlement->unstarted;
        settlement_end(self, settlement);
    } else if (is_over(outcome->status)) {
        self->stats.lost++;
        settlement_end(self, settlement);
    } else if (ackd_status_is_retryable(outcome->status)) {
        list_append(&self->settling_list, &settlement->link);
        pthread_cond_signal(&self->settle);
    } else if (settlement->has_checkpoint) {
        settlement->has_checkpoint = false; /* better without than not at all */
        list_append(&self->settling_list, &settlement->link);
        pthread_cond_signal(&self->settle);
    } else {
        settlement_unclear(self, settlement);
    }
}

/* False: no answer yet; the batch is back in the list. */
static bool send_batch(struct ackd_worker *self, struct list *batch, size_t count,
                       struct backoff *backoff)
{
    struct ackd_lease_request request;
    struct ackd_lease_reply *reply = NULL;
    struct ackd_error error;
    enum ackd_status status;

    ackd_lease_request_init(&request);
    request.queue = self->options.queue;
    status = settle_request(batch, count, &request)
                 ? ackd_client_lease(self->settling, &request, &reply, &error)
                 : ackd_error_set(&error, ACKD_UNAVAILABLE, "no memory to settle tasks");
    settle_request_deinit(&request);
    if (status == ACKD_OK) {
        worker_note_broker(self, NULL);
        settle_answered(self, batch, reply);
        ackd_lease_reply_free(reply);
        return true;
    }
    if (!error.no_reply && !worker_may_pass(status) && status != ACKD_INTERNAL) {
        drop_batch(self, batch, &error);
        return true;
    }
    if (status != ACKD_CANCELED)
        worker_note_broker(self, &error);
    backoff->asked_ms = error.retry_after_ms < ASKED_MS_MAX ? error.retry_after_ms : ASKED_MS_MAX;
    pthread_mutex_lock(&self->lock);
    settle_put_back(self, batch);
    pthread_mutex_unlock(&self->lock);
    return false;
}

/* The broker refuses the whole call, for good. */
static void drop_batch(struct ackd_worker *self, struct list *batch, const struct ackd_error *error)
{
    pthread_mutex_lock(&self->lock);
    LIST_EACH_SAFE (link, batch) {
        list_remove(link);
        settlement_unclear(self, CONTAINER_OF(link, struct settlement, link));
    }
    pthread_mutex_unlock(&self->lock);
    worker_fail(self, error);
}
