/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_dead.c -- the calls about dead letters.
 */
#include "ackd/admin.h"
#include "ackd/v1/dead_letter.pb-c.h"
#include "call.h"
#include "error_export.h"
#include "options.h"
#include "task_message.h"

static void letter_from_message(struct call *call, const char *queue,
                                const Ackd__V1__DeadLetter *message,
                                struct ackd_dead_letter *letter);
static void selection_to_message(struct call *call, const struct ackd_dead_selection *selection,
                                 Ackd__V1__DeadSelection *message);

enum ackd_status ackd_client_list_dead(struct ackd_client *client,
                                       const struct ackd_dead_list_request *request,
                                       struct ackd_dead_list **ret_list, struct ackd_error *error)
{
    Ackd__V1__ListDeadRequest message = ACKD__V1__LIST_DEAD_REQUEST__INIT;
    const Ackd__V1__ListDeadResponse *response;
    struct ackd_dead_list_request own;
    struct call call;

    *ret_list = NULL;
    if (request == NULL || !options_copy(&own, sizeof own, request))
        return error_export_field(error, "size", "request.size must be sizeof its struct");
    call_begin(&call, sizeof(struct ackd_dead_list));
    message.queue = call_borrow(own.queue);
    message.dataset = call_borrow(own.dataset);
    message.page_size = call_clamp_i32(own.page_size);
    message.page_token = call_borrow(own.page_token);
    message.with_payload = own.with_payload;
    response = call_run(&call, client, "DeadLetterService", "List", &message.base,
                        &ackd__v1__list_dead_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_dead_list *list = call.reply;
        const char *queue = call_text(&call, own.queue);

        list->letters = call_array(&call, response->n_dead_letters, sizeof list->letters[0],
                                   &list->letter_count);
        for (size_t i = 0; i < list->letter_count; i++)
            letter_from_message(&call, queue, response->dead_letters[i], &list->letters[i]);
        list->next_page_token = call_text(&call, response->next_page_token);
    }
    return call_end(&call, (void **)ret_list, error);
}

void ackd_dead_list_free(struct ackd_dead_list *list)
{
    owned_free(list);
}

enum ackd_status ackd_client_redrive_dead(struct ackd_client *client, const char *queue,
                                          const struct ackd_dead_selection *selection,
                                          int64_t *ret_redriven, struct ackd_error *error)
{
    Ackd__V1__RedriveRequest request = ACKD__V1__REDRIVE_REQUEST__INIT;
    Ackd__V1__DeadSelection message = ACKD__V1__DEAD_SELECTION__INIT;
    const Ackd__V1__RedriveResponse *response;
    struct ackd_dead_selection own;
    struct call call;

    if (selection == NULL || !options_copy(&own, sizeof own, selection))
        return error_export_field(error, "size", "selection.size must be sizeof its struct");
    call_begin(&call, 0);
    selection_to_message(&call, &own, &message);
    request.queue = call_borrow(queue);
    request.selection = &message;
    response = call_run(&call, client, "DeadLetterService", "Redrive", &request.base,
                        &ackd__v1__redrive_response__descriptor, 0);
    if (response != NULL && ret_redriven != NULL)
        *ret_redriven = response->redriven;
    return call_end(&call, NULL, error);
}

enum ackd_status ackd_client_delete_dead(struct ackd_client *client, const char *queue,
                                         const struct ackd_dead_selection *selection,
                                         int64_t *ret_deleted, struct ackd_error *error)
{
    Ackd__V1__DeleteDeadRequest request = ACKD__V1__DELETE_DEAD_REQUEST__INIT;
    Ackd__V1__DeadSelection message = ACKD__V1__DEAD_SELECTION__INIT;
    const Ackd__V1__DeleteDeadResponse *response;
    struct ackd_dead_selection own;
    struct call call;

    if (selection == NULL || !options_copy(&own, sizeof own, selection))
        return error_export_field(error, "size", "selection.size must be sizeof its struct");
    call_begin(&call, 0);
    selection_to_message(&call, &own, &message);
    request.queue = call_borrow(queue);
    request.selection = &message;
    response = call_run(&call, client, "DeadLetterService", "Delete", &request.base,
                        &ackd__v1__delete_dead_response__descriptor, 0);
    if (response != NULL && ret_deleted != NULL)
        *ret_deleted = response->deleted;
    return call_end(&call, NULL, error);
}

static void letter_from_message(struct call *call, const char *queue,
                                const Ackd__V1__DeadLetter *message,
                                struct ackd_dead_letter *letter)
{
    if (message->task != NULL)
        view_from_message(call, queue, message->task, &letter->task);
    letter->reason = (enum ackd_dead_reason)message->reason;
    letter->error = call_text(call, message->error);
    letter->dead_unix_ms = message->dead_unix_ms;
}

static void selection_to_message(struct call *call, const struct ackd_dead_selection *selection,
                                 Ackd__V1__DeadSelection *message)
{
    message->n_task_ids = selection->task_id_count;
    message->task_ids = call_borrow_texts(call, selection->task_ids, selection->task_id_count);
    message->all = selection->all;
    message->reason = (Ackd__V1__DeadReason)selection->reason;
    message->error = call_borrow(selection->error);
    message->dataset = call_borrow(selection->dataset);
}
