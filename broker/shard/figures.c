/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures.c -- what monitoring wants to know of a shard, in one reading.
 *
 * The oldest queues are shown by themselves, all others as one: which queues have series of their
 * own changes only when one of them is deleted. Of datasets the last ones are shown, since they are
 * those that are at work; what is left of the queues' counts when theirs are taken away is that of
 * all other tasks, and is not counted here.
 *
 * The oldest ready task of a priority is the first of those returned or the first at the cursor,
 * as lease.c would give them out: a few reads a queue, FRESH_TRIES a priority at most. The oldest
 * lease is the first of a list.
 */
#include "shard/state.h"

#define FRESH_TRIES 64 /* rows at the cursor that may be delayed or dead */

static int64_t published_ms(struct shard *shard, struct queue *queue, struct slice key)
{
    struct place place;
    struct held held;

    if (!key_read_place(key, &place) || held_load(shard, queue, place, &held) != STATUS_OK ||
        held.task.state != TASK_READY)
        return INT64_MAX;
    return held.task.published_ms;
}

/* When the first READY task from `from` on was published; INT64_MAX: none was found. */
static int64_t first_published_ms(struct shard *shard, struct queue *queue, enum store_table table,
                                  int priority, uint64_t from_seq)
{
    struct key from = key_of_seq(queue->number, priority, from_seq);
    struct key to = key_of_seq(queue->number, priority, UINT64_MAX);
    int64_t found_ms = INT64_MAX;

    for (int tries = 0; tries < FRESH_TRIES && found_ms == INT64_MAX; tries++) {
        struct store_row row;
        size_t count;

        if (batch_scan(shard, table, key_slice(&from), key_slice(&to), &row, 1, &count) !=
                STATUS_OK ||
            count == 0)
            break;
        found_ms = published_ms(shard, queue, row.key);
        from = key_after(row.key);
    }
    return found_ms;
}

int64_t figures_oldest_ready_age_ms(struct shard *shard, struct queue *queue)
{
    const struct queue_state *now = &queue->now;
    int64_t oldest_ms = INT64_MAX;

    for (int priority = 0; priority < PRIORITY_COUNT; priority++) {
        int64_t at_ms = INT64_MAX;

        if (now->returned[priority] > 0)
            at_ms = first_published_ms(shard, queue, STORE_RETURNED, priority, 0);
        if (at_ms < oldest_ms)
            oldest_ms = at_ms;
        if (now->fresh[priority] > 0)
            at_ms = first_published_ms(shard, queue, STORE_TASK, priority, now->cursor[priority]);
        if (at_ms < oldest_ms)
            oldest_ms = at_ms;
    }
    if (oldest_ms == INT64_MAX)
        return now->tally.ready > 0 ? -1 : 0; /* behind too many that are delayed or dead */
    return oldest_ms < shard->batch.now_ms ? shard->batch.now_ms - oldest_ms : 0;
}

int64_t figures_oldest_lease_age_ms(const struct shard *shard, const struct queue *queue)
{
    const struct lease *first;

    if (list_is_empty(&queue->leases))
        return 0;
    first = CONTAINER_OF(queue->leases.next, struct lease, age_link);
    return first->leased_ms < shard->batch.now_ms ? shard->batch.now_ms - first->leased_ms : 0;
}

static struct queue_figures figures_of(const struct shard *shard, const struct queue *queue)
{
    return (struct queue_figures){
        .name = slice_of(queue->name, queue->name_size),
        .created_ms = queue->created_ms,
        .tally = queue->now.tally,
        .events = queue->now.events,
        .paused = queue->now.paused,
        .waiters = queue->waiter_count,
        .sessions = queue->session_count,
        .oldest_ready_age_ms = -1,
        .oldest_lease_age_ms = figures_oldest_lease_age_ms(shard, queue),
        .oldest_progress_age_ms = progress_oldest_age_ms(shard, queue),
    };
}

void queue_figures_add(struct queue_figures *self, const struct queue_figures *other)
{
    tally_add(&self->tally, &other->tally, 1);
    for (int i = 0; i < RETURN_CAUSE_COUNT; i++)
        self->events.returned[i] += other->events.returned[i];
    for (int i = 0; i < DEAD_REASON_COUNT; i++)
        self->events.dead[i] += other->events.dead[i];
    self->paused += other->paused;
    self->waiters += other->waiters;
    self->sessions += other->sessions;
    self->oldest_ready_age_ms = -1;
    if (other->oldest_lease_age_ms > self->oldest_lease_age_ms)
        self->oldest_lease_age_ms = other->oldest_lease_age_ms;
    if (other->oldest_progress_age_ms > self->oldest_progress_age_ms)
        self->oldest_progress_age_ms = other->oldest_progress_age_ms;
}

