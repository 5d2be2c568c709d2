/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.c -- one batch: begin, run, commit, then answer, then remember.
 *
 *   begin --> what is due by itself --> the calls --> the waiters --> write counters --> commit
 *                                                                                          |
 *            apply the effects to the indexes <-- post the replies <---------- durable ----+
 *
 * The replies go first: remembering can't fail, and is over before a call comes to its turn that
 * was sent for a reply.
 *
 * One bad call never spoils its batch: verbs validate before they write. Where the store itself
 * refuses in the middle (no room), the batch is taken back whole, and its calls are run again one
 * by one, in their order: then only the one that does not fit is refused. Taking back is: abort the
 * transaction, copy `kept` over `now`, forget the effects, put served waiters back. What is due by
 * itself is then left alone for a while, so that a full store does not make the shard spin; so are
 * waiters, which nothing else might come to serve.
 *
 * A batch that only reads uses a write transaction as well, and aborts it: snapshots may be older
 * (S3 in store.h). What the store's log holds is brought into its tables between two batches, at
 * most a second after the first commit that only the log has (batch_checkpoint).
 *
 * If a commit fails otherwise, nobody knows what is on the disk. Then the shard fails for good:
 * its calls are answered as unknown and `on_failure` ends the process.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "shard/state.h"

#define USAGE_EVERY_MS 100
#define USAGE_PARTS 4        /* of the room that was left */
#define CHECKPOINT_MS 1000   /* at most so long a commit stays in the log alone */
#define CHORES_RETRY_MS 1000 /* after what is due by itself did not fit into the store */

static void run_together(struct shard *shard, struct list *calls, bool writable);
static void run_alone(struct shard *shard, struct list *calls);
static bool begin(struct shard *shard, bool writable);
static void run_calls(struct shard *shard, struct list *calls);
static void run_call(struct shard *shard, struct call *call);
static bool commit(struct shard *shard);
static void take_back(struct shard *shard, struct list *calls);
static void apply(struct shard *shard);
static void post(struct shard *shard);
static void fail_for_good(struct shard *shard);

int64_t batch_chores_next_ms(const struct shard *shard)
{
    int64_t expire_ms = expire_next_ms(shard);
    int64_t sweep_ms = sweep_next_ms(shard);
    int64_t next_ms = expire_ms < sweep_ms ? expire_ms : sweep_ms;

    if (!list_is_empty(&shard->waiting) && shard->serve_again_ms < next_ms)
        next_ms = shard->serve_again_ms;
    return next_ms > shard->chores_after_ms ? next_ms : shard->chores_after_ms;
}

/* When the log is to be brought in. */
static void plan_checkpoint(struct shard *shard)
{
    if (!store_is_behind(shard->store))
        shard->checkpoint_ms = INT64_MAX;
    else if (shard->checkpoint_ms == INT64_MAX)
        shard->checkpoint_ms = shard->batch.now_ms + CHECKPOINT_MS;
}

enum status batch_checkpoint(struct shard *shard)
{
    int64_t begun_ns = clock_monotonic_ns();
    enum status status;
    int64_t took_ns;

    if (shard->failed)
        return STATUS_INTERNAL;
    if (!store_is_behind(shard->store))
        return STATUS_OK;
    status = store_checkpoint(shard->store);
    took_ns = clock_monotonic_ns() - begun_ns;
    if (status == STATUS_INTERNAL)
        fail_for_good(shard);
    histogram_add(&shard->histograms.checkpoint_ns, &scale_ns, took_ns);
    shard->batch.commit_ns += took_ns;
    shard->checkpoint_ms = INT64_MAX; /* or again in a while, if there was no room */
    plan_checkpoint(shard);
    return status;
}

static bool wants_writing(const struct shard *shard, const struct list *calls)
{
    LIST_EACH (link, calls) {
        if (CONTAINER_OF(link, struct call, link)->verb->writes)
            return true;
    }
    return batch_chores_next_ms(shard) <= shard->batch.now_ms;
}

