/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle.c -- what a lease's holder says: ack, nack, renew, checkpoint.
 *
 * Items of a batch stand alone: each gets its own status. A token names its queue and task; if the
 * queue has gone, or was made anew under the old name (the seal differs), the lease is lost. And
 * if the caller may not work for that queue, the item is refused: nobody before the shard knows
 * which queue a token is about.
 */
#include "base/assert.h"
#include "shard/state.h"

static struct queue *queue_of_token(struct shard *shard, const struct lease_token *token)
{
    struct queue *queue = shard_queue_of_number(shard, token->place.queue);

    return queue == NULL || queue->now.deleting || (uint32_t)queue->seal != (uint32_t)token->seal
               ? NULL
               : queue;
}

/* The task that the token is about. `only`: of this queue (NULL: of any that `scope` covers). */
static enum status load(struct shard *shard, const struct lease_token *token, struct queue *only,
                        const struct scope *scope, struct held *ret_held)
{
    struct queue *queue = queue_of_token(shard, token);
    enum status status;

    if (queue == NULL || (only != NULL && queue != only))
        return STATUS_LEASE_LOST;
    if (!scope_covers_queue(scope, queue))
        return STATUS_PERMISSION_DENIED;
    status = held_load(shard, queue, token->place, ret_held);
    return status == STATUS_TASK_NOT_FOUND ? STATUS_LEASE_LOST : status;
}

/* The task's ID as the broker knows it, in the arena of nobody: `ret_id` is the caller's. */
static enum status copy_id(struct shard *shard, const struct held *held,
                           char ret_id[TASK_ID_BYTES_MAX], struct slice *ret_slice)
{
    struct task_record record;
    enum status status;

    if (!held->has_id) {
        *ret_slice = slice_of(ret_id, made_id_write(held->place, held->queue->created_ms, ret_id));
        return STATUS_OK;
    }
    status = held_read_row(shard, held->place, &record, NULL, false);
    if (status != STATUS_OK)
        return status;
    memcpy(ret_id, record.id.data, record.id.size);
    *ret_slice = slice_of(ret_id, record.id.size);
    return STATUS_OK;
}

static enum status settle_ack(struct shard *shard, struct queue *only, const struct scope *scope,
                              struct ack_item *item)
{
    struct task_command command = {
        .kind = TASK_ACK,
        .fence = item->token.fence,
        .proves_completion = item->has_result || item->committed,
    };
    struct task_effects effects;
    struct held held;
    char id_bytes[TASK_ID_BYTES_MAX];
    struct slice id = SLICE_EMPTY;
    enum status status = load(shard, &item->token, only, scope, &held);

    /* The row, and with it the ID, goes with the ack. */
    if (status == STATUS_OK && item->has_result && held.task.state != TASK_DONE)
        status = copy_id(shard, &held, id_bytes, &id);
    if (status == STATUS_OK)
        status = held_step(shard, &held, &command, NULL, &effects);
    if (status != STATUS_OK)
        return status;
    item->salvaged = effects.salvaged;
    item->repeated = effects.repeated;
    if (item->has_result && !effects.repeated)
        status = result_write(shard, &held, id, item->result, item->token.fence);
    return status;
}

/* From the last to the first: a worker acks in the order of its leases, and a B-tree page gives up
 * its rows without moving the others when the last goes first. */
void settle_acks(struct shard *shard, struct queue *only, const struct scope *scope,
                 struct ack_item **items, size_t count)
{
    for (size_t i = count; i-- > 0 && shard->batch.failed == STATUS_OK;) {
        items[i]->salvaged = false;
        items[i]->repeated = false;
        items[i]->status = settle_ack(shard, only, scope, items[i]);
    }
}

static enum status save_checkpoint(struct shard *shard, struct held *held, uint32_t fence,
                                   struct slice data)
{
    struct task_command command = {
        .kind = TASK_CHECKPOINT, .fence = fence, .has_data = data.size > 0};
    struct task_effects effects;
    bool had = held->task.has_checkpoint;
    enum status status = held_step(shard, held, &command, NULL, &effects);

