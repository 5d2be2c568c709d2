/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_queue.c -- the calls about queues.
 */
#include "ackd/admin.h"
#include "ackd/v1/queue.pb-c.h"
#include "call.h"
#include "tally_message.h"

static void config_to_message(const struct ackd_queue_config *config,
                              Ackd__V1__QueueConfig *message);
static void queue_from_message(struct call *call, const Ackd__V1__Queue *message,
                               struct ackd_queue *queue);

/* The config's fields, for both directions: name, its name in capitals, its type there. */
#define CONFIG_FIELDS(X)                                                                           \
    X(lease_ms, LEASE_MS, int64_t)                                                                 \
    X(max_failures, MAX_FAILURES, int32_t)                                                         \
    X(max_losses, MAX_LOSSES, int32_t)                                                             \
    X(backoff_min_ms, BACKOFF_MIN_MS, int64_t)                                                     \
    X(backoff_max_ms, BACKOFF_MAX_MS, int64_t)                                                     \
    X(dedup, DEDUP, protobuf_c_boolean)                                                            \
    X(dedup_retention_ms, DEDUP_RETENTION_MS, int64_t)                                             \
    X(result_retention_ms, RESULT_RETENTION_MS, int64_t)                                           \
    X(task_ttl_ms, TASK_TTL_MS, int64_t)                                                           \
    X(max_leased, MAX_LEASED, int64_t)

enum ackd_status ackd_client_create_queue(struct ackd_client *client, const char *name,
                                          const struct ackd_queue_config *config,
                                          struct ackd_queue **ret_queue, bool *ret_created,
                                          struct ackd_error *error)
{
    Ackd__V1__CreateQueueRequest request = ACKD__V1__CREATE_QUEUE_REQUEST__INIT;
    Ackd__V1__QueueConfig message = ACKD__V1__QUEUE_CONFIG__INIT;
    const Ackd__V1__CreateQueueResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_queue));
    request.name = call_borrow(name);
    if (config != NULL) {
        config_to_message(config, &message);
        request.config = &message;
    }
    response = call_run(&call, client, "QueueService", "Create", &request.base,
                        &ackd__v1__create_queue_response__descriptor, 0);
    if (response != NULL) {
        queue_from_message(&call, response->queue, call.reply);
        if (ret_created != NULL)
            *ret_created = response->created;
    }
    return call_end(&call, (void **)ret_queue, error);
}

enum ackd_status ackd_client_get_queue(struct ackd_client *client, const char *name,
                                       struct ackd_queue **ret_queue, struct ackd_error *error)
{
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    const Ackd__V1__GetQueueResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_queue));
    request.name = call_borrow(name);
    response = call_run(&call, client, "QueueService", "Get", &request.base,
                        &ackd__v1__get_queue_response__descriptor, 0);
    if (response != NULL)
        queue_from_message(&call, response->queue, call.reply);
    return call_end(&call, (void **)ret_queue, error);
}

enum ackd_status ackd_client_list_queues(struct ackd_client *client, int64_t page_size,
                                         const char *page_token, struct ackd_queue_list **ret_list,
                                         struct ackd_error *error)
{
    Ackd__V1__ListQueuesRequest request = ACKD__V1__LIST_QUEUES_REQUEST__INIT;
    const Ackd__V1__ListQueuesResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_queue_list));
    request.page_size = call_clamp_i32(page_size);
    request.page_token = call_borrow(page_token);
    response = call_run(&call, client, "QueueService", "List", &request.base,
                        &ackd__v1__list_queues_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_queue_list *list = call.reply;

        list->queues =
            call_array(&call, response->n_queues, sizeof list->queues[0], &list->queue_count);
        for (size_t i = 0; i < list->queue_count; i++)
            queue_from_message(&call, response->queues[i], &list->queues[i]);
        list->next_page_token = call_text(&call, response->next_page_token);
    }
    return call_end(&call, (void **)ret_list, error);
}

void ackd_queue_list_free(struct ackd_queue_list *list)
{
    owned_free(list);
}

enum ackd_status ackd_client_update_queue(struct ackd_client *client, const char *name,
                                          const struct ackd_queue_config *config,
                                          struct ackd_queue **ret_queue, struct ackd_error *error)
{
    Ackd__V1__UpdateQueueRequest request = ACKD__V1__UPDATE_QUEUE_REQUEST__INIT;
    Ackd__V1__QueueConfig message = ACKD__V1__QUEUE_CONFIG__INIT;
    const Ackd__V1__UpdateQueueResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_queue));
    config_to_message(config, &message);
    request.name = call_borrow(name);
    request.config = &message;
    response = call_run(&call, client, "QueueService", "Update", &request.base,
                        &ackd__v1__update_queue_response__descriptor, 0);
    if (response != NULL)
        queue_from_message(&call, response->queue, call.reply);
    return call_end(&call, (void **)ret_queue, error);
}