void batch_run(struct shard *shard, struct list *calls)
{
    shard->batch.now_ms = clock_now_ms(&shard->options.clock);
    wait_expire(shard);
    session_keep_alive(shard, calls);
    if (shard->failed)
        list_append_all(&shard->batch.done, calls);
    else if (!list_is_empty(calls) || wants_writing(shard, calls))
        run_together(shard, calls, wants_writing(shard, calls));
    if (!list_is_empty(calls)) {
        run_alone(shard, calls);
        if (!shard->failed && !list_is_empty(&shard->waiting))
            run_together(shard, calls, true); /* no calls: what became ready is for the waiters */
    }
    plan_checkpoint(shard);
    post(shard);
}

/* What is due by itself. */
static bool run_chores(struct shard *shard)
{
    if (!shard->batch.writable || batch_chores_next_ms(shard) > shard->batch.now_ms)
        return false;
    expire_run(shard);
    sweep_run(shard);
    return true;
}

/* Calls that came while those before them ran, or are awaited: a flush is shared best by all. */
static bool has_more(struct shard *shard, struct list *calls)
{
    return shard->take_more != NULL && shard->take_more(shard, calls);
}

/* Leaves the calls in `calls` if the batch had to be taken back. */
static void run_together(struct shard *shard, struct list *calls, bool writable)
{
    bool had_chores;

    if (!begin(shard, writable)) {
        fail_for_good(shard);
        list_append_all(&shard->batch.done, calls);
        return;
    }
    had_chores = run_chores(shard);
    run_calls(shard, calls);
    while (shard->batch.failed == STATUS_OK && writable && has_more(shard, calls))
        run_calls(shard, calls);
    if (shard->batch.failed == STATUS_OK && shard->batch.writable)
        wait_serve(shard);
    if (shard->batch.failed == STATUS_OK && commit(shard)) {
        if (writable)
            shard->serve_again_ms = INT64_MAX;
        apply(shard);
        return;
    }
    take_back(shard, calls);
    shard->serve_again_ms = shard->batch.now_ms + CHORES_RETRY_MS;
    if (had_chores)
        shard->chores_after_ms = shard->serve_again_ms;
}

static void run_alone(struct shard *shard, struct list *calls)
{
    struct list *link;

    gather_end(&shard->gather);
    while (!shard->failed && (link = list_take_first(calls)) != NULL) {
        struct call *call = CONTAINER_OF(link, struct call, link);
        struct list one;
        enum status failed;

        list_init(&one);
        list_append(&one, link);
        if (!begin(shard, call->verb->writes)) {
            fail_for_good(shard);
            list_append_all(calls, &one);
            break;
        }
        shard->batch.alone = true;
        run_calls(shard, &one);
        if (shard->batch.failed == STATUS_OK && commit(shard)) {
            apply(shard);
            continue;
        }
        failed = shard->batch.failed;
        take_back(shard, &one);
        if (!list_is_empty(&one)) {
            error_set(&call->error, failed, NULL);
            list_append_all(&shard->batch.done, &one);
        }
    }
    list_append_all(&shard->batch.done, calls); /* only if the shard failed meanwhile */
}

static bool begin(struct shard *shard, bool writable)
{
    struct batch *batch = &shard->batch;

    ASSERT(batch->txn == NULL && batch->effect_count == 0);
    batch->serial++;
    batch->writable = writable;
    batch->alone = false;
    batch->failed = STATUS_OK;
    batch->meta_dirty = false;
    batch->meta_kept = shard->meta;
    batch->due_next_kept_ms = shard->due_next_ms;
    batch->tombstones_swept = 0;
    batch->commands_before = shard->commands;
    batch->begun_ns = writable ? clock_monotonic_ns() : 0;
    return store_begin_write(shard->store, &batch->txn) == STATUS_OK;
}

static void run_calls(struct shard *shard, struct list *calls)
{
    struct list *link;

    while (shard->batch.failed == STATUS_OK && (link = list_take_first(calls)) != NULL) {
        list_append(&shard->batch.ran, link);
        run_call(shard, CONTAINER_OF(link, struct call, link));
    }
}

