/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_task.c -- the calls about tasks: publish, lease, renew, ack, nack, checkpoint.
 */
#include "ackd/client.h"
#include "ackd/v1/task.pb-c.h"
#include "call.h"
#include "client_internal.h"
#include "error_export.h"
#include "options.h"
#include "task_message.h"

static Ackd__V1__NewTask **new_tasks_to_messages(struct call *call,
                                                 const struct ackd_new_task *tasks, size_t count);
static void publish_from_message(struct call *call, const Ackd__V1__PublishRequest *request,
                                 const Ackd__V1__PublishResponse *response);
static Ackd__V1__AckItem **acks_to_messages(struct call *call, const struct ackd_ack *acks,
                                            size_t count);
static Ackd__V1__NackItem **nacks_to_messages(struct call *call, const struct ackd_nack *nacks,
                                              size_t count);
static struct ackd_ack_outcome *ack_outcomes(struct call *call, Ackd__V1__AckOutcome **messages,
                                             size_t count, size_t *ret_count);
static void lease_from_message(struct call *call, const char *queue,
                               const Ackd__V1__LeaseResponse *response);

enum ackd_status ackd_client_publish(struct ackd_client *client, const char *queue,
                                     const char *dataset, const struct ackd_new_task *tasks,
                                     size_t count, struct ackd_publish_reply **ret_reply,
                                     struct ackd_error *error)
{
    Ackd__V1__PublishRequest request = ACKD__V1__PUBLISH_REQUEST__INIT;
    const Ackd__V1__PublishResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_publish_reply));
    request.queue = call_borrow(queue);
    request.dataset = call_borrow(dataset);
    request.n_tasks = count;
    request.tasks = new_tasks_to_messages(&call, tasks, count);
    response = call_run(&call, client, "TaskService", "Publish", &request.base,
                        &ackd__v1__publish_response__descriptor, 0);
    if (response != NULL)
        publish_from_message(&call, &request, response);
    return call_end(&call, (void **)ret_reply, error);
}

void ackd_publish_reply_free(struct ackd_publish_reply *reply)
{
    owned_free(reply);
}

enum ackd_status ackd_client_lease(struct ackd_client *client,
                                   const struct ackd_lease_request *request,
                                   struct ackd_lease_reply **ret_reply, struct ackd_error *error)
{
    Ackd__V1__LeaseRequest message = ACKD__V1__LEASE_REQUEST__INIT;
    const Ackd__V1__LeaseResponse *response;
    struct ackd_lease_request own;
    struct call call;

    *ret_reply = NULL;
    if (request == NULL || !options_copy(&own, sizeof own, request))
        return error_export_field(error, "size", "request.size must be sizeof its struct");
    call_begin(&call, sizeof(struct ackd_lease_reply));
    message.queue = call_borrow(own.queue);
    message.max_tasks = call_clamp_i32(own.max_tasks);
    message.wait_ms = own.wait_ms;
    message.lease_ms = own.lease_ms;
    message.session_id = call_borrow(own.session_id);
    message.max_bytes = own.max_bytes;
    message.n_acks = own.ack_count;
    message.acks = acks_to_messages(&call, own.acks, own.ack_count);
    message.n_nacks = own.nack_count;
    message.nacks = nacks_to_messages(&call, own.nacks, own.nack_count);
    response = call_run(&call, client, "TaskService", "Lease", &message.base,
                        &ackd__v1__lease_response__descriptor,
                        own.wait_ms > 0 ? own.wait_ms + client->timeout_ms : 0);
    if (response != NULL)
        lease_from_message(&call, own.queue, response);
    return call_end(&call, (void **)ret_reply, error);
}

void ackd_lease_reply_free(struct ackd_lease_reply *reply)
{
    owned_free(reply);
}