enum ackd_status ackd_client_delete_queue(struct ackd_client *client, const char *name,
                                          struct ackd_error *error)
{
    Ackd__V1__DeleteQueueRequest request = ACKD__V1__DELETE_QUEUE_REQUEST__INIT;
    struct call call;

    call_begin(&call, 0);
    request.name = call_borrow(name);
    (void)call_run(&call, client, "QueueService", "Delete", &request.base,
                   &ackd__v1__delete_queue_response__descriptor, 0);
    return call_end(&call, NULL, error);
}

enum ackd_status ackd_client_pause_queue(struct ackd_client *client, const char *name,
                                         struct ackd_error *error)
{
    Ackd__V1__PauseQueueRequest request = ACKD__V1__PAUSE_QUEUE_REQUEST__INIT;
    struct call call;

    call_begin(&call, 0);
    request.name = call_borrow(name);
    (void)call_run(&call, client, "QueueService", "Pause", &request.base,
                   &ackd__v1__pause_queue_response__descriptor, 0);
    return call_end(&call, NULL, error);
}

enum ackd_status ackd_client_resume_queue(struct ackd_client *client, const char *name,
                                          struct ackd_error *error)
{
    Ackd__V1__ResumeQueueRequest request = ACKD__V1__RESUME_QUEUE_REQUEST__INIT;
    struct call call;

    call_begin(&call, 0);
    request.name = call_borrow(name);
    (void)call_run(&call, client, "QueueService", "Resume", &request.base,
                   &ackd__v1__resume_queue_response__descriptor, 0);
    return call_end(&call, NULL, error);
}

enum ackd_status ackd_client_purge_queue(struct ackd_client *client, const char *name,
                                         const char *dataset, int64_t *ret_purged,
                                         struct ackd_error *error)
{
    Ackd__V1__PurgeQueueRequest request = ACKD__V1__PURGE_QUEUE_REQUEST__INIT;
    const Ackd__V1__PurgeQueueResponse *response;
    struct call call;

    call_begin(&call, 0);
    request.name = call_borrow(name);
    request.dataset = call_borrow(dataset);
    response = call_run(&call, client, "QueueService", "Purge", &request.base,
                        &ackd__v1__purge_queue_response__descriptor, 0);
    if (response != NULL && ret_purged != NULL)
        *ret_purged = response->purged;
    return call_end(&call, NULL, error);
}

void ackd_queue_free(struct ackd_queue *queue)
{
    owned_free(queue);
}

static void config_to_message(const struct ackd_queue_config *config,
                              Ackd__V1__QueueConfig *message)
{
#define X(name, NAME, type)                                                                        \
    if (config->name >= 0) {                                                                       \
        message->has_##name##_case = ACKD__V1__QUEUE_CONFIG__HAS_##NAME##_##NAME;                  \
        message->name = (type)config->name;                                                        \
    }
    CONFIG_FIELDS(X)
#undef X
    if (config->refuse_late_results >= 0) {
        message->has_late_results_case = ACKD__V1__QUEUE_CONFIG__HAS_LATE_RESULTS_LATE_RESULTS;
        message->late_results = config->refuse_late_results > 0
                                    ? ACKD__V1__LATE_RESULTS__LATE_RESULTS_REFUSE
                                    : ACKD__V1__LATE_RESULTS__LATE_RESULTS_SALVAGE;
    }
}

static void config_from_message(struct ackd_queue_config *config,
                                const Ackd__V1__QueueConfig *message)
{
    ackd_queue_config_init(config);
    if (message == NULL)
        return;
#define X(name, NAME, type)                                                                        \
    if (message->has_##name##_case != 0)                                                           \
        config->name = message->name;
    CONFIG_FIELDS(X)
#undef X
    if (message->has_late_results_case != 0)
        config->refuse_late_results =
            message->late_results == ACKD__V1__LATE_RESULTS__LATE_RESULTS_REFUSE;
}

static void queue_from_message(struct call *call, const Ackd__V1__Queue *message,
                               struct ackd_queue *queue)
{
    if (message == NULL)
        return;
    queue->name = call_text(call, message->name);
    config_from_message(&queue->config, message->config);
    queue->paused = message->paused;
    queue->created_unix_ms = message->created_unix_ms;
    TALLY_FROM_MESSAGE(message, queue);
    queue->waiters = message->waiters;
    queue->sessions = message->sessions;
}
