/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held_store.c -- where a task's state shows in the store: entering and leaving the indexes, the
 * active row, the end of a task, and taking a task out altogether. The table is in held.c.
 */
#include "base/assert.h"
#include "base/log.h"
#include "shard/state.h"

/* Out of the index of the state it is in. */
enum status held_leave_state(struct shard *shard, struct held *held)
{
    struct queue_state *now = &held->queue->now;
    int priority = held->place.priority;

    switch (held->task.state) {
    case TASK_READY:
        if (!held->has_active) {
            now->fresh[priority]--;
            return STATUS_OK;
        }
        now->returned[priority]--;
        return batch_remove(shard, STORE_RETURNED, key_of_place(held->place));
    case TASK_DELAYED:
        return batch_remove(shard, STORE_DUE, key_of_due(held->task.at_ms, held->place));
    case TASK_DEAD:
        return batch_remove(shard, STORE_DEAD, key_of_place(held->place));
    default:
        return STATUS_OK;
    }
}

static enum status write_dead(struct shard *shard, struct held *held)
{
    struct key key = key_of_place(held->place);
    struct dead_record record = {held->task.dead_reason, held->task.at_ms, held->dataset};
    uint8_t *value;
    enum status status = batch_reserve(shard, STORE_DEAD, key, DEAD_RECORD_SIZE, &value);

    if (status == STATUS_OK)
        dead_record_write(&record, key_slice(&key), value);
    return status;
}

/* Into the index of the state it has come to. */
enum status held_enter_state(struct shard *shard, struct held *held)
{
    switch (held->task.state) {
    case TASK_READY:
        held->queue->now.returned[held->place.priority]++;
        return batch_put_mark(shard, STORE_RETURNED, key_of_place(held->place));
    case TASK_DELAYED:
        if (held->task.at_ms < shard->due_next_ms)
            shard->due_next_ms = held->task.at_ms;
        return batch_put_mark(shard, STORE_DUE, key_of_due(held->task.at_ms, held->place));
    case TASK_DEAD:
        return write_dead(shard, held);
    default:
        return STATUS_OK;
    }
}

enum status held_write_active(struct shard *shard, struct held *held)
{
    struct key key = key_of_place(held->place);
    struct active_record record = {
        .task = held->task,
        .dataset = held->dataset,
        .has_id = held->has_id,
        .has_chunks = held->has_chunks,
        .error = slice_of(held->error, held->error_size),
    };
    uint8_t *value;
    enum status status =
        batch_reserve(shard, STORE_ACTIVE, key, active_record_size(&record), &value);

    if (status == STATUS_OK)
        active_record_write(&record, key_slice(&key), value);
    return status;
}

static enum status remember_id(struct shard *shard, struct held *held, struct slice id)
{
    struct key key = key_of_name(held->queue->number, id);
    struct id_record record = {
        .done = true,
        .priority = held->place.priority,
        .seq = held->place.seq,
        .done_ms = shard->batch.now_ms,
        .fence = held->task.done_fence,
    };
    uint8_t *value;
    enum status status;

    if (held->queue->now.config.dedup_retention_ms == 0)
        return batch_remove(shard, STORE_ID, key);
    status = batch_reserve(shard, STORE_ID, key, ID_RECORD_SIZE, &value);
    if (status == STATUS_OK)
        id_record_write(&record, key_slice(&key), value);
    return status;
}

