/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator.c -- one deed after another.
 */
#include "operator.h"

#include <stdio.h>

#include "sim.h"

#define PATIENCE_MS 8000

static char queue_names[SIM_QUEUES][4] = {"q0", "q1"};

static void wake(struct sim *sim, struct actor *actor);
static void hear(struct sim *sim, struct actor *actor, int tag, enum status status,
                 const ProtobufCMessage *reply);

static const struct actor_kind kind = {wake, hear};

static void alarm_rings(struct sim *sim, struct event *event)
{
    struct actor *actor = CONTAINER_OF(event, struct actor, alarm);

    actor->kind->wake(sim, actor);
}

void operator_init(struct sim *sim)
{
    struct actor *actor = &sim->operator.actor;

    actor->kind = &kind;
    snprintf(actor->name, sizeof actor->name, "the operator");
    event_init(&actor->alarm, alarm_rings);
    schedule_after(&sim->schedule, &actor->alarm, chance_between(&sim->chance, 500, 8000));
}

static void send(struct sim *sim, enum method_number method, const ProtobufCMessage *request)
{
    network_call(sim, &sim->operator.actor, 0, method, request, PATIENCE_MS);
}

static void cancel(struct sim *sim, char *queue)
{
    PB(CancelTasksRequest) request = ACKD__V1__CANCEL_TASKS_REQUEST__INIT;
    char *ids[3];

    request.queue = queue;
    request.n_task_ids = (size_t)chance_between(&sim->chance, 1, 3);
    request.task_ids = ids;
    for (size_t i = 0; i < request.n_task_ids; i++)
        ids[i] = (char *)(uintptr_t)id_of_task(chance_below(&sim->chance, MODEL_TASKS));
    send(sim, METHOD_task_cancel, &request.base);
}

static void redrive(struct sim *sim, char *queue)
{
    PB(RedriveRequest) request = ACKD__V1__REDRIVE_REQUEST__INIT;
    PB(DeadSelection) selection = ACKD__V1__DEAD_SELECTION__INIT;

    selection.all = true;
    request.queue = queue;
    request.selection = &selection;
    send(sim, METHOD_dead_redrive, &request.base);
}

static void delete_dead(struct sim *sim, char *queue)
{
    PB(DeleteDeadRequest) request = ACKD__V1__DELETE_DEAD_REQUEST__INIT;
    PB(DeadSelection) selection = ACKD__V1__DEAD_SELECTION__INIT;

    selection.all = true;
    request.queue = queue;
    request.selection = &selection;
    send(sim, METHOD_dead_delete, &request.base);
}

static void purge(struct sim *sim, char *queue)
{
    PB(PurgeQueueRequest) request = ACKD__V1__PURGE_QUEUE_REQUEST__INIT;

    request.name = queue;
    send(sim, METHOD_queue_purge, &request.base);
}

static void pause(struct sim *sim, char *queue)
{
    PB(PauseQueueRequest) request = ACKD__V1__PAUSE_QUEUE_REQUEST__INIT;

    request.name = queue;
    send(sim, METHOD_queue_pause, &request.base);
}

static void resume(struct sim *sim, char *queue)
{
    PB(ResumeQueueRequest) request = ACKD__V1__RESUME_QUEUE_REQUEST__INIT;

    request.name = queue;
    send(sim, METHOD_queue_resume, &request.base);
}

static void update(struct sim *sim, char *queue)
{
    PB(UpdateQueueRequest) request = ACKD__V1__UPDATE_QUEUE_REQUEST__INIT;
    PB(QueueConfig) config = ACKD__V1__QUEUE_CONFIG__INIT;
    struct chance *chance = &sim->chance;

    if (chance_percent(chance, 50)) {
        config.has_lease_ms_case = ACKD__V1__QUEUE_CONFIG__HAS_LEASE_MS_LEASE_MS;
        config.lease_ms = chance_between(chance, 1000, 20000);
    }
    if (chance_percent(chance, 50)) {
        config.has_max_failures_case = ACKD__V1__QUEUE_CONFIG__HAS_MAX_FAILURES_MAX_FAILURES;
        config.max_failures = chance_between(chance, 1, 5);
    }
    if (chance_percent(chance, 30)) {
        config.has_max_losses_case = ACKD__V1__QUEUE_CONFIG__HAS_MAX_LOSSES_MAX_LOSSES;
        config.max_losses = chance_between(chance, 1, 5);
    }
    if (chance_percent(chance, 30)) {
        config.has_max_leased_case = ACKD__V1__QUEUE_CONFIG__HAS_MAX_LEASED_MAX_LEASED;
        config.max_leased = chance_percent(chance, 50) ? 0 : chance_between(chance, 1, 10);
    }
    if (chance_percent(chance, 30)) {
        config.has_late_results_case = ACKD__V1__QUEUE_CONFIG__HAS_LATE_RESULTS_LATE_RESULTS;
        config.late_results = (PB(LateResults))chance_between(chance, 1, 2);
    }
    if (weather_allows_ttl(&sim->weather) && chance_percent(chance, 30)) {
        config.has_task_ttl_ms_case = ACKD__V1__QUEUE_CONFIG__HAS_TASK_TTL_MS_TASK_TTL_MS;
        config.task_ttl_ms = chance_percent(chance, 50) ? 0 : chance_between(chance, 5000, 60000);
    }
    request.name = queue;
    request.config = &config;
    send(sim, METHOD_queue_update, &request.base);
}

static void list(struct sim *sim, char *queue)
{
    PB(ListTasksRequest) request = ACKD__V1__LIST_TASKS_REQUEST__INIT;

    request.queue = queue;
    request.page_size = 1000;
    request.with_payload = true;
    send(sim, METHOD_task_list, &request.base);
}

static const struct deed {
    int weight;
    void (*run)(struct sim *sim, char *queue);
} deeds[] = {{25, cancel}, {18, redrive}, {4, delete_dead}, {3, purge},
             {6, pause},   {16, resume},  {12, update},     {10, list}};

static void wake_in_calm(struct sim *sim)
{
    char *queue = queue_names[chance_below(&sim->chance, SIM_QUEUES)];
    PB(UpdateQueueRequest) request = ACKD__V1__UPDATE_QUEUE_REQUEST__INIT;
    PB(QueueConfig) config = ACKD__V1__QUEUE_CONFIG__INIT;

    switch (chance_below(&sim->chance, 3)) {
    case 0:
        resume(sim, queue);
        return;
    case 1:
        redrive(sim, queue);
        return;
    default: /* nothing shall grow too old any more */
        config.has_task_ttl_ms_case = ACKD__V1__QUEUE_CONFIG__HAS_TASK_TTL_MS_TASK_TTL_MS;
        request.name = queue;
        request.config = &config;
        send(sim, METHOD_queue_update, &request.base);
    }
}

static void wake(struct sim *sim, struct actor *actor)
{
    char *queue = queue_names[chance_below(&sim->chance, SIM_QUEUES)];
    int drawn = 0;

    (void)actor;
    if (sim->calm) {
        wake_in_calm(sim);
        return;
    }
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        drawn += deeds[i].weight;
    drawn = chance_below(&sim->chance, drawn);
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        drawn -= deeds[i].weight;
        if (drawn < 0) {
            deeds[i].run(sim, queue);
            return;
        }
    }
}

static void hear(struct sim *sim, struct actor *actor, int tag, enum status status,
                 const ProtobufCMessage *reply)
{
    (void)tag;
    (void)status;
    (void)reply;
    schedule_after(&sim->schedule, &actor->alarm,
                   chance_between(&sim->chance, 200, sim->calm ? 3000 : 12000));
}