    if (status == STATUS_OK && (had || data.size > 0))
        status = checkpoint_write(shard, held, data);
    return status;
}

static void note_progress(struct shard *shard, const struct held *held)
{
    struct effect *effect = batch_effect(shard, EFFECT_LEASE_PROGRESS);

    if (effect == NULL)
        return;
    effect->place = held->place;
    effect->fence = held->task.fence;
}

static enum status settle_nack(struct shard *shard, struct queue *only, const struct scope *scope,
                               struct nack_item *item)
{
    struct task_command command = {
        .kind = item->kind,
        .fence = item->token.fence,
        .delay_ms = item->delay_ms,
        .unstarted = item->unstarted,
        .permanent = item->permanent,
    };
    bool has_error = item->error.size > 0 || item->kind == TASK_NACK_FAILED;
    struct task_effects effects;
    struct held held;
    enum status status = load(shard, &item->token, only, scope, &held);

    if (status == STATUS_OK && item->has_checkpoint)
        status = save_checkpoint(shard, &held, item->token.fence, item->checkpoint);
    if (status == STATUS_OK)
        status = held_step(shard, &held, &command, has_error ? &item->error : NULL, &effects);
    return status;
}

void settle_nacks(struct shard *shard, struct queue *only, const struct scope *scope,
                  struct nack_item **items, size_t count)
{
    for (size_t i = 0; i < count && shard->batch.failed == STATUS_OK; i++)
        items[i]->status = settle_nack(shard, only, scope, items[i]);
}

static enum status settle_renew(struct shard *shard, const struct scope *scope,
                                struct renew_item *item)
{
    struct task_command command = {
        .kind = TASK_RENEW, .fence = item->token.fence, .lease_ms = item->lease_ms};
    struct task_effects effects;
    struct held held;
    enum status status = load(shard, &item->token, NULL, scope, &held);

    if (status != STATUS_OK)
        return status;
    if (command.lease_ms == 0)
        command.lease_ms = held.queue->now.config.lease_ms;
    status = held_step(shard, &held, &command, NULL, &effects);
    item->deadline_ms = held.task.at_ms;
    if (status == STATUS_OK && item->progress)
        note_progress(shard, &held);
    return status;
}

static enum call_result run_ack(struct shard *shard, struct call *base)
{
    struct ack_call *call = CONTAINER_OF(base, struct ack_call, call);

    settle_acks(shard, NULL, base->scope, call->items, call->item_count);
    return CALL_DONE;
}

static enum call_result run_nack(struct shard *shard, struct call *base)
{
    struct nack_call *call = CONTAINER_OF(base, struct nack_call, call);

    settle_nacks(shard, NULL, base->scope, call->items, call->item_count);
    return CALL_DONE;
}

static enum call_result run_renew(struct shard *shard, struct call *base)
{
    struct renew_call *call = CONTAINER_OF(base, struct renew_call, call);

    for (size_t i = 0; i < call->item_count && shard->batch.failed == STATUS_OK; i++)
        call->items[i]->status = settle_renew(shard, base->scope, call->items[i]);
    return CALL_DONE;
}

static enum call_result run_checkpoint(struct shard *shard, struct call *base)
{
    struct checkpoint_call *call = CONTAINER_OF(base, struct checkpoint_call, call);
    struct held held;
    enum status status = load(shard, &call->token, NULL, base->scope, &held);

    if (status == STATUS_OK)
        status = save_checkpoint(shard, &held, call->token.fence, call->data);
    if (status != STATUS_OK)
        error_set(&base->error, status, NULL);
    else
        note_progress(shard, &held);
    return CALL_DONE;
}

const struct verb verb_ack = {"ack", true, false, run_ack};
const struct verb verb_nack = {"nack", true, false, run_nack};
const struct verb verb_renew = {"renew", true, false, run_renew};
const struct verb verb_checkpoint = {"checkpoint", true, true, run_checkpoint};
