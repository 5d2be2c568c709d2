/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expire.c -- what happens when time passes: delays end, leases and sessions are lost.
 *
 * Runs at the begin of a batch, at most STEP_RECORDS_MAX tasks each time, so that a session with a
 * hundred thousand leases does not hold up everybody else. Indexes change by effects as always:
 * what was handled leaves its heap when the batch is applied.
 */
#include "base/assert.h"
#include "shard/state.h"

#define PIECE 256

static void wake_delayed(struct shard *shard);
static void lose_leases(struct shard *shard);
static void lose_sessions(struct shard *shard);

void expire_run(struct shard *shard)
{
    if (shard->due_next_ms <= shard->batch.now_ms)
        wake_delayed(shard);
    if (shard->batch.failed == STATUS_OK)
        lose_sessions(shard);
    if (shard->batch.failed == STATUS_OK)
        lose_leases(shard);
}

int64_t expire_next_ms(const struct shard *shard)
{
    struct heap_node *lease = heap_first(&shard->lease_deadlines);
    struct heap_node *session = heap_first(&shard->session_deadlines);
    int64_t next_ms = shard->due_next_ms;

    if (lease != NULL && lease->key < next_ms)
        next_ms = lease->key;
    if (session != NULL && session->key < next_ms)
        next_ms = session->key;
    return next_ms;
}

static enum status wake_one(struct shard *shard, int64_t due_ms, struct place place)
{
    struct task_command command = {.kind = TASK_WAKE};
    struct task_effects effects;
    struct held held;
    struct key key = key_of_due(due_ms, place);
    struct queue *queue = shard_queue_of_number(shard, place.queue);
    enum status status = queue == NULL || queue->now.deleting
                             ? STATUS_TASK_NOT_FOUND
                             : held_load(shard, queue, place, &held);

    if (status == STATUS_CORRUPT) {
        held = (struct held){.queue = queue, .place = place, .has_active = true};
        held.task = (struct task){.state = TASK_DELAYED, .at_ms = due_ms};
        return held_quarantine(shard, &held);
    }
    if (status == STATUS_OK)
        status = held_step(shard, &held, &command, NULL, &effects);
    if (status != STATUS_OK && shard->batch.failed == STATUS_OK)
        status = batch_remove(shard, STORE_DUE, key_slice(&key)); /* of nobody */
    return status;
}

static void wake_delayed(struct shard *shard)
{
    struct key to = key_of_queue(0);
    struct store_row rows[PIECE];
    struct place places[PIECE];
    int64_t dues[PIECE];
    size_t count;

    to.size = 8;
    be64_put(to.data, (uint64_t)shard->batch.now_ms + 1);
    if (batch_scan(shard, STORE_DUE, SLICE_EMPTY, key_slice(&to), rows, PIECE, &count) != STATUS_OK)
        return;
    for (size_t i = 0; i < count; i++)
        if (!key_read_due(rows[i].key, &dues[i], &places[i]))
            dues[i] = -1;
    for (size_t i = 0; i < count && shard->batch.failed == STATUS_OK; i++)
        if (dues[i] >= 0)
            wake_one(shard, dues[i], places[i]);
    if (count == PIECE || shard->batch.failed != STATUS_OK)
        return; /* more are due: the next batch goes on */
    shard->due_next_ms = INT64_MAX;
    if (batch_scan(shard, STORE_DUE, key_slice(&to), SLICE_EMPTY, rows, 1, &count) == STATUS_OK &&
        count == 1 && key_read_due(rows[0].key, &dues[0], &places[0]))
        shard->due_next_ms = dues[0];
}

/* The nodes that are due, without taking them out: from the root down as long as keys are due. */
static size_t collect_due(const struct heap *heap, int64_t now_ms, struct heap_node **ret_nodes,
                          size_t max)
{
    size_t count = 0;

    if (heap->count > 0 && heap->nodes[0]->key <= now_ms)
        ret_nodes[count++] = heap->nodes[0];
    for (size_t at = 0; at < count; at++) {
        for (size_t child = ret_nodes[at]->index * 2 + 1;
             child <= ret_nodes[at]->index * 2 + 2 && child < heap->count && count < max; child++) {
            if (heap->nodes[child]->key <= now_ms)
                ret_nodes[count++] = heap->nodes[child];
        }
    }
    return count;
}

static void lose_leases(struct shard *shard)
{
    struct heap_node *nodes[STEP_RECORDS_MAX];
    size_t count =
        collect_due(&shard->lease_deadlines, shard->batch.now_ms, nodes, STEP_RECORDS_MAX);

    for (size_t i = 0; i < count && shard->batch.failed == STATUS_OK; i++) {
        struct lease *lease = CONTAINER_OF(nodes[i], struct lease, deadline);
        struct queue *queue = shard_queue_of_number(shard, lease->place.queue);
        struct task_command command = {.kind = TASK_LOSE};
        struct task_effects effects;
        struct held held;
        enum status status;

        ASSERT(queue != NULL);
        status = held_load(shard, queue, lease->place, &held);
        if (status == STATUS_OK) {
            command.session = held.task.session; /* not 0 only if that session is gone */
            status = held_step(shard, &held, &command, NULL, &effects);
        }
        if (status != STATUS_OK)
            expire_odd_lease(shard, queue, lease, status);
    }
}

void expire_odd_lease(struct shard *shard, struct queue *queue, const struct lease *lease,
                      enum status why)
{
    struct held held;

    if (why == STATUS_CORRUPT) {
        held = (struct held){.queue = queue, .place = lease->place, .has_active = true};
        held.task.state = TASK_LEASED;
        if (held_quarantine(shard, &held) != STATUS_OK)
            return;
    }
    index_forget_lease(shard, lease);
}

static void lose_sessions(struct shard *shard)
{
    struct heap_node *nodes[STEP_RECORDS_MAX];
    size_t count =
        collect_due(&shard->session_deadlines, shard->batch.now_ms, nodes, STEP_RECORDS_MAX);
    int64_t returned = 0;

    for (size_t i = 0; i < count && returned < STEP_RECORDS_MAX; i++) {
        struct session *session = CONTAINER_OF(nodes[i], struct session, deadline);
        bool more;

        session->ended = true;
        if (session_return_leases(shard, session, TASK_LOSE, (size_t)(STEP_RECORDS_MAX - returned),
                                  &returned, &more) != STATUS_OK)
            return;
    }
}
