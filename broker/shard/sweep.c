/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.c -- what is removed in the background, a bounded number of records a batch.
 *
 *   tombstones   of leases done long enough ago
 *   queues       that were deleted: table by table, then their own record
 *   retention    IDs and results that have outlived their queue's rules: a slow pass over both
 *                tables. Reads check the time themselves, so the pass only frees space.
 *   task_ttl_ms  tasks nobody leased in time: the heads of their queues, once a second
 */
#include "base/assert.h"
#include "shard/state.h"

#define PIECE 250
#define TOMBSTONES_PER_BATCH 20000
#define PASS_EVERY_MS 20 /* between two pieces of a retention pass */
#define TTL_EVERY_MS 1000

static void sweep_tombstones(struct shard *shard);
static void sweep_deleted(struct shard *shard);
static void sweep_retention(struct shard *shard);
static void sweep_ttl(struct shard *shard);

void sweep_run(struct shard *shard)
{
    static void (*const sweeps[])(struct shard *) = {sweep_tombstones, sweep_deleted,
                                                     sweep_retention, sweep_ttl};

    for (size_t i = 0; i < sizeof sweeps / sizeof sweeps[0]; i++)
        if (shard->batch.failed == STATUS_OK)
            sweeps[i](shard);
}

/* So many that the oldest go before their time, `swept` of them already. */
static bool is_crowded(const struct shard *shard, uint32_t swept)
{
    return shard->tombstone_count - swept > TOMBSTONES_MAX / 4 * 3;
}

int64_t sweep_next_ms(const struct shard *shard)
{
    int64_t next_ms = shard->sweep_next_ms;

    if (shard->deleting_count > 0)
        return 0;
    if (shard->tombstone_count > 0 && shard->tombstones[shard->tombstone_first].until_ms < next_ms)
        next_ms = shard->tombstones[shard->tombstone_first].until_ms;
    if (shard->has_ttl && shard->ttl_next_ms < next_ms)
        next_ms = shard->ttl_next_ms;
    return is_crowded(shard, 0) ? 0 : next_ms;
}

static void sweep_tombstones(struct shard *shard)
{
    uint32_t *swept = &shard->batch.tombstones_swept; /* the ring itself follows the commit */

    while (*swept < TOMBSTONES_PER_BATCH && *swept < shard->tombstone_count) {
        uint32_t at = (shard->tombstone_first + *swept) % shard->tombstone_capacity;
        const struct tombstone *oldest = &shard->tombstones[at];
        struct key key = key_of_place(oldest->place);
        enum status status;

        if (oldest->until_ms > shard->batch.now_ms && !is_crowded(shard, *swept))
            return;
        status = batch_remove(shard, STORE_ACTIVE, key_slice(&key));
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return;
        ++*swept;
    }
}

/* An active row of a deleted queue may have an entry in `due`, which is not under the queue. */
static void remove_due(struct shard *shard, struct slice key, struct slice value)
{
    struct active_record record;
    struct place place;
    struct key due;

    if (!key_read_place(key, &place) || active_record_read(key, value, &record) != STATUS_OK ||
        record.task.state != TASK_DELAYED)
        return;
    due = key_of_due(record.task.at_ms, place);
    batch_remove(shard, STORE_DUE, key_slice(&due));
}

/* Removes up to PIECE rows of one table; says how many. */
static size_t remove_rows(struct shard *shard, enum store_table table, uint32_t queue)
{
    struct key from = key_of_queue(queue);
    struct key to = key_after_queue(queue);
    struct store_row rows[PIECE];
    struct key keys[PIECE];
    size_t count;

    if (batch_scan(shard, table, key_slice(&from), key_slice(&to), rows, PIECE, &count) !=
        STATUS_OK)
        return 0;
    for (size_t i = 0; i < count; i++) {
        keys[i].size = rows[i].key.size;
        memcpy(keys[i].data, rows[i].key.data, rows[i].key.size);
    }
    for (size_t i = 0; i < count && table == STORE_ACTIVE; i++) {
        struct slice value; /* the row's own ends with the first removal */

        if (batch_get(shard, table, key_slice(&keys[i]), &value) == STATUS_OK)
            remove_due(shard, key_slice(&keys[i]), value);
    }
    for (size_t i = 0; i < count && shard->batch.failed == STATUS_OK; i++)
        batch_remove(shard, table, key_slice(&keys[i]));
    return count;
}

static void delete_queue(struct shard *shard, struct queue *queue)
{
    static const enum store_table tables[] = {STORE_ACTIVE, STORE_RETURNED, STORE_DEAD,
                                              STORE_ID,     STORE_RESULT,   STORE_CHECKPOINT,
                                              STORE_TASK,   STORE_CHUNK,    STORE_DATASET};
    struct key key = key_of_queue(queue->number);
    struct effect *effect;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (remove_rows(shard, tables[i], queue->number) > 0 || shard->batch.failed != STATUS_OK)
            return; /* more in the next batch */
    }
    if (queue->session_count > 0)
        return; /* expire.c removes them first */
    batch_remove(shard, STORE_QUEUE, key_slice(&key));
    effect = batch_effect(shard, EFFECT_QUEUE_GONE);
    if (effect != NULL)
        effect->queue = queue;
}

static void sweep_deleted(struct shard *shard)
{
    if (shard->deleting_count == 0)
        return;
    LIST_EACH (link, &shard->queues) {
        struct queue *queue = CONTAINER_OF(link, struct queue, link);

        if (queue->kept.deleting) {
            delete_queue(shard, queue);
            return; /* one at a time */
        }
    }
}

static struct queue *queue_of_key(struct shard *shard, struct slice key)
{
    uint32_t number;
    struct queue *queue =
        key_read_queue(key, &number) ? shard_queue_of_number(shard, number) : NULL;

