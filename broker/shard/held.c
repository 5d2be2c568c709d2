/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held.c -- one task in hand: load it, take it through the rules, and keep the books.
 *
 * Every change of a task's state goes through held_step, which asks core what the command makes
 * of the task, and then keeps store, counts and indexes in agreement (M2, M3):
 *
 *   state     task row   active row   besides
 *   READY     yes        none         fresh: seq >= cursor of its priority
 *   READY     yes        yes          an entry in `returned`
 *   DELAYED   yes        yes          an entry in `due`
 *   LEASED    yes        yes          a lease in memory
 *   DEAD      yes        yes          an entry in `dead`
 *   DONE      no         for a while  the ID remembers (dedup), so that an ack may be repeated
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "shard/state.h"

static enum status load_fresh(struct shard *shard, struct held *held);
static enum status leave_state(struct shard *shard, struct held *held);
static enum status enter_state(struct shard *shard, struct held *held);
static enum status write_active(struct shard *shard, struct held *held);
static enum status finish_task(struct shard *shard, struct held *held, bool had_checkpoint);
static void count_step(struct shard *shard, struct held *held, const struct task *before,
                       const struct task_effects *effects);
static enum status note_effects(struct shard *shard, struct held *held, const struct task *before,
                                const struct task_effects *effects);

enum status held_load(struct shard *shard, struct queue *queue, struct place place,
                      struct held *ret_held)
{
    struct key key = key_of_place(place);
    struct active_record record;
    struct slice value;
    enum status status;

    ret_held->queue = queue;
    ret_held->place = place;
    ret_held->error_size = 0;
    status = batch_get(shard, STORE_ACTIVE, key, &value);
    if (status == STATUS_NOT_FOUND)
        return load_fresh(shard, ret_held);
    if (status != STATUS_OK)
        return status;

    status = active_record_read(key_slice(&key), value, &record);
    if (status != STATUS_OK)
        return status;
    ret_held->task = record.task;
    if (record.task.state == TASK_LEASED && record.task.session == 0)
        ret_held->task.at_ms = index_deadline_ms(shard, place, record.task.at_ms);
    ret_held->dataset = record.dataset;
    ret_held->has_active = true;
    ret_held->has_id = record.has_id;
    ret_held->has_chunks = record.has_chunks;
    ret_held->error_size = record.error.size;
    if (record.error.size > sizeof ret_held->error)
        return STATUS_CORRUPT;
    if (record.error.size > 0)
        memcpy(ret_held->error, record.error.data, record.error.size);
    return STATUS_OK;
}

/* A fresh task: what its row says is all there is. */
void held_set_row(struct held *held, const struct task_record *record)
{
    held->task = (struct task){.state = TASK_READY, .published_ms = record->published_ms};
    held->dataset = record->dataset;
    held->has_active = false;
    held->has_id = record->id.size > 0;
    held->has_chunks = !is_inline(record->body_size);
    held->error_size = 0;
}

static enum status load_fresh(struct shard *shard, struct held *held)
{
    struct task_record record;
    enum status status = held_read_row(shard, held->place, &record, NULL, false);

    if (status != STATUS_OK)
        return status;
    held_set_row(held, &record);
    return STATUS_OK;
}

enum status held_step(struct shard *shard, struct held *held, const struct task_command *command,
                      const struct slice *error, struct task_effects *ret_effects)
{
    struct task before = held->task;
    struct task after = held->task;
    enum status status = task_step(&after, command, &held->queue->now.config, shard->batch.now_ms,
                                   shard_random(shard), ret_effects);

    if (status != STATUS_OK)
        return status;
    if (ret_effects->repeated)
        return STATUS_OK;
    batch_touch_queue(shard, held->queue);
    if (error != NULL) {
        ASSERT(error->size <= sizeof held->error);
        held->error_size = error->size;
        if (error->size > 0)
            memcpy(held->error, error->data, error->size);
    }

    if (before.state != after.state)
        status = leave_state(shard, held);
    held->task = after;
    if (status == STATUS_OK && before.state != after.state)
        status = enter_state(shard, held);
    if (status == STATUS_OK)
        status = after.state == TASK_DONE ? finish_task(shard, held, before.has_checkpoint)
                                          : write_active(shard, held);
    if (status != STATUS_OK)
        return status;
    held->has_active = true;
    count_step(shard, held, &before, ret_effects);
    return note_effects(shard, held, &before, ret_effects);
}