static void look_at_usage(struct shard *shard)
{
    struct store_usage usage;
    uint64_t limit_bytes;
    uint64_t used_bytes;

    shard->usage_checked_ms = shard->batch.now_ms;
    shard->unchecked_bytes = 0;
    if (store_usage(shard->store, &usage) != STATUS_OK)
        return;
    limit_bytes = publish_limit_bytes(&usage);
    used_bytes = usage.used_bytes + shard->batch.bytes; /* the batch's are not in the store yet */
    shard->nearly_full = usage.max_bytes > 0 && used_bytes >= limit_bytes;
    shard->check_bytes = shard->nearly_full ? UINT64_MAX : (limit_bytes - used_bytes) / USAGE_PARTS;
}

/* Looked at again after a while, and before much of the room that was left may be taken. */
static bool is_nearly_full(struct shard *shard, const struct call *call)
{
    shard->unchecked_bytes += call->arena->used_bytes;
    if (shard->batch.now_ms - shard->usage_checked_ms >= USAGE_EVERY_MS ||
        shard->unchecked_bytes > shard->check_bytes)
        look_at_usage(shard);
    return shard->nearly_full;
}

/* The call is in `ran`, until it parks itself (CALL_WAIT) or the batch ends. */
static void run_call(struct shard *shard, struct call *call)
{
    call->result = CALL_DONE;
    call->ran_as = ++shard->runs;
    if (call->verb->may_be_full && is_nearly_full(shard, call)) {
        error_set(&call->error, STATUS_STORE_FULL, NULL);
        return;
    }
    call->result = call->verb->run(shard, call);
    shard->commands++;
}

static void note_commit(struct shard *shard, int64_t begun_ns)
{
    struct shard_histograms *histograms = &shard->histograms;
    struct batch *batch = &shard->batch;
    int64_t now_ns = clock_monotonic_ns();

    batch->commit_ns += now_ns - begun_ns;
    shard->commits++;
    histogram_add(&histograms->commit_ns, &scale_ns, now_ns - begun_ns);
    if (shard->store->flush_ns > 0)
        histogram_add(&histograms->flush_ns, &scale_ns, shard->store->flush_ns);
    histogram_add(&histograms->batch_ns, &scale_ns, now_ns - batch->begun_ns);
    histogram_add(&histograms->batch_commands, &scale_commands,
                  shard->commands - batch->commands_before);
}

/* False: taken back, or failed for good. */
static bool commit(struct shard *shard)
{
    struct batch *batch = &shard->batch;
    int64_t begun_ns;
    enum status status;

    if (!batch->writable) {
        store_abort(batch->txn);
        batch->txn = NULL;
        return true;
    }
    batch_write_counters(shard);
    if (!index_reserve(shard))
        batch_fail(shard, STATUS_UNAVAILABLE);
    if (batch->failed != STATUS_OK)
        return false;

    begun_ns = clock_monotonic_ns();
    status = store_commit(batch->txn);
    batch->txn = NULL;
    note_commit(shard, begun_ns);
    if (status != STATUS_OK)
        batch_fail(shard, status);
    return status == STATUS_OK;
}

static void take_back_queue(struct shard *shard, struct queue *queue)
{
    LIST_EACH_SAFE (link, &queue->dirty_datasets) {
        struct dataset *dataset = CONTAINER_OF(link, struct dataset, dirty_link);

        dataset->now = dataset->kept;
        list_remove(link);
        if (dataset->is_new)
            dataset_free(queue, dataset);
    }
    queue->now = queue->kept;
    queue->dirty = false;
    list_remove(&queue->dirty_link);
    if (queue->is_new)
        queue_free(shard, queue);
}

static void take_back(struct shard *shard, struct list *calls)
{
    struct batch *batch = &shard->batch;

    store_abort(batch->txn);
    batch->txn = NULL;
    wait_put_back(shard);
    wait_unpark_new(shard);
    list_append_all(&batch->ran, calls); /* in their order, those that ran first */
    list_append_all(calls, &batch->ran);
    LIST_EACH_SAFE (link, &batch->dirty_queues)
        take_back_queue(shard, CONTAINER_OF(link, struct queue, dirty_link));
    shard->meta = batch->meta_kept;
    if (shard->due_next_ms > batch->due_next_kept_ms)
        shard->due_next_ms = batch->due_next_kept_ms;
    for (size_t i = 0; i < batch->effect_count; i++)
        index_forget(shard, &batch->effects[i]);
    batch->effect_count = 0;

    LIST_EACH (link, calls) {
        struct call *call = CONTAINER_OF(link, struct call, link);

        call->progress = call->kept;
        call->error = ERROR_NONE;
    }
    if (batch->failed == STATUS_INTERNAL) {
        fail_for_good(shard);
        list_append_all(&batch->done, calls);
    }
}

