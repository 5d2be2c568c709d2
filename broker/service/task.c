/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.c -- TaskService.Get, List, Cancel.
 */
#include <stdio.h>

#include "service/internal.h"

static ProtobufCMessage *build_get(struct service_call *call, struct call *base)
{
    struct task_get_call *done = CONTAINER_OF(base, struct task_get_call, call);
    PB(GetTaskResponse) *response = PB_NEW(call->arena, GetTaskResponse, get_task_response);

    if (response == NULL)
        return NULL;
    response->task = wire_task(call->arena, &done->view, done->queue_created_ms);
    return response->task == NULL || !wire_attempts(call->arena, &done->view, response->task)
               ? NULL
               : &response->base;
}

void service_task_get(struct service *self, struct service_call *call)
{
    const PB(GetTaskRequest) *request = (const void *)call->request;
    struct task_get_call *base;

    call->service = self;
    allow_reply(call, REPLY_BYTES_MAX);
    base = ARENA_NEW(call->arena, struct task_get_call);
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    if (check_task_id(request->task_id, "task_id", &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    base->queue = slice_of_string(request->queue);
    base->id = slice_of_string(request->task_id);
    send_to_queue(call, request->queue, &base->call, &verb_task_get, build_get);
}

static ProtobufCMessage *build_list(struct service_call *call, struct call *base)
{
    struct task_list_call *done = CONTAINER_OF(base, struct task_list_call, call);
    PB(ListTasksResponse) *response = PB_NEW(call->arena, ListTasksResponse, list_tasks_response);

    if (response == NULL)
        return NULL;
    arena_set_max(call->arena, call->arena->used_bytes + REPLY_BYTES_MAX);
    response->tasks = ARENA_ARRAY(call->arena, done->view_count, PB(Task) *);
    for (size_t i = 0; i < done->view_count && response->tasks != NULL; i++) {
        response->tasks[i] = wire_task(call->arena, &done->views[i], done->queue_created_ms);
        if (response->tasks[i] == NULL)
            return NULL;
        response->n_tasks++;
    }
    response->next_page_token = write_page_token(call->arena, done->next);
    return response->tasks == NULL || response->next_page_token == NULL ? NULL : &response->base;
}

static enum status check_stalled(const PB(ListTasksRequest) *request, struct error *error)
{
    if (check_range(request->min_stalled_ms, 0, DELAY_MS_MAX, "min_stalled_ms", "ms", error) !=
        STATUS_OK)
        return error->status;
    if (request->min_stalled_ms > 0 && (int)request->state != TASK_NONE &&
        (int)request->state != TASK_LEASED)
        return error_limit(error, STATUS_INVALID, "state", 0, request->state,
                           "state goes with min_stalled_ms only if it is LEASED");
    return STATUS_OK;
}

void service_task_list(struct service *self, struct service_call *call)
{
    const PB(ListTasksRequest) *request = (const void *)call->request;
    int32_t page_size = request->page_size;
    struct task_list_call *base;

    call->service = self;
    allow_reply(call, REPLY_BYTES_MAX);
    base = ARENA_NEW(call->arena, struct task_list_call);
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    if (check_page_size(&page_size, &call->error) != STATUS_OK ||
        check_dataset_name(request->dataset, &call->error) != STATUS_OK ||
        check_range(request->state, 0, TASK_DEAD, "state", "", &call->error) != STATUS_OK ||
        check_stalled(request, &call->error) != STATUS_OK ||
        read_page_token(call, request->page_token, &base->from) != STATUS_OK) {
        refuse(call);
        return;
    }
    base->queue = slice_of_string(request->queue);
    base->min_stalled_ms = request->min_stalled_ms;
    base->state = base->min_stalled_ms > 0 ? TASK_LEASED : (enum task_state)request->state;
    base->any_dataset = request->dataset[0] == '\0';
    base->dataset = slice_of_string(request->dataset);
    base->page_size = (uint32_t)page_size;
    base->with_body = request->with_payload;
    send_to_queue(call, request->queue, &base->call, &verb_task_list, build_list);
}

struct cancelling {
    struct task_cancel_call base;
    struct error *errors; /* one an ID */
};

static ProtobufCMessage *build_cancelled(struct service_call *call, struct call *base)
{
    struct task_cancel_call *done = CONTAINER_OF(base, struct task_cancel_call, call);
    struct cancelling *self = CONTAINER_OF(done, struct cancelling, base);
    PB(CancelTasksResponse) *response =
        PB_NEW(call->arena, CancelTasksResponse, cancel_tasks_response);

    if (response == NULL)
        return NULL;
    response->outcomes = ARENA_ARRAY(call->arena, done->id_count, PB(Outcome) *);
    for (size_t i = 0; i < done->id_count && response->outcomes != NULL; i++) {
        PB(Outcome) *outcome = PB_NEW(call->arena, Outcome, outcome);

        const struct error *error = &self->errors[i];

        if (error->status == STATUS_OK)
            error = NULL;
        if (outcome == NULL ||
            !wire_outcome_error(call->arena, error != NULL ? error->status : done->statuses[i],
                                error, &outcome->error))
            return NULL;
        response->outcomes[response->n_outcomes++] = outcome;
    }
    return response->outcomes == NULL ? NULL : &response->base;
}

/* An ID that can't be one is no task's: its outcome says why, and the shard sees an empty one. */
static bool read_ids(struct service_call *call, struct cancelling *self,
                     const PB(CancelTasksRequest) *request)
{
    self->base.id_count = request->n_task_ids;
    self->base.ids = ARENA_ARRAY(call->arena, request->n_task_ids, struct slice);
    self->base.statuses = ARENA_ARRAY(call->arena, request->n_task_ids, enum status);
    self->errors = ARENA_ARRAY(call->arena, request->n_task_ids, struct error);
    if (self->base.ids == NULL || self->base.statuses == NULL || self->errors == NULL)
        return false;
    for (size_t i = 0; i < request->n_task_ids; i++) {
        char field[32];

        snprintf(field, sizeof field, "task_ids[%zu]", i);
        if (check_task_id(request->task_ids[i], field, &self->errors[i]) == STATUS_OK)
            self->base.ids[i] = slice_of_string(request->task_ids[i]);
    }
    return true;
}

void service_task_cancel(struct service *self, struct service_call *call)
{
    const PB(CancelTasksRequest) *request = (const void *)call->request;
    struct cancelling *cancelling;

    call->service = self;
    if (check_count(request->n_task_ids, 1, service_limits(self), "task_ids", &call->error) !=
        STATUS_OK) {
        refuse(call);
        return;
    }
    allow_reply(call, REPLY_BYTES_MAX);
    cancelling = ARENA_NEW(call->arena, struct cancelling);
    if (cancelling == NULL || !read_ids(call, cancelling, request)) {
        refuse_memory(call);
        return;
    }
    cancelling->base.queue = slice_of_string(request->queue);
    send_to_queue(call, request->queue, &cancelling->base.call, &verb_task_cancel, build_cancelled);
}