/* Out of the index of the state it is in. */
static enum status leave_state(struct shard *shard, struct held *held)
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
static enum status enter_state(struct shard *shard, struct held *held)
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

static enum status write_active(struct shard *shard, struct held *held)
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
static enum status finish_task(struct shard *shard, struct held *held, bool had_checkpoint)
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
        status = write_active(shard, held);
    effect = batch_effect(shard, EFFECT_TOMBSTONE);
    if (effect == NULL)
        return STATUS_UNAVAILABLE;
    effect->place = held->place;
    effect->at_ms = shard->batch.now_ms + TOMBSTONE_MS;
    return status;
}

int64_t *tally_of(struct tally *tally, enum task_state state)
{
    switch (state) {
    case TASK_READY:
        return &tally->ready;
    case TASK_DELAYED:
        return &tally->delayed;
    case TASK_LEASED:
        return &tally->leased;
    case TASK_DONE:
        return &tally->done;
    case TASK_DEAD:
        return &tally->dead;
    case TASK_NONE:
        break;
    }
    return NULL;
}

static void move_one(struct tally *tally, enum task_state from, enum task_state to)
{
    int64_t *count = tally_of(tally, from);

    if (count != NULL)
        --*count;
    count = tally_of(tally, to);
    if (count != NULL)
        ++*count;
}

void tally_move(struct shard *shard, struct queue *queue, uint32_t number, enum task_state from,
                enum task_state to)
{
    struct dataset *dataset = dataset_of_number(queue, number);

    batch_touch_queue(shard, queue);
    move_one(&queue->now.tally, from, to);
    if (dataset != NULL) {
        batch_touch_dataset(shard, queue, dataset);
        move_one(&dataset->now, from, to);
    }
}

static void count_events(struct tally *tally, const struct task *before, const struct task *after,
                         const struct task_effects *effects, int64_t now_ms)
{
    tally->deliveries += after->deliveries - before->deliveries;
    if (after->failures > before->failures)
        tally->failures++;
    tally->preemptions += after->preemptions - before->preemptions;
    if (after->losses > before->losses)
        tally->losses++;
    tally->salvaged += effects->salvaged;
    tally->useful_ms += effects->useful_ms;
    tally->wasted_ms += effects->wasted_ms;
    if (after->state == TASK_DONE) {
        if (tally->first_done_ms == 0)
            tally->first_done_ms = now_ms;
        tally->last_done_ms = now_ms;
    }
}

static void count_step(struct shard *shard, struct held *held, const struct task *before,
                       const struct task_effects *effects)
{
    struct dataset *dataset = dataset_of_number(held->queue, held->dataset);

    if (before->state != held->task.state)
        tally_move(shard, held->queue, held->dataset, before->state, held->task.state);
    count_events(&held->queue->now.tally, before, &held->task, effects, shard->batch.now_ms);
    if (dataset != NULL) {
        batch_touch_dataset(shard, held->queue, dataset);
        count_events(&dataset->now, before, &held->task, effects, shard->batch.now_ms);
    }
}

static enum status note_begin(struct shard *shard, struct held *held)
{
    struct effect *effect = batch_effect(shard, EFFECT_LEASE_BEGIN);

    if (effect == NULL)
        return STATUS_UNAVAILABLE;
    effect->session_id = held->task.session;
    effect->at_ms = held->task.at_ms;
    effect->lease = lease_new(held->place, held->task.fence);
    return effect->lease == NULL ? batch_fail(shard, STATUS_UNAVAILABLE) : STATUS_OK;
}