enum ackd_status ackd_client_renew(struct ackd_client *client, const char *const *lease_tokens,
                                   size_t count, int64_t lease_ms,
                                   struct ackd_renew_reply **ret_reply, struct ackd_error *error)
{
    Ackd__V1__RenewRequest request = ACKD__V1__RENEW_REQUEST__INIT;
    const Ackd__V1__RenewResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_renew_reply));
    request.n_items = count;
    request.items = call_messages(&call, &ackd__v1__renew_item__descriptor, count);
    for (size_t i = 0; request.items != NULL && i < count; i++) {
        request.items[i]->lease_token = call_borrow(lease_tokens[i]);
        request.items[i]->lease_ms = lease_ms;
    }
    response = call_run(&call, client, "TaskService", "Renew", &request.base,
                        &ackd__v1__renew_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_renew_reply *reply = call.reply;

        reply->outcomes = call_array(&call, response->n_outcomes, sizeof reply->outcomes[0],
                                     &reply->outcome_count);
        for (size_t i = 0; i < reply->outcome_count; i++) {
            reply->outcomes[i].status =
                outcome_status(&call, response->outcomes[i]->error, &reply->outcomes[i].message);
            reply->outcomes[i].deadline_unix_ms = response->outcomes[i]->deadline_unix_ms;
        }
    }
    return call_end(&call, (void **)ret_reply, error);
}

void ackd_renew_reply_free(struct ackd_renew_reply *reply)
{
    owned_free(reply);
}

enum ackd_status ackd_client_ack(struct ackd_client *client, const struct ackd_ack *acks,
                                 size_t count, struct ackd_ack_reply **ret_reply,
                                 struct ackd_error *error)
{
    Ackd__V1__AckRequest request = ACKD__V1__ACK_REQUEST__INIT;
    const Ackd__V1__AckResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_ack_reply));
    request.n_items = count;
    request.items = acks_to_messages(&call, acks, count);
    response = call_run(&call, client, "TaskService", "Ack", &request.base,
                        &ackd__v1__ack_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_ack_reply *reply = call.reply;

        reply->outcomes =
            ack_outcomes(&call, response->outcomes, response->n_outcomes, &reply->outcome_count);
    }
    return call_end(&call, (void **)ret_reply, error);
}

void ackd_ack_reply_free(struct ackd_ack_reply *reply)
{
    owned_free(reply);
}

enum ackd_status ackd_client_nack(struct ackd_client *client, const struct ackd_nack *nacks,
                                  size_t count, struct ackd_nack_reply **ret_reply,
                                  struct ackd_error *error)
{
    Ackd__V1__NackRequest request = ACKD__V1__NACK_REQUEST__INIT;
    const Ackd__V1__NackResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_nack_reply));
    request.n_items = count;
    request.items = nacks_to_messages(&call, nacks, count);
    response = call_run(&call, client, "TaskService", "Nack", &request.base,
                        &ackd__v1__nack_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_nack_reply *reply = call.reply;

        reply->outcomes = outcomes_from_messages(&call, response->outcomes, response->n_outcomes,
                                                 &reply->outcome_count);
    }
    return call_end(&call, (void **)ret_reply, error);
}

void ackd_nack_reply_free(struct ackd_nack_reply *reply)
{
    owned_free(reply);
}

enum ackd_status ackd_client_save_checkpoint(struct ackd_client *client, const char *lease_token,
                                             const void *data, size_t size,
                                             struct ackd_error *error)
{
    Ackd__V1__SaveCheckpointRequest request = ACKD__V1__SAVE_CHECKPOINT_REQUEST__INIT;
    struct call call;

    call_begin(&call, 0);
    request.lease_token = call_borrow(lease_token);
    request.data = call_borrow_bytes((struct ackd_bytes){data, size});
    (void)call_run(&call, client, "TaskService", "SaveCheckpoint", &request.base,
                   &ackd__v1__save_checkpoint_response__descriptor, 0);
    return call_end(&call, NULL, error);
}

static Ackd__V1__NewTask **new_tasks_to_messages(struct call *call,
                                                 const struct ackd_new_task *tasks, size_t count)
{
    Ackd__V1__NewTask **messages = call_messages(call, &ackd__v1__new_task__descriptor, count);

    for (size_t i = 0; messages != NULL && i < count; i++) {
        const struct ackd_new_task *task = &tasks[i];
        Ackd__V1__NewTask *message = messages[i];

        message->task_id = call_borrow(task->id);
        message->payload = call_borrow_bytes(task->payload);
        message->priority = task->priority;
        message->delay_ms = task->delay_ms;
        if (task->attribute_count == 0)
            continue;
        message->attributes = call_messages(call, &ackd__v1__new_task__attributes_entry__descriptor,
                                            task->attribute_count);
        if (message->attributes == NULL)
            return NULL;
        message->n_attributes = task->attribute_count;
        for (size_t j = 0; j < task->attribute_count; j++) {
            message->attributes[j]->key = call_borrow(task->attributes[j].key);
            message->attributes[j]->value = call_borrow(task->attributes[j].value);
        }
    }
    return messages;
}