static void settle_dataset(struct dataset *dataset, int64_t now_ms)
{
    if (dataset->now.done > dataset->kept.done)
        dataset_note_done(dataset, dataset->now.done - dataset->kept.done, now_ms);
    dataset->kept = dataset->now;
    dataset->is_new = false;
    list_remove(&dataset->dirty_link);
}

static void settle_call(struct shard *shard, struct call *call)
{
    list_remove(&call->link);
    call->kept = call->progress;
    list_append(call->result == CALL_AGAIN ? &shard->batch.again : &shard->batch.done, &call->link);
}

/* The commit stands: who waits for it is answered, and memory follows. */
static void apply(struct shard *shard)
{
    struct batch *batch = &shard->batch;

    LIST_EACH_SAFE (link, &batch->ran)
        settle_call(shard, CONTAINER_OF(link, struct call, link));
    wait_settle(shard);
    post(shard);
    LIST_EACH_SAFE (link, &batch->dirty_queues) {
        struct queue *queue = CONTAINER_OF(link, struct queue, dirty_link);

        LIST_EACH_SAFE (dataset_link, &queue->dirty_datasets)
            settle_dataset(CONTAINER_OF(dataset_link, struct dataset, dirty_link), batch->now_ms);
        queue->kept = queue->now;
        queue->dirty = false;
        queue->is_new = false;
        list_remove(&queue->dirty_link);
    }
    index_drop_tombstones(shard, batch->tombstones_swept);
    for (size_t i = 0; i < batch->effect_count; i++)
        index_apply(shard, &batch->effects[i]);
    batch->effect_count = 0;
}

/* Each mailbox gets its letters together, as far as they follow one another. */
static void post_letters(struct shard *shard, struct list *calls)
{
    struct mailbox *mailbox = NULL;
    struct list letters;
    struct list *link;

    list_init(&letters);
    while ((link = list_take_first(calls)) != NULL) {
        struct call *call = CONTAINER_OF(link, struct call, link);

        if (shard->failed && call->error.status == STATUS_OK)
            error_set(&call->error, STATUS_UNAVAILABLE,
                      "storage failed; whether this was stored is unknown");
        if (call->mailbox != mailbox && mailbox != NULL)
            mailbox_post_all(mailbox, &letters);
        mailbox = call->mailbox;
        list_append(&letters, &call->letter.link);
        shard->batch.answered++;
    }
    if (mailbox != NULL)
        mailbox_post_all(mailbox, &letters);
}

/* Answers what is finished, and puts what has more to do at the end of the inbox. */
static void post(struct shard *shard)
{
    struct batch *batch = &shard->batch;
    struct list *link;

    list_append_all(&batch->done, &batch->dropped);
    if (list_is_empty(&batch->done) && list_is_empty(&batch->again))
        return; /* apply has posted them */
    pthread_mutex_lock(&shard->mutex);
    LIST_EACH (done, &batch->done) {
        struct call *call = CONTAINER_OF(done, struct call, link);

        call->posted = true;
        list_remove(&call->cancel_link);
    }
    while ((link = list_take_first(&batch->again)) != NULL) {
        list_append(&shard->inbox, link);
        shard->inbox_count++;
    }
    pthread_mutex_unlock(&shard->mutex);
    post_letters(shard, &batch->done);
}

static void fail_for_good(struct shard *shard)
{
    if (shard->failed)
        return;
    shard->failed = true;
    LOG_ERROR("storage_failed", LOG_INT("shard", shard->options.index),
              LOG_STRING("consequence", "the broker stops; outcomes of this batch are unknown"));
    if (shard->options.on_failure != NULL)
        shard->options.on_failure(shard->options.context);
}
