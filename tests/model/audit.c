/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c -- row by row: what memory must say of it, and how many there must be.
 */
#include "audit.h"

#include <stdio.h>
#include <string.h>

#include "support/check.h"

#define ROWS 256
#define ARENA_BYTES ((size_t)80 << 20)

int64_t audit_problems(struct store *store)
{
    struct inspect_call call = {0};
    struct arena arena;

    arena_init(&arena, ARENA_BYTES);
    call_init(&call.call, &verb_stats, &arena, NULL, NULL, NULL);
    assert_int_equal(check_run(store, &call), STATUS_OK);
    for (int64_t i = 0; i < call.problem_count && i < CHECK_PROBLEMS_MAX; i++)
        print_message("  problem: %s\n", call.problems[i]);
    arena_deinit(&arena);
    return call.problem_count;
}

size_t audit_each_row(struct shard *shard, struct store *store, enum store_table table,
                      audit_visitor *visit)
{
    struct store_row rows[ROWS];
    struct key from = {.size = 0};
    struct store_txn *txn;
    size_t visited = 0;
    size_t count = ROWS;

    assert_int_equal(store_begin_read(store, &txn), STATUS_OK);
    while (count == ROWS) {
        assert_int_equal(store_scan(txn, table, key_slice(&from), SLICE_EMPTY, rows, ROWS, &count),
                         STATUS_OK);
        for (size_t i = 0; i < count; i++)
            visit(shard, &rows[i], &visited);
        if (count > 0)
            from = key_after(rows[count - 1].key);
    }
    store_abort(txn);
    return visited;
}

static struct lease *find_lease(struct shard *shard, struct place place)
{
    for (struct map_node *node = map_next(&shard->leases, NULL); node != NULL;
         node = map_next(&shard->leases, node)) {
        struct lease *lease = CONTAINER_OF(node, struct lease, node);

        if (place_equal(lease->place, place))
            return lease;
    }
    return NULL;
}

/* The story and the counters that the rules decide by are kept by different hands: where nothing is
 * left out, they say the same. */
static void check_history(const struct active_record *record)
{
    const struct task *task = &record->task;
    uint32_t ended[ATTEMPT_END_COUNT] = {0};
    uint32_t fence = 0;
    struct attempt attempt;
    struct slice rest;

    if (history_begin(record->history, &rest) > 0)
        return;
    while (history_next(&rest, &attempt)) {
        ended[attempt.end]++;
        if (attempt.end == ATTEMPT_REDRIVEN)
            ended[ATTEMPT_FAILED] = ended[ATTEMPT_LOST] = ended[ATTEMPT_EXPIRED] = 0;
        assert_true(attempt.fence <= task->fence);
        assert_true(attempt.fence == 0 || attempt.fence > fence || attempt.end == ATTEMPT_ACKED);
        if (attempt.fence > 0)
            fence = attempt.fence;
    }
    assert_int_equal(rest.size, 0);
    assert_int_equal(ended[ATTEMPT_FAILED], task->failures);
    assert_int_equal(ended[ATTEMPT_LOST] + ended[ATTEMPT_EXPIRED], task->losses);
    assert_int_equal(ended[ATTEMPT_PREEMPTED], task->preemptions);
}

/* M2, from the store's side. */
static void check_active(struct shard *shard, const struct store_row *row, size_t *count)
{
    struct active_record record;
    struct place place;
    struct queue *queue;
    struct lease *lease;

    if (!key_read_place(row->key, &place) ||
        active_record_read(row->key, row->value, &record) != STATUS_OK)
        return;
    check_history(&record);
    if (record.task.state != TASK_LEASED)
        return;
    queue = shard_queue_of_number(shard, place.queue);
    if (queue == NULL || queue->now.deleting)
        return;
    lease = find_lease(shard, place);
    if (lease == NULL) {
        fail_msg("a LEASED task has no lease in memory (M2)");
        return;
    }
    assert_int_equal(lease->fence, record.task.fence);
    if (lease->session != NULL)
        assert_int_equal(lease->session->id, record.task.session);
    else
        assert_true(lease->deadline.key >= record.task.at_ms);
    ++*count;
}

/* The leases in the order of their progress. */
static void check_progress(const struct queue *queue, size_t *count)
{
    int64_t before_ms = INT64_MIN;

    LIST_EACH (link, &queue->progress) {
        const struct lease *lease = CONTAINER_OF(link, struct lease, progress_link);

        assert_true(lease->progress_ms >= before_ms);
        assert_int_equal(lease->place.queue, queue->number);
        before_ms = lease->progress_ms;
        ++*count;
    }
}

