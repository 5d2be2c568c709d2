/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_dataset.c -- the calls about datasets.
 */
#include "ackd/admin.h"
#include "ackd/v1/dataset.pb-c.h"
#include "call.h"
#include "tally_message.h"

static void dataset_from_message(struct call *call, const Ackd__V1__Dataset *message,
                                 struct ackd_dataset *dataset);

enum ackd_status ackd_client_get_dataset(struct ackd_client *client, const char *queue,
                                         const char *dataset, struct ackd_dataset **ret_dataset,
                                         struct ackd_error *error)
{
    Ackd__V1__GetDatasetRequest request = ACKD__V1__GET_DATASET_REQUEST__INIT;
    const Ackd__V1__GetDatasetResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_dataset));
    request.queue = call_borrow(queue);
    request.dataset = call_borrow(dataset);
    response = call_run(&call, client, "DatasetService", "Get", &request.base,
                        &ackd__v1__get_dataset_response__descriptor, 0);
    if (response != NULL && response->dataset != NULL)
        dataset_from_message(&call, response->dataset, call.reply);
    return call_end(&call, (void **)ret_dataset, error);
}

void ackd_dataset_free(struct ackd_dataset *dataset)
{
    owned_free(dataset);
}

enum ackd_status ackd_client_list_datasets(struct ackd_client *client, const char *queue,
                                           struct ackd_dataset_list **ret_list,
                                           struct ackd_error *error)
{
    Ackd__V1__ListDatasetsRequest request = ACKD__V1__LIST_DATASETS_REQUEST__INIT;
    const Ackd__V1__ListDatasetsResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_dataset_list));
    request.queue = call_borrow(queue);
    response = call_run(&call, client, "DatasetService", "List", &request.base,
                        &ackd__v1__list_datasets_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_dataset_list *list = call.reply;

        list->datasets =
            call_array(&call, response->n_datasets, sizeof list->datasets[0], &list->dataset_count);
        for (size_t i = 0; i < list->dataset_count; i++)
            dataset_from_message(&call, response->datasets[i], &list->datasets[i]);
    }
    return call_end(&call, (void **)ret_list, error);
}

void ackd_dataset_list_free(struct ackd_dataset_list *list)
{
    owned_free(list);
}

static void dataset_from_message(struct call *call, const Ackd__V1__Dataset *message,
                                 struct ackd_dataset *dataset)
{
    dataset->name = call_text(call, message->name);
    TALLY_FROM_MESSAGE(message, dataset);
    dataset->first_published_unix_ms = message->first_published_unix_ms;
    dataset->last_published_unix_ms = message->last_published_unix_ms;
    dataset->first_done_unix_ms = message->first_done_unix_ms;
    dataset->last_done_unix_ms = message->last_done_unix_ms;
    dataset->done_per_s = message->done_per_s;
    dataset->eta_ms = message->eta_ms;
}
