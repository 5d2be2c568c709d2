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
#include "base/assert.h"
#include "shard/state.h"

static enum status load_fresh(struct shard *shard, struct held *held);
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
    ret_held->history.size = 0;
    ret_held->error_size = 0;
    status = batch_get(shard, STORE_ACTIVE, key_slice(&key), &value);
    if (status == STATUS_NOT_FOUND)
        return load_fresh(shard, ret_held);
    if (status != STATUS_OK)
        return status;

    status = active_record_read(key_slice(&key), value, &record);
    if (status != STATUS_OK)
        return status;
    ret_held->task = record.task;
    if (record.task.state == TASK_LEASED && record.task.session == 0)
        ret_held->task.at_ms = index_deadline_ms(shard, place, &record.task);
    ret_held->dataset = record.dataset;
    ret_held->has_active = true;
    ret_held->has_id = record.has_id;
    ret_held->has_chunks = record.has_chunks;
    ret_held->error_size = record.error.size;
    if (record.error.size > sizeof ret_held->error)
        return STATUS_CORRUPT;
    if (record.error.size > 0)
        memcpy(ret_held->error, record.error.data, record.error.size);
    ret_held->history.size = record.history.size;
    if (record.history.size > 0)
        memcpy(ret_held->history.bytes, record.history.data, record.history.size);
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
    held->history.size = 0;
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
    struct held_end end;
    enum status status = task_step(&after, command, &held->queue->now.config, shard->batch.now_ms,
                                   shard_random(shard), ret_effects);

    if (status != STATUS_OK)
        return status;
    if (ret_effects->repeated)
        return STATUS_OK;
    if (after.state == TASK_DONE) {
        status = held_read_end(shard, held, &end);
        if (status != STATUS_OK)
            return status;
    }
    batch_touch_queue(shard, held->queue);
    if (error != NULL) {
        ASSERT(error->size <= sizeof held->error);
        held->error_size = error->size;
        if (error->size > 0)
            memcpy(held->error, error->data, error->size);
    }
    /* One that is done at its first delivery has no history, and gets none. */
    if (after.state != TASK_LEASED && (after.state != TASK_DONE || held->history.size > 0))
        attempt_note(shard, held, &before, &after, command, error);

    if (before.state != after.state)
        status = held_leave_state(shard, held);
    held->task = after;
    if (status == STATUS_OK && before.state != after.state)
        status = held_enter_state(shard, held);
    if (status == STATUS_OK)
        status = after.state == TASK_DONE ? held_finish(shard, held, &end, before.has_checkpoint)
                                          : held_write_active(shard, held);
    if (status != STATUS_OK)
        return status;
    held->has_active = true;
    tally_count_step(shard, held, &before, ret_effects);
    return note_effects(shard, held, &before, ret_effects);
}

static enum status note_begin(struct shard *shard, struct held *held)
{
    struct effect *effect = batch_effect(shard, EFFECT_LEASE_BEGIN);

    if (effect == NULL)
        return STATUS_UNAVAILABLE;
    effect->session_id = held->task.session;
    effect->at_ms = held->task.at_ms;
    effect->queue = held->queue;
    effect->lease = lease_new(shard, held->place, &held->task);
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
    status = batch_get(shard, STORE_ID, key_slice(&key), &value);
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
    enum status status = batch_get(shard, STORE_TASK, key_slice(&key), &value);

    if (status == STATUS_NOT_FOUND)
        return STATUS_TASK_NOT_FOUND;
    if (status == STATUS_OK)
        status = task_record_read(key_slice(&key), value, ret);
    if (status != STATUS_OK || arena == NULL)
        return status;
    if (!copy_slice(arena, ret->id, &ret->id))
        return STATUS_TOO_LARGE;
    return with_body ? body_copy(shard, place, ret, arena, &ret->body) : STATUS_OK;
}