static void publish_from_message(struct call *call, const Ackd__V1__PublishRequest *request,
                                 const Ackd__V1__PublishResponse *response)
{
    struct ackd_publish_reply *reply = call->reply;

    reply->stored = response->stored;
    reply->duplicates = response->duplicates;
    reply->refused = response->refused;
    reply->outcomes =
        call_array(call, response->n_outcomes, sizeof reply->outcomes[0], &reply->outcome_count);
    for (size_t i = 0; i < reply->outcome_count; i++) {
        struct ackd_publish_outcome *outcome = &reply->outcomes[i];

        outcome->task_id = call_text(call, response->outcomes[i]->task_id);
        outcome->status = outcome_status(call, response->outcomes[i]->error, &outcome->message);
    }
}

static Ackd__V1__AckItem **acks_to_messages(struct call *call, const struct ackd_ack *acks,
                                            size_t count)
{
    Ackd__V1__AckItem **messages = call_messages(call, &ackd__v1__ack_item__descriptor, count);

    for (size_t i = 0; messages != NULL && i < count; i++) {
        messages[i]->lease_token = call_borrow(acks[i].lease_token);
        messages[i]->committed = acks[i].committed;
        if (acks[i].has_result) {
            messages[i]->has_result_case = ACKD__V1__ACK_ITEM__HAS_RESULT_RESULT;
            messages[i]->result = call_borrow_bytes(acks[i].result);
        }
    }
    return messages;
}

static Ackd__V1__NackItem **nacks_to_messages(struct call *call, const struct ackd_nack *nacks,
                                              size_t count)
{
    Ackd__V1__NackItem **messages = call_messages(call, &ackd__v1__nack_item__descriptor, count);

    for (size_t i = 0; messages != NULL && i < count; i++) {
        messages[i]->lease_token = call_borrow(nacks[i].lease_token);
        messages[i]->reason = (Ackd__V1__NackReason)nacks[i].reason;
        messages[i]->error = call_borrow(nacks[i].error);
        messages[i]->unstarted = nacks[i].unstarted;
        messages[i]->permanent = nacks[i].permanent;
        if (nacks[i].has_delay) {
            messages[i]->has_delay_ms_case = ACKD__V1__NACK_ITEM__HAS_DELAY_MS_DELAY_MS;
            messages[i]->delay_ms = nacks[i].delay_ms;
        }
        if (nacks[i].has_checkpoint) {
            messages[i]->has_checkpoint_case = ACKD__V1__NACK_ITEM__HAS_CHECKPOINT_CHECKPOINT;
            messages[i]->checkpoint = call_borrow_bytes(nacks[i].checkpoint);
        }
    }
    return messages;
}

static struct ackd_ack_outcome *ack_outcomes(struct call *call, Ackd__V1__AckOutcome **messages,
                                             size_t count, size_t *ret_count)
{
    struct ackd_ack_outcome *array = call_array(call, count, sizeof *array, ret_count);

    for (size_t i = 0; i < *ret_count; i++) {
        array[i].status = outcome_status(call, messages[i]->error, &array[i].message);
        array[i].salvaged = messages[i]->salvaged;
        array[i].repeated = messages[i]->repeated;
    }
    return array;
}

static void lease_from_message(struct call *call, const char *queue,
                               const Ackd__V1__LeaseResponse *response)
{
    struct ackd_lease_reply *reply = call->reply;
    const char *queue_copy = call_text(call, queue);

    reply->tasks = call_array(call, response->n_tasks, sizeof reply->tasks[0], &reply->task_count);
    for (size_t i = 0; i < reply->task_count; i++)
        leased_from_message(call, queue_copy, response->tasks[i], &reply->tasks[i]);
    reply->ack_outcomes = ack_outcomes(call, response->ack_outcomes, response->n_ack_outcomes,
                                       &reply->ack_outcome_count);
    reply->nack_outcomes = outcomes_from_messages(
        call, response->nack_outcomes, response->n_nack_outcomes, &reply->nack_outcome_count);
    if (response->situation == NULL)
        return;
    reply->ready = response->situation->ready;
    reply->leased = response->situation->leased;
    reply->delayed = response->situation->delayed;
    reply->next_change_ms = response->situation->next_change_ms;
    reply->paused = response->situation->paused;
}