    return queue == NULL || queue->now.deleting ? NULL : queue;
}

static bool is_id_outlived(struct shard *shard, const struct queue *queue, struct slice key,
                           struct slice value)
{
    struct id_record record;

    return id_record_read(key, value, &record) == STATUS_OK && record.done &&
           record.done_ms + queue->now.config.dedup_retention_ms <= shard->batch.now_ms;
}

static bool is_result_outlived(struct shard *shard, const struct queue *queue, struct slice key,
                               struct slice value)
{
    struct blob_record record;
    int64_t retention_ms = queue->now.config.result_retention_ms;

    return retention_ms > 0 && blob_record_read(key, value, RECORD_RESULT, &record) == STATUS_OK &&
           record.stored_ms + retention_ms <= shard->batch.now_ms;
}

static void end_of_table(struct shard *shard)
{
    shard->sweep_from.size = 0;
    if (shard->sweep_results)
        shard->sweep_next_ms = shard->batch.now_ms + SWEEP_PAUSE_MS;
    shard->sweep_results = !shard->sweep_results;
}

static void sweep_retention(struct shard *shard)
{
    enum store_table table = shard->sweep_results ? STORE_RESULT : STORE_ID;
    struct store_row rows[PIECE];
    struct key outlived[PIECE];
    size_t outlived_count = 0;
    size_t count;

    if (shard->sweep_next_ms > shard->batch.now_ms ||
        batch_scan(shard, table, key_slice(&shard->sweep_from), SLICE_EMPTY, rows, PIECE, &count) !=
            STATUS_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        struct queue *queue = queue_of_key(shard, rows[i].key);

        if (queue != NULL &&
            (shard->sweep_results ? is_result_outlived(shard, queue, rows[i].key, rows[i].value)
                                  : is_id_outlived(shard, queue, rows[i].key, rows[i].value))) {
            outlived[outlived_count].size = rows[i].key.size;
            memcpy(outlived[outlived_count++].data, rows[i].key.data, rows[i].key.size);
        }
    }
    shard->sweep_next_ms = shard->batch.now_ms + PASS_EVERY_MS;
    if (count < PIECE)
        end_of_table(shard);
    else
        shard->sweep_from = key_after(rows[count - 1].key);
    for (size_t i = 0; i < outlived_count && shard->batch.failed == STATUS_OK; i++) {
        if (table == STORE_RESULT)
            blob_remove(shard, table, outlived[i], CHUNK_RESULT, RECORD_RESULT);
        else
            batch_remove(shard, table, key_slice(&outlived[i]));
    }
}

/* STATUS_WRONG_STATE: it is not old enough. */
static enum status expire_one(struct shard *shard, struct queue *queue, struct place place,
                              bool returned)
{
    struct task_command command = {.kind = TASK_EXPIRE};
    struct task_effects effects;
    struct held held;
    struct key key = key_of_place(place);
    struct slice active;
    enum status status;

    if (!returned && batch_get(shard, STORE_ACTIVE, key_slice(&key), &active) != STATUS_NOT_FOUND)
        return shard->batch.failed; /* touched: the cursor passes it by */
    status = held_load(shard, queue, place, &held);
    if (status == STATUS_CORRUPT) {
        held = (struct held){.queue = queue, .place = place, .has_active = returned};
        held.task.state = TASK_READY;
        return held_quarantine(shard, &held);
    }
    if (status != STATUS_OK)
        return status;
    return held_step(shard, &held, &command, NULL, &effects);
}

/* Expires from the front of `table`; false once one was not old enough, or there are no more. */
static bool expire_rows(struct shard *shard, struct queue *queue, enum store_table table,
                        int priority, uint64_t from_seq)
{
    struct key from = key_of_seq(queue->number, priority, from_seq);
    struct key to = key_of_seq(queue->number, priority, UINT64_MAX);
    struct store_row rows[PIECE];
    struct place places[PIECE];
    size_t count;

    if (batch_scan(shard, table, key_slice(&from), key_slice(&to), rows, PIECE, &count) !=
        STATUS_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!key_read_place(rows[i].key, &places[i]))
            return false;
    for (size_t i = 0; i < count; i++) {
        if (expire_one(shard, queue, places[i], table == STORE_RETURNED) != STATUS_OK) {
            if (table == STORE_TASK)
                return false; /* in order of publishing: the rest is younger */
            continue;
        }
        if (table == STORE_TASK) {
            batch_touch_queue(shard, queue);
            queue->now.cursor[priority] = places[i].seq + 1;
        }
    }
    return count == PIECE;
}

static bool expire_queue(struct shard *shard, struct queue *queue)
{
    const struct queue_state *now = &queue->now;
    bool more = false;

    for (int priority = 0; priority < PRIORITY_COUNT; priority++) {
        if (now->fresh[priority] > 0)
            more |= expire_rows(shard, queue, STORE_TASK, priority, now->cursor[priority]);
        if (now->returned[priority] > 0)
            expire_rows(shard, queue, STORE_RETURNED, priority, 0);
    }
    return more;
}

static void sweep_ttl(struct shard *shard)
{
    bool more = false;

    if (!shard->has_ttl || shard->ttl_next_ms > shard->batch.now_ms)
        return;
    shard->has_ttl = false;
    LIST_EACH (link, &shard->queues) {
        struct queue *queue = CONTAINER_OF(link, struct queue, link);

        if (queue->now.config.task_ttl_ms == 0 || queue->now.deleting)
            continue;
        shard->has_ttl = true;
        if (shard->batch.failed == STATUS_OK && queue->now.tally.ready > 0)
            more |= expire_queue(shard, queue);
    }
    shard->ttl_next_ms = shard->batch.now_ms + (more ? 0 : TTL_EVERY_MS);
}
