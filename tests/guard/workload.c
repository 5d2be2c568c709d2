/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload.c -- publishing and cycling with fixed counts.
 */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "base/assert.h"

#define PB(name) Ackd__V1__##name
#define QUEUE "pages"
#define STOCK_BATCH 1000
#define ID_BYTES 24
#define BATCH_MAX 1000
#define PAYLOAD_BYTES_MAX 4096

/* clang-format off */
const struct workload workloads[] = {
    /* name, text, kind, payload, batch, clients, rounds before, rounds */
    {"publish", "publish, 1000 tasks a request", PUBLISH, 256, 1000, 1, 4, 16},
    {"publish-ids", "publish with task IDs, 1000 a request", PUBLISH_IDS, 256, 1000, 1, 4, 16},
    {"publish-4k", "publish, 1000 tasks of 4 KiB a request", PUBLISH, 4096, 1000, 1, 2, 4},
    {"publish-1", "publish, 1 task a request, 64 clients", PUBLISH, 256, 1, 64, 10, 30},
    {"cycle-100", "lease + ack, 100 tasks a request, 4 workers", CYCLE, 256, 100, 4, 5, 20},
    {"cycle-1", "lease + ack, 1 task a request, 64 workers", CYCLE, 256, 1, 64, 10, 30},
    {"cycle-1-alone", "lease + ack, 1 task a request, 1 worker", CYCLE, 256, 1, 1, 100, 500},
    {NULL, NULL, PUBLISH, 0, 0, 0, 0, 0},
};
/* clang-format on */

/* The next `count` tasks; IDs never come again. */
static void ask_publish(struct client *client, const struct workload *workload, size_t count)
{
    static uint64_t number;
    static uint8_t payload[PAYLOAD_BYTES_MAX];
    static char ids[BATCH_MAX][ID_BYTES];
    static PB(NewTask) tasks[BATCH_MAX];
    static PB(NewTask) *pointers[BATCH_MAX];
    PB(PublishRequest) request = ACKD__V1__PUBLISH_REQUEST__INIT;

    ASSERT(count <= BATCH_MAX && workload->payload_bytes <= PAYLOAD_BYTES_MAX);
    memset(payload, 'x', sizeof payload);
    for (size_t i = 0; i < count; i++) {
        ackd__v1__new_task__init(&tasks[i]);
        tasks[i].payload = (ProtobufCBinaryData){workload->payload_bytes, payload};
        snprintf(ids[i], ID_BYTES, "row-%016llu", (unsigned long long)number++);
        if (workload->kind == PUBLISH_IDS)
            tasks[i].task_id = ids[i];
        pointers[i] = &tasks[i];
    }
    request.queue = (char *)QUEUE;
    request.tasks = pointers;
    request.n_tasks = count;
    request.brief = true;
    client_ask(client, "TaskService/Publish", &request.base);
}

static void check_stored(struct client *client, size_t count)
{
    const PB(PublishResponse) *response =
        client_answer(client, &ackd__v1__publish_response__descriptor);

    if (response->stored != (int32_t)count)
        die("of %zu tasks %d were stored", count, response->stored);
}

/* The next batch, with the acks of the last. */
static void ask_lease(struct client *client, const struct workload *workload, const char *session)
{
    PB(LeaseRequest) request = ACKD__V1__LEASE_REQUEST__INIT;
    PB(AckItem) acks[BATCH_MAX];
    PB(AckItem) *pointers[BATCH_MAX];
    const PB(LeaseResponse) *last = NULL;

    ASSERT(workload->batch <= BATCH_MAX);
    if (client->body.data != NULL)
        last = client_answer(client, &ackd__v1__lease_response__descriptor);
    for (size_t i = 0; last != NULL && i < last->n_tasks; i++) {
        ackd__v1__ack_item__init(&acks[i]);
        acks[i].lease_token = last->tasks[i]->lease_token;
        pointers[i] = &acks[i];
        request.n_acks++;
    }
    request.queue = (char *)QUEUE;
    request.session_id = (char *)session;
    request.max_tasks = (int32_t)workload->batch;
    request.acks = pointers;
    client_ask(client, "TaskService/Lease", &request.base);
}

