/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c -- shows tasks: one by its ID, or all of a queue in pages.
 *
 * A page looks at a bounded number of rows, so that a filter that matches nothing can't hold up the
 * shard: it may come back short, or empty, with a token to go on.
 */
#include "shard/state.h"

#define PIECE 64
#define ROWS_PER_PAGE_MAX 20000

/* A done task has no row any more: what the ID remembers is all. */
static void view_done(struct task_get_call *call, struct place place, int64_t done_ms)
{
    call->view = (struct task_view){
        .place = place,
        .id = call->id,
        .task = {.state = TASK_DONE, .at_ms = done_ms},
    };
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
            status = view_fill(shard, &held, true, base->arena, &call->view);
    }
    if (status == STATUS_OK && done_ms != 0)
        view_done(call, place, done_ms);
    if (status == STATUS_TASK_NOT_FOUND)
        error_set(&base->error, status, "there is no task \"%.*s\" in queue \"%s\"",
                  (int)call->id.size, (const char *)call->id.data, queue->name);
    else if (status != STATUS_OK)
        error_set(&base->error, status, NULL);
    else
        call->view.has_result = result_exists(shard, queue, call->id);
    return CALL_DONE;
}

/* STATUS_NOT_FOUND: not one that the page is about. */
static enum status add_view(struct shard *shard, struct queue *queue, struct task_list_call *call,
                            struct place place)
{
    struct held held;
    enum status status = held_load(shard, queue, place, &held);

    if (status != STATUS_OK)
        return status;
    if ((call->state != TASK_NONE && held.task.state != call->state) ||
        !dataset_matches(queue, held.dataset, call->any_dataset, call->dataset))
        return STATUS_NOT_FOUND;
    status =
        view_fill(shard, &held, call->with_body, call->call.arena, &call->views[call->view_count]);
    if (status == STATUS_OK)
        call->view_count++;
    return status;
}

static enum status fill_page(struct shard *shard, struct queue *queue, struct task_list_call *call)
{
    struct key from = key_of_queue(queue->number);
    struct key to = key_after_queue(queue->number);
    struct store_row rows[PIECE];
    struct place place;
    size_t count = PIECE;

    if (call->from.size > 0) {
        from.size = call->from.size;
        memcpy(from.data, call->from.data, call->from.size);
    }
    for (size_t seen = 0; seen < ROWS_PER_PAGE_MAX; seen += count) {
        enum status status =
            batch_scan(shard, STORE_TASK, key_slice(&from), key_slice(&to), rows, PIECE, &count);

        if (status != STATUS_OK || count == 0)
            return status;
        for (size_t i = 0; i < count; i++) {
            bool is_full = call->view_count == call->page_size;

            if (!is_full && key_read_place(rows[i].key, &place))
                status = add_view(shard, queue, call, place);
            if (is_full || (status == STATUS_TOO_LARGE && call->view_count > 0)) {
                call->next = arena_copy(call->call.arena, rows[i].key);
                return STATUS_OK;
            }
            if (status == STATUS_TOO_LARGE || status == STATUS_INTERNAL)
                return status;
        }
        from = key_after(rows[count - 1].key);
        if (count < PIECE)
            return STATUS_OK;
    }
    call->next = arena_copy(call->call.arena, key_slice(&from));
    return STATUS_OK;
}

static enum call_result run_list(struct shard *shard, struct call *base)
{
    struct task_list_call *call = CONTAINER_OF(base, struct task_list_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);
    enum status status;

    call->view_count = 0;
    call->next = SLICE_EMPTY;
    if (queue == NULL)
        return CALL_DONE;
    call->queue_created_ms = queue->created_ms;
    call->views = ARENA_ARRAY(base->arena, call->page_size, struct task_view);
    status = call->views == NULL ? STATUS_TOO_LARGE : fill_page(shard, queue, call);
    if (status != STATUS_OK)
        error_set(&base->error, status, NULL);
    return CALL_DONE;
}

const struct verb verb_task_get = {"task_get", false, false, run_get};
const struct verb verb_task_list = {"task_list", false, false, run_list};
