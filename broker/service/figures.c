/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures.c -- every shard's figures as those of one broker.
 *
 * Each shard names as many queues and datasets as may be named in all; here the oldest queues and
 * the last datasets of these are kept, and the rest is summed.
 */
#include "service/figures.h"

#include <stdlib.h>

#include "service/internal.h"

static void prepare(struct fan *fan, struct call *base, int shard)
{
    (void)shard;
    CONTAINER_OF(base, struct figures_call, call)->max = *(const size_t *)fan->call->context;
}

static int by_creation(const void *a, const void *b)
{
    const struct queue_figures *left = a;
    const struct queue_figures *right = b;

    if (left->created_ms != right->created_ms)
        return left->created_ms < right->created_ms ? -1 : 1;
    return slice_compare(left->name, right->name);
}

static int by_last_begin(const void *a, const void *b)
{
    int64_t left_ms = ((const struct dataset_figures *)a)->tally.first_published_ms;
    int64_t right_ms = ((const struct dataset_figures *)b)->tally.first_published_ms;

    return left_ms > right_ms ? -1 : left_ms < right_ms;
}

/* Room for what all shards sent. */
static struct figures *make(struct arena *arena, const struct fan *fan)
{
    struct figures *self = ARENA_NEW(arena, struct figures);
    size_t queues = 0;
    size_t datasets = 0;

    if (self == NULL)
        return NULL;
    for (int i = 0; i < fan->count; i++) {
        const struct figures_call *part = CONTAINER_OF(fan->calls[i], struct figures_call, call);

        queues += part->queue_count;
        datasets += part->dataset_count;
    }
    self->shards = ARENA_ARRAY(arena, (size_t)fan->count, struct shard_stats);
    self->queues = ARENA_ARRAY(arena, queues, struct queue_figures);
    self->datasets = ARENA_ARRAY(arena, datasets + 1, struct dataset_figures);
    self->others.oldest_ready_age_ms = -1;
    return self->shards == NULL || self->queues == NULL || self->datasets == NULL ? NULL : self;
}

static void add_part(struct figures *self, const struct figures_call *part)
{
    self->shards[self->shard_count++] = part->stats;
    for (size_t i = 0; i < part->queue_count; i++)
        self->queues[self->queue_count++] = part->queues[i];
    for (size_t i = 0; i < part->dataset_count; i++)
        self->datasets[self->dataset_count++] = part->datasets[i];
    if (part->other_count > 0)
        queue_figures_add(&self->others, &part->others);
    self->other_count += part->other_count;
    self->dataset_total += part->dataset_total;
}

static void bound_queues(struct figures *self, size_t max)
{
    if (self->queue_count > 0)
        qsort(self->queues, self->queue_count, sizeof *self->queues, by_creation);
    for (; self->queue_count > max; self->other_count++)
        queue_figures_add(&self->others, &self->queues[--self->queue_count]);
}

/* What is left of the queues' counts when those of the datasets shown are taken away. */
static void bound_datasets(struct figures *self, size_t max)
{
    struct dataset_figures rest = {.rate = {.eta_ms = -1}};

    if (self->dataset_count > 0)
        qsort(self->datasets, self->dataset_count, sizeof *self->datasets, by_last_begin);
    if (self->dataset_count > max)
        self->dataset_count = max;
    if (self->dataset_total == (int64_t)self->dataset_count)
        return;
    for (size_t i = 0; i < self->queue_count; i++)
        tally_add(&rest.tally, &self->queues[i].tally, 1);
    tally_add(&rest.tally, &self->others.tally, 1);
    for (size_t i = 0; i < self->dataset_count; i++)
        tally_add(&rest.tally, &self->datasets[i].tally, -1);
    self->datasets[self->dataset_count++] = rest;
}

/* The names lie in the shards' arenas, which end with this call. */
static bool keep(struct arena *arena, struct slice *name)
{
    *name = arena_copy(arena, *name);
    return name->data != NULL || name->size == 0;
}

static bool copy_names(struct figures *self, struct arena *arena)
{
    bool fits = true;

    for (size_t i = 0; i < self->queue_count; i++)
        fits &= keep(arena, &self->queues[i].name);
    for (size_t i = 0; i < self->dataset_count; i++)
        fits &= keep(arena, &self->datasets[i].queue) && keep(arena, &self->datasets[i].name);
    return fits;
}

static ProtobufCMessage *build(struct service_call *call, struct fan *fan)
{
    size_t max = *(const size_t *)call->context;
    struct figures *self = make(call->arena, fan);

    if (self == NULL)
        return NULL;
    for (int i = 0; i < fan->count; i++)
        add_part(self, CONTAINER_OF(fan->calls[i], struct figures_call, call));
    bound_queues(self, max);
    bound_datasets(self, max);
    return copy_names(self, call->arena) ? &self->base : NULL;
}

void service_figures(struct service *self, struct service_call *call, size_t max)
{
    size_t *kept = ARENA_NEW(call->arena, size_t);

    call->service = self;
    if (kept == NULL) {
        refuse_memory(call);
        return;
    }
    *kept = max;
    call->context = kept;
    fan_out(call, sizeof(struct figures_call), &verb_figures, prepare, shard_send, build);
}
