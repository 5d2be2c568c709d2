/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cancel.c -- moves tasks to the dead letters because somebody says so.
 */
#include "shard/state.h"

static enum status cancel_one(struct shard *shard, struct queue *queue, struct slice id)
{
    struct task_command command = {.kind = TASK_CANCEL};
    struct task_effects effects;
    struct place place;
    struct held held;
    int64_t done_ms;
    enum status status = held_find(shard, queue, id, &place, &done_ms);

    if (status == STATUS_OK && done_ms != 0)
        return STATUS_WRONG_STATE;
    if (status == STATUS_OK)
        status = held_load(shard, queue, place, &held);
    if (status == STATUS_OK)
        status = held_step(shard, &held, &command, NULL, &effects);
    return status;
}

static enum call_result run(struct shard *shard, struct call *base)
{
    struct task_cancel_call *call = CONTAINER_OF(base, struct task_cancel_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);

    for (size_t i = 0; queue != NULL && i < call->id_count && shard->batch.failed == STATUS_OK; i++)
        call->statuses[i] = cancel_one(shard, queue, call->ids[i]);
    return CALL_DONE;
}

const struct verb verb_task_cancel = {"task_cancel", true, false, run};
