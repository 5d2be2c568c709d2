/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held_store.c -- where a task's state shows in the store: entering and leaving the indexes, the
 * active row, the end of a task, and taking a task out altogether. The table is in held.c.
 */
#include "base/assert.h"
#include "base/log.h"
#include "shard/state.h"

/* What is gone already need not be removed: nothing is half done for an index that lacks a row. */
static enum status remove_if_there(struct shard *shard, enum store_table table,
                                   const struct key *key)
{
    enum status status = batch_remove(shard, table, key_slice(key));

    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Out of the index of the state it is in. */
enum status held_leave_state(struct shard *shard, struct held *held)
{
    struct queue_state *now = &held->queue->now;
    int priority = held->place.priority;
    struct key key;

    switch (held->task.state) {
    case TASK_READY:
        if (!held->has_active) {
            now->fresh[priority]--;
            return STATUS_OK;
        }
        now->returned[priority]--;
        key = key_of_place(held->place);
        return remove_if_there(shard, STORE_RETURNED, &key);
    case TASK_DELAYED:
        key = key_of_due(held->task.at_ms, held->place);
        return remove_if_there(shard, STORE_DUE, &key);
    case TASK_DEAD:
        key = key_of_place(held->place);
        return remove_if_there(shard, STORE_DEAD, &key);
    default:
        return STATUS_OK;
    }
}

static enum status write_dead(struct shard *shard, struct held *held)
{
    struct key key = key_of_place(held->place);
    struct dead_record record = {held->task.dead_reason, held->task.at_ms, held->dataset};
    uint8_t *value;
    enum status status =
        batch_reserve(shard, STORE_DEAD, key_slice(&key), DEAD_RECORD_SIZE, &value);

    if (status == STATUS_OK)
        dead_record_write(&record, key_slice(&key), value);
    return status;
}

/* Into the index of the state it has come to. */
enum status held_enter_state(struct shard *shard, struct held *held)
{
    struct key key;

    switch (held->task.state) {
    case TASK_READY:
        held->queue->now.returned[held->place.priority]++;
        key = key_of_place(held->place);
        return batch_put_mark(shard, STORE_RETURNED, key_slice(&key));
    case TASK_DELAYED:
        if (held->task.at_ms < shard->due_next_ms)
            shard->due_next_ms = held->task.at_ms;
        key = key_of_due(held->task.at_ms, held->place);
        return batch_put_mark(shard, STORE_DUE, key_slice(&key));
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
        .history = history_slice(&held->history),
        .error = slice_of(held->error, held->error_size),
    };
    uint8_t *value;
    enum status status =
        batch_reserve(shard, STORE_ACTIVE, key_slice(&key), active_record_size(&record), &value);

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
        return remove_if_there(shard, STORE_ID, &key);
    status = batch_reserve(shard, STORE_ID, key_slice(&key), ID_RECORD_SIZE, &value);
    if (status == STATUS_OK)
        id_record_write(&record, key_slice(&key), value);
    return status;
}

static enum status remove_row(struct shard *shard, struct held *held, uint32_t body_size,
                              bool has_checkpoint)
{
    struct key key = key_of_place(held->place);
    enum status status = STATUS_OK;

    if (!is_inline(body_size))
        status = chunks_remove(shard, held->place, CHUNK_BODY, body_size);
    if (status == STATUS_OK && has_checkpoint)
        status = checkpoint_write(shard, held, SLICE_EMPTY);
    if (status == STATUS_OK)
        status = remove_if_there(shard, STORE_TASK, &key);
    return status;
}

enum status held_read_end(struct shard *shard, struct held *held, struct held_end *ret)
{
    struct task_record record;
    enum status status;

    ret->id_size = 0;
    ret->body_size = 0;
    if (!held->has_id && !held->has_chunks)
        return STATUS_OK; /* as most tasks without an ID */
    status = held_read_row(shard, held->place, &record, NULL, false);
    if (status != STATUS_OK)
        return status;
    ret->id_size = record.id.size;
    ret->body_size = record.body_size;
    if (record.id.size > 0)
        memcpy(ret->id, record.id.data, record.id.size);
    return STATUS_OK;
}

enum status held_finish(struct shard *shard, struct held *held, const struct held_end *end,
                        bool had_checkpoint)
{
    enum status status = STATUS_OK;
    struct effect *effect;

    if (end->id_size > 0 && held->queue->now.config.dedup)
        status = remember_id(shard, held, slice_of(end->id, end->id_size));
    if (status == STATUS_OK)
        status = remove_row(shard, held, end->body_size, had_checkpoint);
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
    struct queue *queue = held->queue;
    struct dataset *dataset = dataset_of_number(queue, held->dataset);
    struct key place_key = key_of_place(held->place);
    struct key id_key;
    struct held_end end;
    enum status status = held_read_end(shard, held, &end);

    ASSERT(held->task.state != TASK_LEASED && held->task.state != TASK_DONE);
    if (status != STATUS_OK)
        return status; /* a row that can't be read stays where it is */
    batch_touch_queue(shard, queue);
    status = held_leave_state(shard, held);
    id_key = key_of_name(queue->number, slice_of(end.id, end.id_size));
    if (status == STATUS_OK && end.id_size > 0 && queue->now.config.dedup)
        status = remove_if_there(shard, STORE_ID, &id_key);
    if (status == STATUS_OK)
        status = remove_row(shard, held, end.body_size, held->task.has_checkpoint);
    if (status == STATUS_OK && held->has_active)
        status = remove_if_there(shard, STORE_ACTIVE, &place_key);
    if (status != STATUS_OK)
        return status;
    tally_move(shard, queue, held->dataset, held->task.state, TASK_NONE);
    queue->now.tally.purged++;
    if (dataset != NULL)
        dataset->now.purged++;
    return STATUS_OK;
}

/* The dataset of a task of which one row at least can be read; else UINT32_MAX. */
static uint32_t find_dataset(struct shard *shard, struct place place)
{
    struct key key = key_of_place(place);
    struct task_record row;
    struct active_record active;
    struct slice value;

    if (held_read_row(shard, place, &row, NULL, false) == STATUS_OK)
        return row.dataset;
    if (batch_get(shard, STORE_ACTIVE, key_slice(&key), &value) == STATUS_OK &&
        active_record_read(key_slice(&key), value, &active) == STATUS_OK)
        return active.dataset;
    return UINT32_MAX;
}

enum status held_quarantine(struct shard *shard, struct held *held)
{
    enum task_state from = held->task.state;
    enum status status;

    held->dataset = find_dataset(shard, held->place);
    held->history.size = 0;
    held->error_size = 0;
    held->has_id = true; /* perhaps: so its row must be read before it is removed */
    held->has_chunks = true;
    LOG_ERROR("record_corrupt", LOG_STRING("queue", held->queue->name),
              LOG_INT("priority", held->place.priority), LOG_INT("seq", (int64_t)held->place.seq));
    batch_touch_queue(shard, held->queue);
    status = held_leave_state(shard, held);
    held->task = (struct task){
        .state = TASK_DEAD, .dead_reason = DEAD_CORRUPT, .at_ms = shard->batch.now_ms};
    if (status == STATUS_OK)
        status = held_write_active(shard, held);
    if (status == STATUS_OK)
        status = write_dead(shard, held);
    tally_move(shard, held->queue, held->dataset, from, TASK_DEAD);
    held->queue->now.events.dead[DEAD_CORRUPT]++;
    return status;
}
