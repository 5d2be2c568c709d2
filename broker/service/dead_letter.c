/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letter.c -- DeadLetterService.
 */
#include <stdio.h>

#include "service/internal.h"

static PB(DeadLetter) *build_letter(struct arena *arena, const struct dead_view *view,
                                    int64_t created_ms)
{
    PB(DeadLetter) *letter = PB_NEW(arena, DeadLetter, dead_letter);

    if (letter == NULL)
        return NULL;
    letter->task = wire_task(arena, &view->view, created_ms);
    letter->reason = (PB(DeadReason))view->reason; /* the numbers are the same */
    letter->error = arena_string(arena, view->view.error);
    letter->dead_unix_ms = view->dead_ms;
    return letter->task == NULL || letter->error == NULL ? NULL : letter;
}

static ProtobufCMessage *build_list(struct service_call *call, struct call *base)
{
    struct dead_list_call *done = CONTAINER_OF(base, struct dead_list_call, call);
    PB(ListDeadResponse) *response = PB_NEW(call->arena, ListDeadResponse, list_dead_response);

    if (response == NULL)
        return NULL;
    arena_set_max(call->arena, call->arena->used_bytes + REPLY_BYTES_MAX);
    response->dead_letters = ARENA_ARRAY(call->arena, done->view_count, PB(DeadLetter) *);
    for (size_t i = 0; i < done->view_count && response->dead_letters != NULL; i++) {
        response->dead_letters[i] =
            build_letter(call->arena, &done->views[i], done->queue_created_ms);
        if (response->dead_letters[i] == NULL)
            return NULL;
        response->n_dead_letters++;
    }
    response->next_page_token = write_page_token(call->arena, done->next);
    return response->dead_letters == NULL || response->next_page_token == NULL ? NULL
                                                                               : &response->base;
}

void service_dead_list(struct service *self, struct service_call *call)
{
    const PB(ListDeadRequest) *request = (const void *)call->request;
    int32_t page_size = request->page_size;
    struct dead_list_call *base;

    call->service = self;
    allow_reply(call, REPLY_BYTES_MAX);
    base = ARENA_NEW(call->arena, struct dead_list_call);
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    if (check_page_size(&page_size, &call->error) != STATUS_OK ||
        check_dataset_name(request->dataset, &call->error) != STATUS_OK ||
        read_page_token(call, request->page_token, &base->from) != STATUS_OK) {
        refuse(call);
        return;
    }
    base->queue = slice_of_string(request->queue);
    base->any_dataset = request->dataset[0] == '\0';
    base->dataset = slice_of_string(request->dataset);
    base->page_size = (uint32_t)page_size;
    base->with_body = request->with_payload;
    send_to_queue(call, request->queue, &base->call, &verb_dead_list, build_list);
}

static enum status check_selection(struct service_call *call, const PB(DeadSelection) *selection)
{
    struct error *error = &call->error;

    if (selection == NULL || (selection->n_task_ids == 0 && !selection->all))
        return error_limit(error, STATUS_INVALID, "selection", 0, 0,
                           "say which: selection.task_ids, or selection.all with or without "
                           "filters");
    if (check_count(selection->n_task_ids, 0, service_limits(call->service), "selection.task_ids",
                    error) != STATUS_OK ||
        check_range(selection->reason, 0, DEAD_CORRUPT, "selection.reason", "", error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < selection->n_task_ids; i++) {
        char field[48];

        snprintf(field, sizeof field, "selection.task_ids[%zu]", i);
        if (check_task_id(selection->task_ids[i], field, error) != STATUS_OK)
            return error->status;
    }
    return check_dataset_name(selection->dataset, error);
}

static bool read_selection(struct service_call *call, const PB(DeadSelection) *selection,
                           struct dead_change_call *base)
{
    base->id_count = selection->n_task_ids;
    base->ids = ARENA_ARRAY(call->arena, selection->n_task_ids, struct slice);
    for (size_t i = 0; i < selection->n_task_ids && base->ids != NULL; i++)
        base->ids[i] = slice_of_string(selection->task_ids[i]);
    base->reason = (enum dead_reason)selection->reason;
    base->error = slice_of_string(selection->error);
    base->any_dataset = selection->dataset[0] == '\0';
    base->dataset = slice_of_string(selection->dataset);
    return base->ids != NULL;
}

static void change(struct service *self, struct service_call *call, const char *queue,
                   const PB(DeadSelection) *selection, const struct verb *verb,
                   reply_builder *build)
{
    struct dead_change_call *base;

    call->service = self;
    if (check_selection(call, selection) != STATUS_OK) {
        refuse(call);
        return;
    }
    allow_reply(call, REPLY_BYTES_MAX);
    base = ARENA_NEW(call->arena, struct dead_change_call);
    if (base == NULL || !read_selection(call, selection, base)) {
        refuse_memory(call);
        return;
    }
    base->queue = slice_of_string(queue);
    send_to_queue(call, queue, &base->call, verb, build);
}

static ProtobufCMessage *build_redriven(struct service_call *call, struct call *base)
{
    PB(RedriveResponse) *response = PB_NEW(call->arena, RedriveResponse, redrive_response);

    if (response == NULL)
        return NULL;
    response->redriven = base->progress.count;
    return &response->base;
}

void service_dead_redrive(struct service *self, struct service_call *call)
{
    const PB(RedriveRequest) *request = (const void *)call->request;

    change(self, call, request->queue, request->selection, &verb_dead_redrive, build_redriven);
}

static ProtobufCMessage *build_deleted(struct service_call *call, struct call *base)
{
    PB(DeleteDeadResponse) *response =
        PB_NEW(call->arena, DeleteDeadResponse, delete_dead_response);

    if (response == NULL)
        return NULL;
    response->deleted = base->progress.count;
    return &response->base;
}

void service_dead_delete(struct service *self, struct service_call *call)
{
    const PB(DeleteDeadRequest) *request = (const void *)call->request;

    change(self, call, request->queue, request->selection, &verb_dead_delete, build_deleted);
}
