/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.c -- removes every task that is not leased, in steps of bounded size.
 *
 * What is published while the purge runs stays: only tasks up to the sequence number of its begin
 * go. Dead letters stay too: they are deleted by `dead delete`.
 */
#include "shard/state.h"

#define PIECE 250

static enum status purge_one(struct shard *shard, struct queue *queue,
                             struct queue_purge_call *call, struct place place)
{
    struct held held;
    enum status status = held_load(shard, queue, place, &held);

    if (status != STATUS_OK)
        return status;
    if ((held.task.state != TASK_READY && held.task.state != TASK_DELAYED) ||
        !dataset_matches(queue, held.dataset, call->any_dataset, call->dataset))
        return STATUS_OK;
    status = held_erase(shard, &held);
    if (status == STATUS_OK)
        call->call.progress.count++;
    return status;
}

static enum call_result run(struct shard *shard, struct call *base)
{
    struct queue_purge_call *call = CONTAINER_OF(base, struct queue_purge_call, call);
    struct progress *progress = &base->progress;
    struct queue *queue = shard_find_queue_again(shard, call->name, base);
    struct store_row rows[PIECE];
    struct place places[PIECE];
    size_t count;
    struct key to;

    if (queue == NULL)
        return CALL_DONE;
    if (!progress->begun) {
        progress->begun = true;
        progress->from = key_of_queue(queue->number);
        progress->seq = queue->now.next_seq;
    }
    to = key_after_queue(queue->number);
    if (batch_scan(shard, STORE_TASK, key_slice(&progress->from), key_slice(&to), rows, PIECE,
                   &count) != STATUS_OK ||
        count == 0)
        return CALL_DONE;
    for (size_t i = 0; i < count; i++)
        if (!key_read_place(rows[i].key, &places[i]))
            places[i].seq = UINT64_MAX;
    progress->from = key_after(rows[count - 1].key);
    for (size_t i = 0; i < count && shard->batch.failed == STATUS_OK; i++) {
        if (places[i].seq < progress->seq)
            purge_one(shard, queue, call, places[i]);
    }
    return CALL_AGAIN;
}

const struct verb verb_queue_purge = {"queue_purge", true, false, run};
