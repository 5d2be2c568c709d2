/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset.c -- DatasetService.
 */
#include "service/internal.h"

static PB(Dataset) *build_dataset(struct arena *arena, const struct dataset_view *view)
{
    const struct tally *tally = &view->tally;
    PB(Dataset) *dataset = PB_NEW(arena, Dataset, dataset);

    if (dataset == NULL)
        return NULL;
    dataset->name = arena_string(arena, view->name);
    dataset->counts = wire_counts(arena, tally);
    dataset->useful_lease_ms = tally->useful_ms;
    dataset->wasted_lease_ms = tally->wasted_ms;
    dataset->first_published_unix_ms = tally->first_published_ms;
    dataset->last_published_unix_ms = tally->last_published_ms;
    dataset->first_done_unix_ms = tally->first_done_ms;
    dataset->last_done_unix_ms = tally->last_done_ms;
    dataset->done_per_s = view->rate.done_per_s;
    dataset->eta_ms = view->rate.eta_ms;
    dataset->deliveries = tally->deliveries;
    dataset->failures = tally->failures;
    dataset->preemptions = tally->preemptions;
    dataset->losses = tally->losses;
    dataset->salvaged = tally->salvaged;
    return dataset->name == NULL || dataset->counts == NULL ? NULL : dataset;
}

static ProtobufCMessage *build_list(struct service_call *call, struct call *base)
{
    struct dataset_call *done = CONTAINER_OF(base, struct dataset_call, call);
    PB(ListDatasetsResponse) *response =
        PB_NEW(call->arena, ListDatasetsResponse, list_datasets_response);

    if (response == NULL)
        return NULL;
    response->datasets = ARENA_ARRAY(call->arena, done->view_count, PB(Dataset) *);
    for (size_t i = 0; i < done->view_count && response->datasets != NULL; i++) {
        response->datasets[i] = build_dataset(call->arena, &done->views[i]);
        if (response->datasets[i] == NULL)
            return NULL;
        response->n_datasets++;
    }
    return response->datasets == NULL ? NULL : &response->base;
}

static ProtobufCMessage *build_get(struct service_call *call, struct call *base)
{
    struct dataset_call *done = CONTAINER_OF(base, struct dataset_call, call);
    PB(GetDatasetResponse) *response =
        PB_NEW(call->arena, GetDatasetResponse, get_dataset_response);

    if (response == NULL)
        return NULL;
    response->dataset = build_dataset(call->arena, &done->views[0]);
    return response->dataset == NULL ? NULL : &response->base;
}

static void send_dataset_call(struct service *self, struct service_call *call, const char *queue,
                              const char *name, reply_builder *build)
{
    struct dataset_call *base;

    call->service = self;
    allow_reply(call, REPLY_BYTES_MAX);
    base = ARENA_NEW(call->arena, struct dataset_call);
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    base->queue = slice_of_string(queue);
    base->all = name == NULL;
    base->name = slice_of_string(name == NULL ? "" : name);
    if (check_dataset_name(name == NULL ? "" : name, &call->error) != STATUS_OK)
        refuse(call);
    else
        send_to_queue(call, queue, &base->call, &verb_dataset_list, build);
}

void service_dataset_list(struct service *self, struct service_call *call)
{
    const PB(ListDatasetsRequest) *request = (const void *)call->request;

    send_dataset_call(self, call, request->queue, NULL, build_list);
}

void service_dataset_get(struct service *self, struct service_call *call)
{
    const PB(GetDatasetRequest) *request = (const void *)call->request;

    send_dataset_call(self, call, request->queue, request->dataset, build_get);
}
