/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_result.c -- the calls about results.
 */
#include "ackd/admin.h"
#include "ackd/v1/result.pb-c.h"
#include "call.h"
#include "error_export.h"
#include "options.h"

static void result_from_message(struct call *call, const Ackd__V1__Result *message,
                                struct ackd_result *result);

enum ackd_status ackd_client_get_result(struct ackd_client *client, const char *queue,
                                        const char *task_id, struct ackd_result **ret_result,
                                        struct ackd_error *error)
{
    Ackd__V1__GetResultRequest request = ACKD__V1__GET_RESULT_REQUEST__INIT;
    const Ackd__V1__GetResultResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_result));
    request.queue = call_borrow(queue);
    request.task_id = call_borrow(task_id);
    response = call_run(&call, client, "ResultService", "Get", &request.base,
                        &ackd__v1__get_result_response__descriptor, 0);
    if (response != NULL && response->result != NULL)
        result_from_message(&call, response->result, call.reply);
    return call_end(&call, (void **)ret_result, error);
}

void ackd_result_free(struct ackd_result *result)
{
    owned_free(result);
}

enum ackd_status ackd_client_list_results(struct ackd_client *client,
                                          const struct ackd_result_list_request *request,
                                          struct ackd_result_list **ret_list,
                                          struct ackd_error *error)
{
    Ackd__V1__ListResultsRequest message = ACKD__V1__LIST_RESULTS_REQUEST__INIT;
    const Ackd__V1__ListResultsResponse *response;
    struct ackd_result_list_request own;
    struct call call;

    *ret_list = NULL;
    if (request == NULL || !options_copy(&own, sizeof own, request))
        return error_export_field(error, "size", "request.size must be sizeof its struct");
    call_begin(&call, sizeof(struct ackd_result_list));
    message.queue = call_borrow(own.queue);
    message.dataset = call_borrow(own.dataset);
    message.page_size = call_clamp_i32(own.page_size);
    message.page_token = call_borrow(own.page_token);
    message.n_task_ids = own.task_id_count;
    message.task_ids = call_borrow_texts(&call, own.task_ids, own.task_id_count);
    message.ids_only = own.ids_only;
    response = call_run(&call, client, "ResultService", "List", &message.base,
                        &ackd__v1__list_results_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_result_list *list = call.reply;

        list->results =
            call_array(&call, response->n_results, sizeof list->results[0], &list->result_count);
        for (size_t i = 0; i < list->result_count; i++)
            result_from_message(&call, response->results[i], &list->results[i]);
        list->next_page_token = call_text(&call, response->next_page_token);
    }
    return call_end(&call, (void **)ret_list, error);
}

void ackd_result_list_free(struct ackd_result_list *list)
{
    owned_free(list);
}

static void result_from_message(struct call *call, const Ackd__V1__Result *message,
                                struct ackd_result *result)
{
    result->task_id = call_text(call, message->task_id);
    result->dataset = call_text(call, message->dataset);
    result->data = call_bytes(call, message->data);
    result->fence = message->fence;
    result->stored_unix_ms = message->stored_unix_ms;
}
