/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h -- virtual time: what will happen, and when. Time passes only from one event to the
 * next, so that a quiet hour costs nothing.
 */
#ifndef ACKD_TESTS_SIM_SCHEDULE_H
#define ACKD_TESTS_SIM_SCHEDULE_H

#include "base/heap.h"

struct sim;

struct event {
    struct heap_node node;
    void (*happen)(struct sim *sim, struct event *self);
};

struct schedule {
    struct heap heap;
    int64_t now_ms; /* since the begin of the simulation */
};

void schedule_init(struct schedule *self);
void schedule_deinit(struct schedule *self);

void event_init(struct event *self, void (*happen)(struct sim *sim, struct event *self));
/* Plans the event, or moves one that is planned. `after_ms` may be 0. */
void schedule_after(struct schedule *self, struct event *event, int64_t after_ms);
void schedule_cancel(struct schedule *self, struct event *event);
static inline bool event_is_planned(const struct event *event)
{
    return event->node.index != HEAP_OUTSIDE;
}
/* Moves the time to the next event and lets it happen; false if there is none before `until_ms`,
 * which it is then. */
bool schedule_step(struct schedule *self, struct sim *sim, int64_t until_ms);

#endif
