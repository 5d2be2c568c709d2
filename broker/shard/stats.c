/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.c -- the shard's own numbers.
 */
#include "shard/state.h"

const struct histogram_scale scale_ns = {15,
                                         {100000, 250000, 500000, 1000000, 2500000, 5000000,
                                          10000000, 25000000, 50000000, 100000000, 250000000,
                                          500000000, 1000000000, 2500000000, 10000000000}};
const struct histogram_scale scale_commands = {12,
                                               {0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}};

enum status shard_read_stats(struct shard *self, struct shard_stats *ret)
{
    enum status status = store_usage(self->store, &ret->usage);

    ret->shard = self->options.index;
    ret->commits = self->commits;
    ret->checkpoints = self->store->checkpoints;
    ret->commands = self->commands;
    ret->queues = self->queue_count - self->deleting_count;
    ret->sessions = (int64_t)self->sessions.count;
    ret->leases = (int64_t)self->leases.count;
    ret->waiters = (int64_t)self->wait_deadlines.count;
    ret->histograms = self->histograms;
    ret->store_name = self->store->ops->name;
    ret->publish_limit_bytes = publish_limit_bytes(&ret->usage);
    return status == STATUS_OK ? status : STATUS_INTERNAL;
}

static enum call_result run(struct shard *shard, struct call *base)
{
    struct stats_call *call = CONTAINER_OF(base, struct stats_call, call);

    if (shard_read_stats(shard, &call->stats) != STATUS_OK)
        error_set(&base->error, STATUS_INTERNAL, "the store's usage can't be read");
    return CALL_DONE;
}

const struct verb verb_stats = {"stats", false, false, run};
