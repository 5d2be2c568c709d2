/* SPDX-License-Identifier: Apache-2.0 */
/*
 * company.c -- keeps calls back from a batch that begins, and lets them join it.
 */
#include "company.h"

#include "base/assert.h"
#include "shard/state.h"
#include "sim.h"

#define TOGETHER_MAX 4 /* calls that join at a time */

static struct sim *open_in; /* whose batch is open: a shard knows nothing of simulations */

static struct visit *visit_of(struct sim *sim, const struct list *call)
{
    LIST_EACH (link, &sim->broker.visits) {
        struct visit *visit = CONTAINER_OF(link, struct visit, link);

        if (visit->call == call)
            return visit;
    }
    return NULL;
}

static bool let_join(struct shard *shard, struct list *calls)
{
    struct sim *sim = open_in;
    int count = chance_between(&sim->chance, 1, TOGETHER_MAX);
    struct list *link;

    if (gather_next(&shard->gather) == 0)
        return false; /* it found no room: it is open no more */
    ASSERT(list_is_empty(&shard->inbox));
    while (count-- > 0 && (link = list_take_first(&sim->broker.kept_back)) != NULL) {
        struct visit *visit = visit_of(sim, link);

        ASSERT(visit != NULL);
        visit->presence = VISIT_JOINED;
        sim->figures->joined++;
        list_append(&shard->inbox, link);
        shard->inbox_count++;
    }
    shard_take(shard, calls);
    return !list_is_empty(calls);
}

/* From the end of the inbox, so that the visits still run in their order. */
static void keep_back(struct sim *sim, struct shard *shard, int count)
{
    while (count-- > 0) {
        struct list *link = shard->inbox.prev;
        struct visit *visit = visit_of(sim, link);

        if (visit == NULL)
            return; /* not its first call */
        list_remove(link);
        shard->inbox_count--;
        list_prepend(&sim->broker.kept_back, link);
        visit->presence = VISIT_LATE;
    }
}

void company_begin(struct sim *sim, int open_percent)
{
    struct shard *shard = broker_shard(&sim->broker);

    LIST_EACH (link, &sim->broker.visits)
        CONTAINER_OF(link, struct visit, link)->presence = VISIT_IN_TIME;
    if (list_is_empty(&shard->inbox) || !chance_percent(&sim->chance, open_percent))
        return;
    shard->gather = (struct gather){.wanted = shard->inbox_count, .step = 1};
    keep_back(sim, shard, chance_below(&sim->chance, (int)shard->inbox_count));
    open_in = sim;
    shard->take_more = let_join;
}

void company_end(struct sim *sim)
{
    struct shard *shard = broker_shard(&sim->broker);
    struct list *link;

    shard->take_more = NULL;
    shard->gather = (struct gather){0};
    while ((link = list_take_first(&sim->broker.kept_back)) != NULL) {
        list_append(&shard->inbox, link);
        shard->inbox_count++;
    }
}

bool company_was_late(const struct sim *sim)
{
    LIST_EACH (link, &sim->broker.visits)
        if (CONTAINER_OF(link, struct visit, link)->presence == VISIT_LATE)
            return true;
    return false;
}
