/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher.c -- draws a batch, sends it until the answer is known.
 */
#include "publisher.h"

#include <stdio.h>

#include "bytes.h"
#include "sim.h"

#define PATIENCE_MS 8000

static void wake(struct sim *sim, struct actor *actor);
static void hear(struct sim *sim, struct actor *actor, int tag, enum status status,
                 const ProtobufCMessage *reply);

static const struct actor_kind kind = {wake, hear};

static void alarm_rings(struct sim *sim, struct event *event)
{
    struct actor *actor = CONTAINER_OF(event, struct actor, alarm);

    actor->kind->wake(sim, actor);
}

void publisher_init(struct sim *sim, int index)
{
    struct publisher *self = &sim->publishers[index];

    self->index = index;
    self->actor.kind = &kind;
    snprintf(self->actor.name, sizeof self->actor.name, "publisher %d", index);
    event_init(&self->actor.alarm, alarm_rings);
    schedule_after(&sim->schedule, &self->actor.alarm, chance_between(&sim->chance, 0, 2000));
}

/* The IDs are dealt out like cards. */
static bool is_its_own(const struct publisher *self, int task)
{
    return task % SIM_PUBLISHERS == self->index;
}

bool publisher_is_done(const struct publisher *self)
{
    for (int queue = 0; queue < SIM_QUEUES; queue++)
        for (int task = 0; task < MODEL_TASKS; task++)
            if (is_its_own(self, task) && !self->stored[queue][task])
                return false;
    return true;
}

static void draw_items(struct sim *sim, struct publisher *self)
{
    struct chance *chance = &sim->chance;
    int wanted = chance_between(chance, 1, PUBLISH_ITEMS_MAX);
    bool again = !sim->calm && chance_percent(chance, 15);
    int start = chance_below(chance, MODEL_TASKS);

    self->queue = chance_below(chance, SIM_QUEUES);
    self->item_count = 0;
    for (int i = 0; i < MODEL_TASKS && self->item_count < wanted; i++) {
        int task = (start + i) % MODEL_TASKS;

        if (!is_its_own(self, task) || (self->stored[self->queue][task] && !again))
            continue;
        self->items[self->item_count++] = (struct publish_item_drawn){
            .task = task,
            .priority = chance_percent(chance, 30) ? chance_below(chance, PRIORITY_COUNT) : 0,
            .delay_ms = chance_percent(chance, 20) ? chance_between(chance, 1, 8000) : 0,
            .payload = chance_percent(chance, 90) ? ++sim->next_bytes : 0,
        };
    }
}

static void send_items(struct sim *sim, struct publisher *self)
{
    PB(PublishRequest) request = ACKD__V1__PUBLISH_REQUEST__INIT;
    PB(NewTask) tasks[PUBLISH_ITEMS_MAX];
    PB(NewTask) *task_list[PUBLISH_ITEMS_MAX];
    char queue[4];

    for (int i = 0; i < self->item_count; i++) {
        const struct publish_item_drawn *item = &self->items[i];

        ackd__v1__new_task__init(&tasks[i]);
        tasks[i].task_id = (char *)(uintptr_t)id_of_task(item->task);
        tasks[i].priority = item->priority;
        tasks[i].delay_ms = item->delay_ms;
        tasks[i].payload = bytes_make(&sim->memory, item->payload);
        task_list[i] = &tasks[i];
    }
    snprintf(queue, sizeof queue, "q%d", self->queue);
    request.queue = queue;
    request.dataset = (char *)(uintptr_t)(self->queue == 0 ? "night" : "");
    request.tasks = task_list;
    request.n_tasks = (size_t)self->item_count;
    network_call(sim, &self->actor, 0, METHOD_publish, &request.base, PATIENCE_MS);
}

static void wake(struct sim *sim, struct actor *actor)
{
    struct publisher *self = CONTAINER_OF(actor, struct publisher, actor);

    if (self->item_count == 0)
        draw_items(sim, self);
    if (self->item_count > 0)
        send_items(sim, self);
    else if (!sim->calm || !publisher_is_done(self))
        schedule_after(&sim->schedule, &actor->alarm, chance_between(&sim->chance, 200, 8000));
}

static void note_outcomes(struct publisher *self, const PB(PublishResponse) *reply)
{
    for (size_t i = 0; i < reply->n_outcomes; i++) {
        const PB(ErrorDetail) *error = reply->outcomes[i]->error;

        if (error == NULL || (enum status)error->status == STATUS_DUPLICATE)
            self->stored[self->queue][self->items[i].task] = true;
    }
    self->item_count = 0;
}

static void hear(struct sim *sim, struct actor *actor, int tag, enum status status,
                 const ProtobufCMessage *reply)
{
    struct publisher *self = CONTAINER_OF(actor, struct publisher, actor);

    (void)tag;
    if (status == STATUS_OK)
        note_outcomes(self, (const void *)reply);
    schedule_after(&sim->schedule, &actor->alarm,
                   chance_between(&sim->chance, 0, sim->calm ? 50 : 4000));
}