static void check_leased(struct client *client, const struct workload *workload)
{
    const PB(LeaseResponse) *response =
        client_answer(client, &ackd__v1__lease_response__descriptor);

    if (response->n_tasks != workload->batch)
        die("of %zu tasks %zu were leased", workload->batch, response->n_tasks);
    for (size_t i = 0; i < response->n_ack_outcomes; i++)
        if (response->ack_outcomes[i]->error != NULL)
            die("an ack was refused: %s", response->ack_outcomes[i]->error->message);
}

static void create_queue(struct client *client)
{
    PB(CreateQueueRequest) request = ACKD__V1__CREATE_QUEUE_REQUEST__INIT;

    request.name = (char *)QUEUE;
    client_ask(client, "QueueService/Create", &request.base);
    clients_run(client, 1);
    client_answer(client, &ackd__v1__create_queue_response__descriptor);
}

/* The caller frees the session's ID. */
static char *open_session(struct client *client)
{
    PB(OpenSessionRequest) request = ACKD__V1__OPEN_SESSION_REQUEST__INIT;
    const PB(OpenSessionResponse) *response;

    request.queue = (char *)QUEUE;
    request.worker = (char *)"worker";
    request.session_ms = 3600000;
    client_ask(client, "SessionService/Open", &request.base);
    clients_run(client, 1);
    response = client_answer(client, &ackd__v1__open_session_response__descriptor);
    return strdup(response->session_id);
}

/* As much as all rounds will lease, and more, so that the last are like the first. */
static void fill_queue(struct client *client, const struct workload *workload)
{
    size_t needed =
        workload->batch * workload->clients * (workload->rounds_before + workload->rounds);

    for (size_t filled = 0; filled < needed + STOCK_BATCH; filled += STOCK_BATCH) {
        ask_publish(client, workload, STOCK_BATCH);
        clients_run(client, 1);
        check_stored(client, STOCK_BATCH);
    }
}

static void ask(struct client *client, const struct workload *workload, const char *session)
{
    if (workload->kind == CYCLE)
        ask_lease(client, workload, session);
    else
        ask_publish(client, workload, workload->batch);
}

static void check(struct client *client, const struct workload *workload)
{
    if (workload->kind == CYCLE)
        check_leased(client, workload);
    else
        check_stored(client, workload->batch);
}

static void run_round(struct client *clients, char **sessions, const struct workload *workload)
{
    for (size_t i = 0; i < workload->clients; i++)
        ask(&clients[i], workload, sessions[i]);
    clients_run(clients, workload->clients);
    for (size_t i = 0; i < workload->clients; i++)
        check(&clients[i], workload);
}

static void prepare(struct box *box, struct client *clients, char **sessions,
                    const struct workload *workload)
{
    struct client operator;

    client_init(&operator, box);
    create_queue(&operator);
    if (workload->kind == CYCLE)
        fill_queue(&operator, workload);
    for (size_t i = 0; i < workload->clients; i++) {
        client_init(&clients[i], box);
        sessions[i] = workload->kind == CYCLE ? open_session(&operator) : NULL;
    }
    client_deinit(&operator);
}

size_t workload_run(const struct workload *self, const char *directory)
{
    struct box *box = box_new(directory);
    struct client *clients = calloc(self->clients, sizeof *clients);
    char **sessions = calloc(self->clients, sizeof *sessions);

    if (clients == NULL || sessions == NULL)
        die("there is no memory");
    prepare(box, clients, sessions, self);
    for (size_t i = 0; i < self->rounds_before; i++)
        run_round(clients, sessions, self);
    box->is_counted = true;
    for (size_t i = 0; i < self->rounds; i++)
        run_round(clients, sessions, self);
    box->is_counted = false;
    for (size_t i = 0; i < self->clients; i++) {
        client_deinit(&clients[i]);
        free(sessions[i]);
    }
    free(sessions);
    free(clients);
    box_free(box);
    return self->batch * self->clients * self->rounds;
}
