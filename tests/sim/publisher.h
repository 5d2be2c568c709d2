/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher.h -- publishes the IDs that are its own, in batches, until it has heard of each that it
 * is stored. What it has not heard of it publishes again, and now and then what is long stored.
 */
#ifndef ACKD_TESTS_SIM_PUBLISHER_H
#define ACKD_TESTS_SIM_PUBLISHER_H

#include "actor.h"
#include "checker.h"

enum { PUBLISH_ITEMS_MAX = 8 };

struct publish_item_drawn {
    int task;
    int priority;
    int64_t delay_ms;
    unsigned payload;
};

struct publisher {
    struct actor actor;
    int index;
    bool stored[SIM_QUEUES][MODEL_TASKS];
    int queue; /* of the batch under way */
    struct publish_item_drawn items[PUBLISH_ITEMS_MAX];
    int item_count; /* 0: none is under way */
};

void publisher_init(struct sim *sim, int index);
/* Whether it has heard of all of its tasks. */
bool publisher_is_done(const struct publisher *self);

#endif
