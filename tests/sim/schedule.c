/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.c -- a heap of events.
 */
#include "schedule.h"

#include "base/assert.h"
#include "base/list.h"

void schedule_init(struct schedule *self)
{
    heap_init(&self->heap);
    self->now_ms = 0;
}

void schedule_deinit(struct schedule *self)
{
    heap_deinit(&self->heap);
}

void event_init(struct event *self, void (*happen)(struct sim *sim, struct event *self))
{
    heap_node_init(&self->node);
    self->happen = happen;
}

void schedule_after(struct schedule *self, struct event *event, int64_t after_ms)
{
    int64_t at_ms = self->now_ms + (after_ms > 0 ? after_ms : 0);

    if (event_is_planned(event)) {
        heap_move(&self->heap, &event->node, at_ms);
        return;
    }
    ASSERT(heap_reserve(&self->heap, 1));
    heap_push(&self->heap, &event->node, at_ms);
}

void schedule_cancel(struct schedule *self, struct event *event)
{
    heap_remove(&self->heap, &event->node);
}

bool schedule_step(struct schedule *self, struct sim *sim, int64_t until_ms)
{
    struct heap_node *first = heap_first(&self->heap);
    struct event *event;

    if (first == NULL || first->key > until_ms) {
        self->now_ms = until_ms;
        return false;
    }
    event = CONTAINER_OF(first, struct event, node);
    self->now_ms = first->key;
    heap_remove(&self->heap, first);
    event->happen(sim, event);
    return true;
}
