/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c -- shows tasks: one by its ID, or all of a queue in pages.
 */
#include "shard/state.h"

/* A done task has no row any more: what the ID remembers is all, and for a while the history. */
static enum status view_done(struct shard *shard, struct task_get_call *call, struct queue *queue,
                             struct place place, int64_t done_ms)
{
    struct held held;

    call->view = (struct task_view){
        .place = place,
        .id = call->id,
        .task = {.state = TASK_DONE, .at_ms = done_ms},
    };
    if (held_load(shard, queue, place, &held) != STATUS_OK || held.task.state != TASK_DONE)
        return STATUS_OK;
    return attempt_show(shard, &held, call->call.arena, &call->view);
}

static enum status view_open(struct shard *shard, struct task_get_call *call, struct held *held)
{
    enum status status = view_fill(shard, held, true, call->call.arena, &call->view);

    return status == STATUS_OK ? attempt_show(shard, held, call->call.arena, &call->view) : status;
}

static enum call_result run_get(struct shard *shard, struct call *base)
{
    struct task_get_call *call = CONTAINER_OF(base, struct task_get_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);
    struct place place;
    struct held held;
    int64_t done_ms;
    enum status status;

    if (queue == NULL)
        return CALL_DONE;
    call->queue_created_ms = queue->created_ms;
    status = held_find(shard, queue, call->id, &place, &done_ms);
    if (status == STATUS_OK && done_ms == 0) {
        status = held_load(shard, queue, place, &held);
        if (status == STATUS_OK && held.task.state == TASK_DONE)
            done_ms = held.task.at_ms;
        else if (status == STATUS_OK)
            status = view_open(shard, call, &held);
    }
    if (status == STATUS_OK && done_ms != 0)
        status = view_done(shard, call, queue, place, done_ms);
    if (status == STATUS_TASK_NOT_FOUND)
        error_set(&base->error, status, "there is no task \"%.*s\" in queue \"%s\"",
                  (int)call->id.size, (const char *)call->id.data, queue->name);
    else if (status != STATUS_OK)
        error_set(&base->error, status, NULL);
    else
        call->view.has_result = result_exists(shard, queue, call->id);
    return CALL_DONE;
}

/* Asked of memory, before the row is read: most rows are of other states. */
static bool is_stalled(struct shard *shard, struct place place, int64_t min_ms)
{
    const struct lease *lease = lease_find(shard, place);

    return lease != NULL && shard->batch.now_ms - lease->progress_ms >= min_ms;
}

static enum status add_view(struct page *page, const struct store_row *row)
{
    struct task_list_call *call = CONTAINER_OF(page->call, struct task_list_call, call);
    struct place place;
    struct held held;
    enum status status;

    if (!key_read_place(row->key, &place))
        return STATUS_CORRUPT;
    if (call->min_stalled_ms > 0 && !is_stalled(page->shard, place, call->min_stalled_ms))
        return STATUS_OK;
    status = held_load(page->shard, page->queue, place, &held);
    if (status != STATUS_OK)
        return status;
    if ((call->state != TASK_NONE && held.task.state != call->state) ||
        !dataset_matches(page->queue, held.dataset, call->any_dataset, call->dataset))
        return STATUS_OK;
    status = view_fill(page->shard, &held, call->with_body, page->arena, &call->views[page->count]);
    if (status == STATUS_OK)
        page->count++;
    return status;
}

/* Whether every task in that state has an active row: then the backlog need not be read. */
static bool was_touched(enum task_state state)
{
    return state == TASK_DELAYED || state == TASK_LEASED || state == TASK_DEAD;
}

static enum call_result run_list(struct shard *shard, struct call *base)
{
    struct task_list_call *call = CONTAINER_OF(base, struct task_list_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);
    struct page page = {
        .table = was_touched(call->state) ? STORE_ACTIVE : STORE_TASK,
        .open_only = was_touched(call->state),
        .from = call->from,
        .size = call->page_size,
        .arena = base->arena,
        .add = add_view,
        .shard = shard,
        .queue = queue,
        .call = base,
    };
    enum status status;

    if (queue == NULL)
        return CALL_DONE;
    call->queue_created_ms = queue->created_ms;
    call->views = ARENA_ARRAY(base->arena, call->page_size, struct task_view);
    status = call->views == NULL ? STATUS_TOO_LARGE : page_fill(&page);
    call->view_count = page.count;
    call->next = page.next;
    if (status != STATUS_OK)
        error_set(&base->error, status, NULL);
    return CALL_DONE;
}

const struct verb verb_task_get = {"task_get", false, false, run_get};
const struct verb verb_task_list = {"task_list", false, false, run_list};
