/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally.c -- the counters of queues and datasets, which must equal a scan at every commit.
 */
#include "shard/state.h"

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

static enum return_cause return_cause(const struct task *before, const struct task *after)
{
    if (after->failures > before->failures)
        return RETURN_FAILED;
    if (after->preemptions > before->preemptions)
        return RETURN_PREEMPTED;
    return after->losses > before->losses ? RETURN_LOST : RETURN_RELEASED;
}

/* A task that is neither with a worker nor done: what brought it there. */
static void count_turn(struct queue_events *events, const struct task *before,
                       const struct task *after)
{
    if (after->state == TASK_DEAD)
        events->dead[after->dead_reason]++;
    else if (before->state == TASK_DEAD)
        events->returned[RETURN_REDRIVEN]++;
    else if (before->state == TASK_LEASED)
        events->returned[return_cause(before, after)]++;
}

void tally_count_step(struct shard *shard, struct held *held, const struct task *before,
                      const struct task_effects *effects)
{
    struct dataset *dataset = dataset_of_number(held->queue, held->dataset);

    if (before->state != held->task.state)
        tally_move(shard, held->queue, held->dataset, before->state, held->task.state);
    if (held->task.state != TASK_LEASED && held->task.state != TASK_DONE)
        count_turn(&held->queue->now.events, before, &held->task);
    count_events(&held->queue->now.tally, before, &held->task, effects, shard->batch.now_ms);
    if (dataset != NULL) {
        batch_touch_dataset(shard, held->queue, dataset);
        count_events(&dataset->now, before, &held->task, effects, shard->batch.now_ms);
    }
}
