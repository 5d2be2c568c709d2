/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_store.c -- the batch's side of the store: its reads and writes, the counters that it
 * leaves behind, and what it notes for after the commit.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "shard/state.h"

void batch_touch_queue(struct shard *shard, struct queue *queue)
{
    ASSERT(shard->batch.writable);
    if (queue->dirty)
        return;
    queue->dirty = true;
    list_append(&shard->batch.dirty_queues, &queue->dirty_link);
}

void batch_touch_dataset(struct shard *shard, struct queue *queue, struct dataset *dataset)
{
    batch_touch_queue(shard, queue);
    if (list_is_empty(&dataset->dirty_link))
        list_append(&queue->dirty_datasets, &dataset->dirty_link);
}

void batch_touch_meta(struct shard *shard)
{
    shard->batch.meta_dirty = true;
}

struct effect *batch_effect(struct shard *shard, enum effect_kind kind)
{
    struct batch *batch = &shard->batch;
    struct effect *effect;

    if (batch->effect_count == batch->effect_capacity) {
        size_t capacity = batch->effect_capacity == 0 ? 256 : batch->effect_capacity * 2;
        struct effect *grown = realloc(batch->effects, capacity * sizeof *grown);

        if (grown == NULL) {
            batch_fail(shard, STATUS_UNAVAILABLE);
            return NULL;
        }
        batch->effects = grown;
        batch->effect_capacity = capacity;
    }
    effect = &batch->effects[batch->effect_count++];
    *effect = (struct effect){.kind = kind};
    return effect;
}

enum status batch_fail(struct shard *shard, enum status status)
{
    if (shard->batch.failed == STATUS_OK || status == STATUS_INTERNAL)
        shard->batch.failed = status;
    return status;
}

/* Nothing follows a refusal but store_abort (S6): then the store is not even asked. */
static bool is_over(const struct shard *shard)
{
    return shard->batch.failed != STATUS_OK;
}

static enum status checked(struct shard *shard, enum status status)
{
    return status == STATUS_OK || status == STATUS_NOT_FOUND ? status : batch_fail(shard, status);
}

enum status batch_get(struct shard *shard, enum store_table table, struct slice key,
                      struct slice *ret_value)
{
    if (is_over(shard))
        return shard->batch.failed;
    return checked(shard, store_get(shard->batch.txn, table, key, ret_value));
}

enum status batch_scan(struct shard *shard, enum store_table table, struct slice from,
                       struct slice to, struct store_row *ret_rows, size_t rows_max,
                       size_t *ret_count)
{
    *ret_count = 0;
    if (is_over(shard))
        return shard->batch.failed;
    return checked(shard,
                   store_scan(shard->batch.txn, table, from, to, ret_rows, rows_max, ret_count));
}

enum status batch_reserve(struct shard *shard, enum store_table table, struct slice key,
                          size_t size, uint8_t **ret_value)
{
    if (is_over(shard))
        return shard->batch.failed;
    return checked(shard, store_reserve(shard->batch.txn, table, key, size, ret_value));
}

enum status batch_put_mark(struct shard *shard, enum store_table table, struct slice key)
{
    if (is_over(shard))
        return shard->batch.failed;
    return checked(shard, store_put(shard->batch.txn, table, key, SLICE_EMPTY));
}

enum status batch_remove(struct shard *shard, enum store_table table, struct slice key)
{
    if (is_over(shard))
        return shard->batch.failed;
    return checked(shard, store_remove(shard->batch.txn, table, key));
}

static void write_queue(struct shard *shard, struct queue *queue)
{
    const struct queue_state *now = &queue->now;
    struct key key = key_of_queue(queue->number);
    uint8_t *value;
    struct queue_record record = {
        .config = now->config,
        .tally = now->tally,
        .created_ms = queue->created_ms,
        .paused = now->paused,
        .deleting = now->deleting,
        .next_seq = now->next_seq,
        .next_dataset = now->next_dataset,
        .name = slice_of(queue->name, queue->name_size),
    };

    memcpy(record.cursor, now->cursor, sizeof record.cursor);
    memcpy(record.fresh, now->fresh, sizeof record.fresh);
    memcpy(record.returned, now->returned, sizeof record.returned);
    if (batch_reserve(shard, STORE_QUEUE, key_slice(&key), queue_record_size(&record), &value) ==
        STATUS_OK)
        queue_record_write(&record, key_slice(&key), value);
}

static void write_dataset(struct shard *shard, uint32_t queue, struct dataset *dataset)
{
    struct key key = key_of_dataset(queue, dataset->number);
    struct dataset_record record = {
        .tally = dataset->now,
        .name = slice_of(dataset->name, dataset->name_size),
    };
    uint8_t *value;

    if (batch_reserve(shard, STORE_DATASET, key_slice(&key), dataset_record_size(&record),
                      &value) == STATUS_OK)
        dataset_record_write(&record, key_slice(&key), value);
}

static void write_meta(struct shard *shard)
{
    struct slice name = slice_of_string(META_KEY);
    struct key key = {.size = name.size};
    uint8_t *value;

    memcpy(key.data, name.data, name.size);
    if (batch_reserve(shard, STORE_META, key_slice(&key), META_RECORD_SIZE, &value) == STATUS_OK)
        meta_record_write(&shard->meta, name, value);
}

void batch_write_counters(struct shard *shard)
{
    LIST_EACH (link, &shard->batch.dirty_queues) {
        struct queue *queue = CONTAINER_OF(link, struct queue, dirty_link);

        write_queue(shard, queue);
        LIST_EACH (dataset_link, &queue->dirty_datasets)
            write_dataset(shard, queue->number,
                          CONTAINER_OF(dataset_link, struct dataset, dirty_link));
    }
    if (shard->batch.meta_dirty)
        write_meta(shard);
}
