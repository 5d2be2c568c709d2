/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_view.c -- tasks as an operator sees them: get, list, cancel.
 */
#include "ackd/admin.h"
#include "ackd/v1/task.pb-c.h"
#include "call.h"
#include "error_export.h"
#include "options.h"
#include "task_message.h"

enum ackd_status ackd_client_get_task(struct ackd_client *client, const char *queue,
                                      const char *task_id, struct ackd_task_view **ret_task,
                                      struct ackd_error *error)
{
    Ackd__V1__GetTaskRequest request = ACKD__V1__GET_TASK_REQUEST__INIT;
    const Ackd__V1__GetTaskResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_task_view));
    request.queue = call_borrow(queue);
    request.task_id = call_borrow(task_id);
    response = call_run(&call, client, "TaskService", "Get", &request.base,
                        &ackd__v1__get_task_response__descriptor, 0);
    if (response != NULL && response->task != NULL)
        view_from_message(&call, call_text(&call, queue), response->task, call.reply);
    return call_end(&call, (void **)ret_task, error);
}

void ackd_task_view_free(struct ackd_task_view *task)
{
    owned_free(task);
}

enum ackd_status ackd_client_list_tasks(struct ackd_client *client,
                                        const struct ackd_task_list_request *request,
                                        struct ackd_task_list **ret_list, struct ackd_error *error)
{
    Ackd__V1__ListTasksRequest message = ACKD__V1__LIST_TASKS_REQUEST__INIT;
    const Ackd__V1__ListTasksResponse *response;
    struct ackd_task_list_request own;
    struct call call;

    *ret_list = NULL;
    if (request == NULL || !options_copy(&own, sizeof own, request))
        return error_export_field(error, "size", "request.size must be sizeof its struct");
    call_begin(&call, sizeof(struct ackd_task_list));
    message.queue = call_borrow(own.queue);
    message.state = (Ackd__V1__TaskState)own.state;
    message.dataset = call_borrow(own.dataset);
    message.page_size = call_clamp_i32(own.page_size);
    message.page_token = call_borrow(own.page_token);
    message.with_payload = own.with_payload;
    message.min_stalled_ms = own.min_stalled_ms;
    response = call_run(&call, client, "TaskService", "List", &message.base,
                        &ackd__v1__list_tasks_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_task_list *list = call.reply;
        const char *queue = call_text(&call, own.queue);

        list->tasks =
            call_array(&call, response->n_tasks, sizeof list->tasks[0], &list->task_count);
        for (size_t i = 0; i < list->task_count; i++)
            view_from_message(&call, queue, response->tasks[i], &list->tasks[i]);
        list->next_page_token = call_text(&call, response->next_page_token);
    }
    return call_end(&call, (void **)ret_list, error);
}

void ackd_task_list_free(struct ackd_task_list *list)
{
    owned_free(list);
}

enum ackd_status ackd_client_cancel_tasks(struct ackd_client *client, const char *queue,
                                          const char *const *task_ids, size_t count,
                                          struct ackd_cancel_reply **ret_reply,
                                          struct ackd_error *error)
{
    Ackd__V1__CancelTasksRequest request = ACKD__V1__CANCEL_TASKS_REQUEST__INIT;
    const Ackd__V1__CancelTasksResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_cancel_reply));
    request.queue = call_borrow(queue);
    request.n_task_ids = count;
    request.task_ids = call_borrow_texts(&call, task_ids, count);
    response = call_run(&call, client, "TaskService", "Cancel", &request.base,
                        &ackd__v1__cancel_tasks_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_cancel_reply *reply = call.reply;

        reply->outcomes = outcomes_from_messages(&call, response->outcomes, response->n_outcomes,
                                                 &reply->outcome_count);
    }
    return call_end(&call, (void **)ret_reply, error);
}

void ackd_cancel_reply_free(struct ackd_cancel_reply *reply)
{
    owned_free(reply);
}