/* M2, from memory's side: as many, each in exactly one of the two places. */
static void check_leases(struct shard *shard, struct store *store)
{
    size_t leased = audit_each_row(shard, store, STORE_ACTIVE, check_active);
    size_t kept_by_sessions = 0;
    size_t in_order = 0;

    LIST_EACH (link, &shard->queues)
        check_progress(CONTAINER_OF(link, struct queue, link), &in_order);
    assert_int_equal(in_order, leased);
    assert_int_equal(shard->leases.count, leased);
    for (struct map_node *node = map_next(&shard->sessions, NULL); node != NULL;
         node = map_next(&shard->sessions, node)) {
        struct session *session = CONTAINER_OF(node, struct session, node);
        int64_t count = 0;

        LIST_EACH (link, &session->leases)
            count++;
        assert_int_equal(session->lease_count, count);
        kept_by_sessions += (size_t)count;
    }
    assert_int_equal(shard->lease_deadlines.count, leased - kept_by_sessions);
}

static void check_session_row(struct shard *shard, const struct store_row *row, size_t *count)
{
    uint64_t id;

    assert_true(key_read_session(row->key, &id));
    assert_non_null(session_find(shard, id));
    ++*count;
}

/* M1: what a start would read of the queue. */
static void check_queue_row(struct shard *shard, const struct store_row *row, size_t *count)
{
    struct queue_record record;
    struct queue *queue;
    uint32_t number;

    assert_true(key_read_queue(row->key, &number));
    assert_int_equal(queue_record_read(row->key, row->value, &record), STATUS_OK);
    queue = shard_queue_of_number(shard, number);
    assert_non_null(queue);
    assert_false(queue->dirty);
    assert_memory_equal(&queue->now.tally, &queue->kept.tally, sizeof queue->now.tally);
    assert_memory_equal(&queue->now.tally, &record.tally, sizeof record.tally);
    assert_memory_equal(&queue->now.config, &record.config, sizeof record.config);
    assert_memory_equal(queue->now.cursor, record.cursor, sizeof record.cursor);
    assert_memory_equal(queue->now.fresh, record.fresh, sizeof record.fresh);
    assert_memory_equal(queue->now.returned, record.returned, sizeof record.returned);
    assert_int_equal(queue->now.next_seq, record.next_seq);
    assert_int_equal(queue->now.next_dataset, record.next_dataset);
    assert_int_equal(queue->now.paused, record.paused);
    assert_int_equal(queue->now.deleting, record.deleting);
    ++*count;
}

static void check_dataset_row(struct shard *shard, const struct store_row *row, size_t *count)
{
    struct dataset_record record;
    struct dataset *dataset;
    struct queue *queue;
    uint32_t number;

    (void)count;
    assert_true(key_read_queue(row->key, &number));
    assert_int_equal(dataset_record_read(row->key, row->value, &record), STATUS_OK);
    queue = shard_queue_of_number(shard, number);
    assert_non_null(queue);
    if (queue->now.deleting)
        return;
    dataset = dataset_of_number(queue, be32_get(row->key.data + 4));
    assert_non_null(dataset);
    assert_memory_equal(&dataset->now, &dataset->kept, sizeof dataset->now);
    assert_memory_equal(&dataset->now, &record.tally, sizeof record.tally);
}

static void check_due_row(struct shard *shard, const struct store_row *row, size_t *count)
{
    struct place place;
    int64_t due_ms;

    (void)count;
    if (key_read_due(row->key, &due_ms, &place))
        assert_true(shard->due_next_ms <= due_ms);
}

static void check_meta_row(struct shard *shard, const struct store_row *row, size_t *count)
{
    struct meta_record record;

    (void)count;
    assert_int_equal(meta_record_read(row->key, row->value, &record), STATUS_OK);
    assert_int_equal(shard->meta.next_queue, record.next_queue);
    assert_int_equal(shard->meta.next_session, record.next_session);
}

void audit_shard(struct shard *shard, struct store *store)
{
    assert_null(shard->batch.txn);
    assert_int_equal(store_checkpoint(store), STATUS_OK); /* it reads snapshots */
    assert_int_equal(audit_problems(store), 0);
    assert_int_equal(shard->queue_count,
                     audit_each_row(shard, store, STORE_QUEUE, check_queue_row));
    audit_each_row(shard, store, STORE_DATASET, check_dataset_row);
    assert_int_equal(shard->sessions.count,
                     audit_each_row(shard, store, STORE_SESSION, check_session_row));
    check_leases(shard, store);
    audit_each_row(shard, store, STORE_DUE, check_due_row);
    audit_each_row(shard, store, STORE_META, check_meta_row);
}
