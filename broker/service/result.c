/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result.c -- ResultService.
 */
#include <stdio.h>

#include "service/internal.h"

static PB(Result) *build_result(struct arena *arena, const struct result_view *view)
{
    PB(Result) *result = PB_NEW(arena, Result, result);

    if (result == NULL)
        return NULL;
    result->task_id = arena_string(arena, view->id);
    result->dataset = arena_string(arena, view->dataset);
    result->data = wire_bytes(view->data);
    result->fence = view->fence;
    result->stored_unix_ms = view->stored_ms;
    return result->task_id == NULL || result->dataset == NULL ? NULL : result;
}

static ProtobufCMessage *build_get(struct service_call *call, struct call *base)
{
    const PB(GetResultRequest) *request = (const void *)call->request;
    struct result_list_call *done = CONTAINER_OF(base, struct result_list_call, call);
    PB(GetResultResponse) *response = PB_NEW(call->arena, GetResultResponse, get_result_response);

    if (response != NULL && done->view_count == 1)
        response->result = build_result(call->arena, &done->views[0]);
    if (done->view_count == 0)
        error_set(&call->error, STATUS_NOT_FOUND, "queue \"%s\" has no result for task \"%.200s\"",
                  request->queue, request->task_id);
    return response == NULL || response->result == NULL ? NULL : &response->base;
}

void service_result_get(struct service *self, struct service_call *call)
{
    const PB(GetResultRequest) *request = (const void *)call->request;
    struct result_list_call *base;

    call->service = self;
    if (check_task_id(request->task_id, "task_id", &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    allow_reply(call, REPLY_BYTES_MAX);
    base = ARENA_NEW(call->arena, struct result_list_call);
    if (base == NULL || (base->ids = ARENA_NEW(call->arena, struct slice)) == NULL) {
        refuse_memory(call);
        return;
    }
    base->queue = slice_of_string(request->queue);
    base->any_dataset = true;
    base->ids[0] = slice_of_string(request->task_id);
    base->id_count = 1;
    send_to_queue(call, request->queue, &base->call, &verb_result_list, build_get);
}

static ProtobufCMessage *build_list(struct service_call *call, struct call *base)
{
    struct result_list_call *done = CONTAINER_OF(base, struct result_list_call, call);
    PB(ListResultsResponse) *response =
        PB_NEW(call->arena, ListResultsResponse, list_results_response);

    if (response == NULL)
        return NULL;
    arena_set_max(call->arena, call->arena->used_bytes + REPLY_BYTES_MAX);
    response->results = ARENA_ARRAY(call->arena, done->view_count, PB(Result) *);
    for (size_t i = 0; i < done->view_count && response->results != NULL; i++) {
        response->results[i] = build_result(call->arena, &done->views[i]);
        if (response->results[i] == NULL)
            return NULL;
        response->n_results++;
    }
    response->next_page_token = write_page_token(call->arena, done->next);
    return response->results == NULL || response->next_page_token == NULL ? NULL : &response->base;
}

static enum status check_list(struct service_call *call, const PB(ListResultsRequest) *request,
                              int32_t *page_size)
{
    struct error *error = &call->error;

    if (check_page_size(page_size, error) != STATUS_OK ||
        check_dataset_name(request->dataset, error) != STATUS_OK ||
        check_count(request->n_task_ids, 0, service_limits(call->service), "task_ids", error) !=
            STATUS_OK)
        return error->status;
    for (size_t i = 0; i < request->n_task_ids; i++) {
        char field[32];

        snprintf(field, sizeof field, "task_ids[%zu]", i);
        if (check_task_id(request->task_ids[i], field, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

void service_result_list(struct service *self, struct service_call *call)
{
    const PB(ListResultsRequest) *request = (const void *)call->request;
    int32_t page_size = request->page_size;
    struct result_list_call *base;

    call->service = self;
    allow_reply(call, REPLY_BYTES_MAX);
    base = ARENA_NEW(call->arena, struct result_list_call);
    if (base == NULL ||
        (base->ids = ARENA_ARRAY(call->arena, request->n_task_ids, struct slice)) == NULL) {
        refuse_memory(call);
        return;
    }
    if (check_list(call, request, &page_size) != STATUS_OK ||
        read_page_token(call, request->page_token, &base->from) != STATUS_OK) {
        refuse(call);
        return;
    }
    for (size_t i = 0; i < request->n_task_ids; i++)
        base->ids[i] = slice_of_string(request->task_ids[i]);
    base->id_count = request->n_task_ids;
    base->queue = slice_of_string(request->queue);
    base->any_dataset = request->dataset[0] == '\0';
    base->dataset = slice_of_string(request->dataset);
    base->ids_only = request->ids_only;
    base->page_size = (uint32_t)page_size;
    send_to_queue(call, request->queue, &base->call, &verb_result_list, build_list);
}