static enum status note_end(struct shard *shard, struct held *held,
                            const struct task_effects *effects)
{
    struct effect *effect = batch_effect(shard, EFFECT_LEASE_END);

    if (effect == NULL)
        return STATUS_UNAVAILABLE;
    effect->place = held->place;
    effect->acked = held->task.state == TASK_DONE && effects->holder_stops == STOP_NOT;
    if (effects->holder_stops == STOP_NOT || effects->ended_session == 0)
        return STATUS_OK;
    effect = batch_effect(shard, EFFECT_STOP);
    if (effect == NULL)
        return STATUS_UNAVAILABLE;
    effect->place = held->place;
    effect->session_id = effects->ended_session;
    effect->fence = effects->ended_fence;
    effect->reason = effects->holder_stops;
    return STATUS_OK;
}

static enum status note_effects(struct shard *shard, struct held *held, const struct task *before,
                                const struct task_effects *effects)
{
    struct effect *effect;

    if (before->state != TASK_LEASED && held->task.state == TASK_LEASED)
        return note_begin(shard, held);
    if (before->state == TASK_LEASED && held->task.state != TASK_LEASED)
        return note_end(shard, held, effects);
    if (before->state == TASK_LEASED && before->at_ms != held->task.at_ms) {
        effect = batch_effect(shard, EFFECT_LEASE_MOVE);
        if (effect == NULL)
            return STATUS_UNAVAILABLE;
        effect->place = held->place;
        effect->at_ms = held->task.at_ms;
    }
    return STATUS_OK;
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
    status = leave_state(shard, held);
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
    status = leave_state(shard, &held);
    held.task = (struct task){
        .state = TASK_DEAD, .dead_reason = DEAD_CORRUPT, .at_ms = shard->batch.now_ms};
    if (status == STATUS_OK)
        status = write_active(shard, &held);
    if (status == STATUS_OK)
        status = write_dead(shard, &held);
    tally_move(shard, queue, held.dataset, TASK_READY, TASK_DEAD);
    return status;
}

enum status held_find(struct shard *shard, struct queue *queue, struct slice id,
                      struct place *ret_place, int64_t *ret_done_ms)
{
    struct key key = key_of_name(queue->number, id);
    struct id_record record;
    struct slice value;
    enum status status;

    *ret_done_ms = 0;
    if (made_id_is(id))
        return made_id_read(id, queue->number, queue->created_ms, ret_place)
                   ? STATUS_OK
                   : STATUS_TASK_NOT_FOUND;
    status = batch_get(shard, STORE_ID, key, &value);
    if (status == STATUS_NOT_FOUND)
        return STATUS_TASK_NOT_FOUND;
    if (status == STATUS_OK)
        status = id_record_read(key_slice(&key), value, &record);
    if (status != STATUS_OK)
        return status;
    *ret_place = (struct place){queue->number, record.priority, record.seq};
    if (!record.done)
        return STATUS_OK;
    if (record.done_ms + queue->now.config.dedup_retention_ms <= shard->batch.now_ms)
        return STATUS_TASK_NOT_FOUND; /* forgotten, though not yet swept */
    *ret_done_ms = record.done_ms;
    return STATUS_OK;
}

enum status held_read_row(struct shard *shard, struct place place, struct task_record *ret,
                          struct arena *arena, bool with_body)
{
    struct key key = key_of_place(place);
    struct slice value;
    enum status status = batch_get(shard, STORE_TASK, key, &value);

    if (status == STATUS_NOT_FOUND)
        return STATUS_TASK_NOT_FOUND;
    if (status == STATUS_OK)
        status = task_record_read(key_slice(&key), value, ret);
    if (status != STATUS_OK || arena == NULL)
        return status;
    ret->id = arena_copy(arena, ret->id);
    return with_body ? body_copy(shard, place, ret, arena, &ret->body) : STATUS_OK;
}
