/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_commit.c -- the committer: finished results into the sink, as many as there are in one
 * commit, and only then on to be acked (W2).
 *
 * While a commit is under way the next batch gathers by itself; it is never waited for. A sink that
 * is away is tried again with the same batch; how each status is read stands in ackd/sink.h.
 */
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "worker_internal.h"

struct commit {
    struct task **tasks; /* by ID */
    struct ackd_sink_result *results;
    size_t count;
    size_t at; /* how many of them have gone on */
};

static bool take_finished(struct ackd_worker *self, struct commit *commit);
static void commit_all(struct ackd_worker *self, struct commit *commit);
static void not_committed(struct ackd_worker *self, struct commit *commit,
                          const struct ackd_error *error);

void *worker_commit_thread(void *context)
{
    struct ackd_worker *self = context;
    struct commit commit = {
        .tasks = calloc(BATCH_ITEMS_MAX, sizeof(struct task *)),
        .results = calloc(BATCH_ITEMS_MAX, sizeof(struct ackd_sink_result)),
    };

    if (commit.tasks == NULL || commit.results == NULL) {
        struct ackd_error error;

        ackd_error_set(&error, ACKD_INTERNAL, "no memory for a batch of results");
        worker_fail(self, &error);
    } else {
        while (take_finished(self, &commit))
            commit_all(self, &commit);
    }
    free(commit.tasks);
    free(commit.results);
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(struct task *const *)a)->face.id, (*(struct task *const *)b)->face.id);
}

/* Sorts the batch by ID, and gives back to `finished` all but the first of those of one ID: a task
 * whose lease was lost may have come to this worker again. `lock`. */
static void keep_one_of_each(struct ackd_worker *self, struct commit *commit)
{
    size_t kept = 0;

    qsort(commit->tasks, commit->count, sizeof commit->tasks[0], by_id);
    for (size_t i = 0; i < commit->count; i++) {
        struct task *task = commit->tasks[i];

        if (kept > 0 && strcmp(commit->tasks[kept - 1]->face.id, task->face.id) == 0)
            list_append(&self->finished, &task->link);
        else
            commit->tasks[kept++] = task;
    }
    commit->count = kept;
}

static void results_fill(const struct ackd_worker *self, struct commit *commit)
{
    for (size_t i = 0; i < commit->count; i++) {
        const struct task *task = commit->tasks[i];

        commit->results[i] = (struct ackd_sink_result){.queue = self->options.queue,
                                                       .task_id = task->face.id,
                                                       .fence = task->face.fence,
                                                       .dataset = task->face.dataset,
                                                       .worker = self->options.name,
                                                       .has_result = task->has_result,
                                                       .result = {task->result, task->result_size}};
    }
}

/* Waits for results and takes a batch of them. False: leaving. */
static bool take_finished(struct ackd_worker *self, struct commit *commit)
{
    size_t bytes = 0;

    commit->count = 0;
    commit->at = 0;
    pthread_mutex_lock(&self->lock);
    while (list_is_empty(&self->finished) && !self->leaving)
        worker_wait(self, &self->commit, INT64_MAX);
    while (!self->leaving && commit->count < BATCH_ITEMS_MAX && !list_is_empty(&self->finished)) {
        struct task *task = CONTAINER_OF(self->finished.next, struct task, link);

        if (commit->count > 0 && bytes + task->result_size > BATCH_BYTES_MAX)
            break;
        bytes += task->result_size;
        list_remove(&task->link);
        commit->tasks[commit->count++] = task;
    }
    keep_one_of_each(self, commit);
    pthread_mutex_unlock(&self->lock);
    results_fill(self, commit);
    return commit->count > 0;
}

/* Commits the next `count` results; a sink that is away is tried until it answers. */
static enum ackd_status commit_next(struct ackd_worker *self, const struct commit *commit,
                                    size_t count, struct ackd_error *error)
{
    struct ackd_sink *sink = self->options.sink;
    struct backoff backoff = {0};

    for (;;) {
        enum ackd_status status;

        ackd_error_set(error, ACKD_OK, "%s", "");
        pthread_mutex_lock(&self->sink_lock);
        status = sink->commit(sink, commit->results + commit->at, count, error);
        pthread_mutex_unlock(&self->sink_lock);
        error->status = status;
        if (!ackd_status_is_retryable(status)) {
            worker_note_sink(self, NULL);
            return status;
        }
        worker_note_sink(self, error);
        backoff.asked_ms = error->retry_after_ms;
        if (atomic_load(&self->leaving))
            return status;
        worker_pause(self, &self->commit, backoff_next_ms(&backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS),
                     &self->leaving);
    }
}

/* The next `count` results are in the sink, or (`refused`) never will be: on to the broker. */
static void pass_on(struct ackd_worker *self, struct commit *commit, size_t count,
                    const struct ackd_error *refused)
{
    pthread_mutex_lock(&self->lock);
    for (; count > 0; count--) {
        struct task *task = commit->tasks[commit->at++];

        self->open_count--;
        self->open_bytes -= task->result_size;
        if (refused == NULL)
            settle_ack(self, task, true);
        else
            settle_refused(self, task, refused->message);
    }
    pthread_mutex_unlock(&self->lock);
}

static bool is_refusal(enum ackd_status status)
{
    return status == ACKD_INVALID || status == ACKD_TOO_LARGE;
}

static void commit_all(struct ackd_worker *self, struct commit *commit)
{
    struct ackd_error error;
    enum ackd_status status = commit_next(self, commit, commit->count, &error);

    if (status == ACKD_OK)
        pass_on(self, commit, commit->count, NULL);
    else if (is_refusal(status) && commit->count == 1)
        pass_on(self, commit, 1, &error);
    /* One of several is at fault: which? */
    while (is_refusal(status) && commit->at < commit->count) {
        enum ackd_status one = commit_next(self, commit, 1, &error);

        if (one != ACKD_OK && !is_refusal(one))
            break;
        pass_on(self, commit, 1, one == ACKD_OK ? NULL : &error);
    }
    if (commit->at < commit->count)
        not_committed(self, commit, &error);
}

/* The rest of the batch stays uncommitted: the worker leaves, or the sink is broken. */
static void not_committed(struct ackd_worker *self, struct commit *commit,
                          const struct ackd_error *error)
{
    bool broken = !ackd_status_is_retryable(error->status);

    pthread_mutex_lock(&self->lock);
    while (commit->at < commit->count) {
        struct task *task = commit->tasks[commit->at++];

        if (broken) {
            self->open_count--;
            self->open_bytes -= task->result_size;
            settle_nack(self, task, ACKD_NACK_RELEASED, false);
        } else {
            list_append(&self->finished, &task->link);
        }
    }
    pthread_mutex_unlock(&self->lock);
    if (broken)
        worker_fail(self, error);
}
