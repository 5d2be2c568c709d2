/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.c -- when each lease last came nearer to its end.
 *
 * A heartbeat shows that a worker lives, not that its task moves: one that hangs keeps its lease
 * for ever. So a lease remembers when its worker last told progress, by a checkpoint or a mark in
 * a heartbeat or renew, and a queue has its leases in that order: the first is the one that is
 * stuck for the longest.
 *
 * Only memory knows. A restart begins anew, as if all had told progress then.
 */
#include "shard/state.h"

/* Times of a shard's batches never go back, so the list stays in order. */
void progress_note(struct shard *shard, struct lease *lease)
{
    struct queue *queue = shard_queue_of_number(shard, lease->place.queue);

    if (queue == NULL)
        return;
    lease->progress_ms = shard->batch.now_ms;
    list_remove(&lease->progress_link);
    list_append(&queue->progress, &lease->progress_link);
}

void progress_hear(struct shard *shard, const struct session *session,
                   const struct lease_token *token)
{
    const struct queue *queue = shard_queue_of_number(shard, token->place.queue);
    struct lease *lease = lease_find(shard, token->place);

    if (lease != NULL && lease->session == session && lease->fence == token->fence &&
        queue != NULL && (uint32_t)queue->seal == (uint32_t)token->seal)
        progress_note(shard, lease);
}

int64_t progress_ms(struct shard *shard, struct place place, const struct task *task)
{
    const struct lease *lease = task->state != TASK_LEASED ? NULL : lease_find(shard, place);

    return lease != NULL && lease->fence == task->fence ? lease->progress_ms : task->leased_ms;
}

int64_t progress_oldest_age_ms(const struct shard *shard, const struct queue *queue)
{
    const struct lease *first;

    if (list_is_empty(&queue->progress))
        return 0;
    first = CONTAINER_OF(queue->progress.next, struct lease, progress_link);
    return first->progress_ms < shard->batch.now_ms ? shard->batch.now_ms - first->progress_ms : 0;
}
