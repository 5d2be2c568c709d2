/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch_view.c -- how a queue or a dataset stands, in one look.
 */
#include "cli/watch_view.h"

#include "ackd/v1/dataset.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "cli/broker.h"

/* What the calls of one look share. */
struct look {
    struct cli *cli;
    const char *dataset;
    struct arena *arena;
};

/* A reply, or NULL with the error. */
static void *ask(struct look *self, const char *service, const char *method,
                 const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
                 struct error *error)
{
    ProtobufCMessage *reply;

    if (broker_try(self->cli, service, method, request, response, self->arena, 0, &reply, error) !=
        STATUS_OK)
        return NULL;
    return reply;
}

static bool look_at_queue(struct look *self, struct view *view, struct error *error)
{
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    Ackd__V1__GetQueueResponse *reply;
    const Ackd__V1__Queue *queue;

    request.name = (char *)cli_queue(self->cli);
    reply = ask(self, "QueueService", "Get", &request.base,
                &ackd__v1__get_queue_response__descriptor, error);
    if (reply == NULL)
        return false;
    queue = reply->queue;
    if (queue == NULL)
        return true;
    if (queue->counts != NULL)
        view->counts = *queue->counts;
    view->is_paused = queue->paused;
    view->failures = queue->failures;
    view->preemptions = queue->preemptions;
    view->losses = queue->losses;
    view->salvaged = queue->salvaged;
    view->useful_ms = queue->useful_lease_ms;
    view->wasted_ms = queue->wasted_lease_ms;
    return true;
}

static bool look_at_dataset(struct look *self, struct view *view, struct error *error)
{
    Ackd__V1__GetDatasetRequest request = ACKD__V1__GET_DATASET_REQUEST__INIT;
    Ackd__V1__GetDatasetResponse *reply;
    const Ackd__V1__Dataset *dataset;

    request.queue = (char *)cli_queue(self->cli);
    request.dataset = (char *)self->dataset;
    reply = ask(self, "DatasetService", "Get", &request.base,
                &ackd__v1__get_dataset_response__descriptor, error);
    if (reply == NULL)
        return false;
    dataset = reply->dataset;
    if (dataset == NULL)
        return true;
    if (dataset->counts != NULL)
        view->counts = *dataset->counts;
    view->failures = dataset->failures;
    view->preemptions = dataset->preemptions;
    view->losses = dataset->losses;
    view->salvaged = dataset->salvaged;
    view->useful_ms = dataset->useful_lease_ms;
    view->wasted_ms = dataset->wasted_lease_ms;
    return true;
}

static bool look_at_sessions(struct look *self, struct view *view, struct error *error)
{
    Ackd__V1__ListSessionsRequest request = ACKD__V1__LIST_SESSIONS_REQUEST__INIT;

    request.queue = (char *)cli_queue(self->cli);
    view->sessions = ask(self, "SessionService", "List", &request.base,
                         &ackd__v1__list_sessions_response__descriptor, error);
    return view->sessions != NULL;
}

bool view_look(struct view *self, struct cli *cli, const char *dataset, struct arena *arena,
               struct error *error)
{
    struct look look = {cli, dataset, arena};

    *self = (struct view){0};
    return look_at_queue(&look, self, error) &&
           (dataset == NULL || look_at_dataset(&look, self, error)) &&
           look_at_sessions(&look, self, error);
}

int64_t view_open_count(const struct view *self)
{
    return self->counts.ready + self->counts.leased + self->counts.delayed;
}

double view_fraction_done(const struct view *self)
{
    int64_t ended = self->counts.done + self->counts.dead;
    int64_t all = ended + view_open_count(self);

    return all == 0 ? 0 : (double)ended / (double)all;
}