static enum status add_queue(struct shard *shard, struct queue *queue, struct figures_call *call)
{
    struct queue_figures figures = figures_of(shard, queue);

    call->dataset_total += (int64_t)queue->datasets.count;
    if (call->queue_count == call->max) {
        queue_figures_add(&call->others, &figures);
        call->other_count++;
        return STATUS_OK;
    }
    figures.oldest_ready_age_ms = figures_oldest_ready_age_ms(shard, queue);
    call->queues[call->queue_count++] = figures;
    return copy_slice(call->call.arena, figures.name, &call->queues[call->queue_count - 1].name)
               ? STATUS_OK
               : STATUS_TOO_LARGE;
}

/* A dataset on its way into the reply. */
struct pick {
    const struct queue *queue;
    const struct dataset *dataset;
};

/* Into the list of the last ones, latest first; false if it is older than all and that is full. */
static bool offer_dataset(struct figures_call *call, struct pick *picks, struct pick pick)
{
    int64_t first_ms = pick.dataset->now.first_published_ms;
    size_t at = call->dataset_count;

    while (at > 0 && picks[at - 1].dataset->now.first_published_ms < first_ms)
        at--;
    if (at == call->max)
        return false;
    if (call->dataset_count < call->max)
        call->dataset_count++;
    memmove(&picks[at + 1], &picks[at], (call->dataset_count - 1 - at) * sizeof *picks);
    picks[at] = pick;
    return true;
}

/* A queue's datasets, the last first, as long as they are among the last of all. */
static void offer_datasets(struct figures_call *call, const struct queue *queue, struct pick *picks)
{
    const struct list *end = &queue->dataset_list;

    for (struct list *link = end->prev; link != end; link = link->prev) {
        struct pick pick = {queue, CONTAINER_OF(link, struct dataset, link)};

        if (!offer_dataset(call, picks, pick))
            break;
    }
}

static enum status add_dataset(struct shard *shard, struct figures_call *call, size_t at,
                               const struct pick *pick)
{
    struct dataset_figures *figures = &call->datasets[at];
    struct slice queue = slice_of(pick->queue->name, pick->queue->name_size);
    struct slice name = slice_of(pick->dataset->name, pick->dataset->name_size);

    figures->tally = pick->dataset->now;
    figures->rate = dataset_rate(pick->dataset, shard->batch.now_ms);
    return copy_slice(call->call.arena, queue, &figures->queue) &&
                   copy_slice(call->call.arena, name, &figures->name)
               ? STATUS_OK
               : STATUS_TOO_LARGE;
}

static enum status fill(struct shard *shard, struct figures_call *call)
{
    struct pick *picks = ARENA_ARRAY(call->call.arena, call->max, struct pick);
    enum status status = shard_read_stats(shard, &call->stats);

    call->queues = ARENA_ARRAY(call->call.arena, call->max, struct queue_figures);
    call->datasets = ARENA_ARRAY(call->call.arena, call->max, struct dataset_figures);
    if (picks == NULL || call->queues == NULL || call->datasets == NULL)
        return STATUS_TOO_LARGE;
    LIST_EACH (link, &shard->queues) {
        struct queue *queue = CONTAINER_OF(link, struct queue, link);

        if (queue->now.deleting || status != STATUS_OK)
            continue;
        status = add_queue(shard, queue, call);
        offer_datasets(call, queue, picks);
    }
    for (size_t i = 0; i < call->dataset_count && status == STATUS_OK; i++)
        status = add_dataset(shard, call, i, &picks[i]);
    return status;
}

static enum call_result run(struct shard *shard, struct call *base)
{
    struct figures_call *call = CONTAINER_OF(base, struct figures_call, call);
    enum status status;

    call->queue_count = 0;
    call->other_count = 0;
    call->dataset_count = 0;
    call->dataset_total = 0;
    call->others = (struct queue_figures){.oldest_ready_age_ms = -1};
    status = fill(shard, call);
    if (status != STATUS_OK)
        error_set(&base->error, status, "the shard's figures can't be read");
    return CALL_DONE;
}

const struct verb verb_figures = {"figures", false, false, run};
