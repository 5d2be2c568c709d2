/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead.c -- dead letters: shows them, makes them ready again, deletes them.
 *
 * The table `dead` is an index; the tasks lie where they always were. Changing many runs in steps.
 */
#include "shard/state.h"

#define PIECE 64

static enum status load_dead(struct shard *shard, struct queue *queue, struct slice key,
                             struct slice value, struct dead_record *ret_record,
                             struct held *ret_held)
{
    struct place place;
    enum status status = dead_record_read(key, value, ret_record);

    if (status == STATUS_OK)
        status =
            key_read_place(key, &place) ? held_load(shard, queue, place, ret_held) : STATUS_CORRUPT;
    return status;
}

/* Of a task whose row can't be read only the place and the reason are shown. */
static enum status add_view(struct page *page, const struct store_row *row)
{
    struct dead_list_call *call = CONTAINER_OF(page->call, struct dead_list_call, call);
    struct dead_view *view = &call->views[page->count];
    struct dead_record record;
    struct held held;
    enum status status = load_dead(page->shard, page->queue, row->key, row->value, &record, &held);

    if (status != STATUS_OK)
        return status;
    if (!dataset_matches(page->queue, record.dataset, call->any_dataset, call->dataset))
        return STATUS_OK;
    status = view_fill(page->shard, &held, call->with_body, page->arena, &view->view);
    if (status == STATUS_CORRUPT || status == STATUS_TASK_NOT_FOUND)
        view->view = (struct task_view){.place = held.place, .task = held.task};
    else if (status != STATUS_OK)
        return status;
    view->reason = record.reason;
    view->dead_ms = record.dead_ms;
    page->count++;
    return STATUS_OK;
}

static enum call_result run_list(struct shard *shard, struct call *base)
{
    struct dead_list_call *call = CONTAINER_OF(base, struct dead_list_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);
    struct page page = {
        .table = STORE_DEAD,
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
    call->views = ARENA_ARRAY(base->arena, call->page_size, struct dead_view);
    status = call->views == NULL ? STATUS_TOO_LARGE : page_fill(&page);
    call->view_count = page.count;
    call->next = page.next;
    if (status != STATUS_OK)
        error_set(&base->error, status, NULL);
    return CALL_DONE;
}

typedef enum status change_function(struct shard *shard, struct held *held);

static enum status redrive(struct shard *shard, struct held *held)
{
    struct task_command command = {.kind = TASK_REDRIVE};
    struct task_effects effects;

    if (held->task.dead_reason == DEAD_CORRUPT)
        return STATUS_CORRUPT; /* it can't be handed out */
    return held_step(shard, held, &command, NULL, &effects);
}

static bool is_selected(const struct dead_change_call *call, const struct held *held)
{
    return held->task.state == TASK_DEAD &&
           (call->reason == DEAD_NOT || held->task.dead_reason == call->reason) &&
           (call->error.size == 0 ||
            slice_equal(call->error, slice_of(held->error, held->error_size))) &&
           dataset_matches(held->queue, held->dataset, call->any_dataset, call->dataset);
}

static void change_held(struct shard *shard, struct dead_change_call *call, struct held *held,
                        change_function *change)
{
    if (is_selected(call, held) && change(shard, held) == STATUS_OK)
        call->call.progress.count++;
}

static enum call_result change_ids(struct shard *shard, struct dead_change_call *call,
                                   struct queue *queue, change_function *change)
{
    struct progress *progress = &call->call.progress;
    size_t end = progress->index + STEP_RECORDS_MAX;

    progress->begun = true;
    for (; progress->index < call->id_count && progress->index < end; progress->index++) {
        struct place place;
        struct held held;
        int64_t done_ms;

        if (held_find(shard, queue, call->ids[progress->index], &place, &done_ms) == STATUS_OK &&
            done_ms == 0 && held_load(shard, queue, place, &held) == STATUS_OK)
            change_held(shard, call, &held, change);
        if (shard->batch.failed != STATUS_OK)
            return CALL_DONE;
    }
    return progress->index < call->id_count ? CALL_AGAIN : CALL_DONE;
}

static enum call_result change_all(struct shard *shard, struct dead_change_call *call,
                                   struct queue *queue, change_function *change)
{
    struct progress *progress = &call->call.progress;
    struct key to = key_after_queue(queue->number);
    struct store_row rows[PIECE];
    struct place places[PIECE];
    size_t count;

    if (!progress->begun)
        progress->from = key_of_queue(queue->number);
    progress->begun = true;
    if (batch_scan(shard, STORE_DEAD, key_slice(&progress->from), key_slice(&to), rows, PIECE,
                   &count) != STATUS_OK ||
        count == 0)
        return CALL_DONE;
    for (size_t i = 0; i < count; i++)
        if (!key_read_place(rows[i].key, &places[i]))
            places[i] = (struct place){0};
    progress->from = key_after(rows[count - 1].key);
    for (size_t i = 0; i < count && shard->batch.failed == STATUS_OK; i++) {
        struct held held;

        if (held_load(shard, queue, places[i], &held) == STATUS_OK)
            change_held(shard, call, &held, change);
    }
    return CALL_AGAIN;
}

static enum call_result run_change(struct shard *shard, struct call *base, change_function *change)
{
    struct dead_change_call *call = CONTAINER_OF(base, struct dead_change_call, call);
    struct queue *queue = shard_find_queue_again(shard, call->queue, base);

    if (queue == NULL)
        return CALL_DONE;
    return call->id_count > 0 ? change_ids(shard, call, queue, change)
                              : change_all(shard, call, queue, change);
}

static enum call_result run_redrive(struct shard *shard, struct call *base)
{
    return run_change(shard, base, redrive);
}

static enum call_result run_delete(struct shard *shard, struct call *base)
{
    return run_change(shard, base, held_erase);
}

const struct verb verb_dead_list = {"dead_list", false, false, run_list};
const struct verb verb_dead_redrive = {"dead_redrive", true, false, run_redrive};
const struct verb verb_dead_delete = {"dead_delete", true, false, run_delete};