static enum status remove_row(struct shard *shard, struct held *held,
                              const struct task_record *record, bool has_checkpoint)
{
    enum status status = STATUS_OK;

    if (!is_inline(record->body_size))
        status = chunks_remove(shard, held->place, CHUNK_BODY, record->body_size);
    if (status == STATUS_OK && has_checkpoint)
        status = checkpoint_write(shard, held, SLICE_EMPTY);
    if (status == STATUS_OK)
        status = batch_remove(shard, STORE_TASK, key_of_place(held->place));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* What removing the row needs to know of it: nothing, for most tasks without an ID. */
static enum status read_row_to_remove(struct shard *shard, struct held *held,
                                      struct task_record *ret)
{
    *ret = (struct task_record){0};
    if (!held->has_id && !held->has_chunks)
        return STATUS_OK;
    return held_read_row(shard, held->place, ret, NULL, false);
}

/* DONE: the row goes, the ID stays, and the active row says for a while by which lease. */
enum status held_finish(struct shard *shard, struct held *held, bool had_checkpoint)
{
    struct task_record record;
    enum status status = read_row_to_remove(shard, held, &record);
    struct effect *effect;

    if (status != STATUS_OK)
        return batch_fail(shard, status);
    if (record.id.size > 0 && held->queue->now.config.dedup) {
        uint8_t id[TASK_ID_BYTES_MAX]; /* the row's slice ends with the next write */

        memcpy(id, record.id.data, record.id.size);
        status = remember_id(shard, held, slice_of(id, record.id.size));
    }
    if (status == STATUS_OK)
        status = remove_row(shard, held, &record, had_checkpoint);
    held->error_size = 0;
    if (status == STATUS_OK)
        status = held_write_active(shard, held);
    effect = batch_effect(shard, EFFECT_TOMBSTONE);
    if (effect == NULL)
        return STATUS_UNAVAILABLE;
    effect->place = held->place;
    effect->at_ms = shard->batch.now_ms + TOMBSTONE_MS;
    return status;
}

enum status held_erase(struct shard *shard, struct held *held)
{
    struct task_record record;
    uint8_t id[TASK_ID_BYTES_MAX];
    enum status status = held_read_row(shard, held->place, &record, NULL, false);

    ASSERT(held->task.state != TASK_LEASED && held->task.state != TASK_DONE);
    if (status != STATUS_OK)
        return status;
    batch_touch_queue(shard, held->queue);
    memcpy(id, record.id.data != NULL ? record.id.data : id, record.id.size);
    status = held_leave_state(shard, held);
    if (status == STATUS_OK && record.id.size > 0 && held->queue->now.config.dedup)
        status = batch_remove(shard, STORE_ID,
                              key_of_name(held->queue->number, slice_of(id, record.id.size)));
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = remove_row(shard, held, &record, held->task.has_checkpoint);
    if (status == STATUS_OK && held->has_active)
        status = batch_remove(shard, STORE_ACTIVE, key_of_place(held->place));
    if (status != STATUS_OK)
        return batch_fail(shard, status);
    tally_move(shard, held->queue, held->dataset, held->task.state, TASK_NONE);
    held->queue->now.tally.purged++;
    if (dataset_of_number(held->queue, held->dataset) != NULL)
        dataset_of_number(held->queue, held->dataset)->now.purged++;
    return STATUS_OK;
}

/* The row stays as it is; an active row that says DEAD keeps everyone away from it. Its dataset
 * can't be known, so only the queue's counts move. */
enum status held_quarantine(struct shard *shard, struct queue *queue, struct place place,
                            bool returned)
{
    struct held held = {
        .queue = queue,
        .place = place,
        .task = {.state = TASK_READY},
        .dataset = UINT32_MAX,
        .has_active = returned,
    };
    enum status status;

    LOG_ERROR("record_corrupt", LOG_STRING("queue", queue->name),
              LOG_INT("priority", place.priority), LOG_INT("seq", place.seq));
    batch_touch_queue(shard, queue);
    status = held_leave_state(shard, &held);
    held.task = (struct task){
        .state = TASK_DEAD, .dead_reason = DEAD_CORRUPT, .at_ms = shard->batch.now_ms};
    if (status == STATUS_OK)
        status = held_write_active(shard, &held);
    if (status == STATUS_OK)
        status = write_dead(shard, &held);
    tally_move(shard, queue, held.dataset, TASK_READY, TASK_DEAD);
    return status;
}
