/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.c -- the shard's own numbers.
 */
#include "shard/state.h"

static enum call_result run(struct shard *shard, struct call *base)
{
    struct stats_call *call = CONTAINER_OF(base, struct stats_call, call);

    call->stats = (struct shard_stats){
        .commits = shard->commits,
        .commands = shard->commands,
        .queues = shard->queue_count - shard->deleting_count,
        .sessions = (int64_t)shard->sessions.count,
        .leases = (int64_t)shard->leases.count,
        .waiters = (int64_t)shard->wait_deadlines.count,
        .store_name = shard->store->ops->name,
    };
    if (store_usage(shard->store, &call->stats.usage) != STATUS_OK)
        error_set(&base->error, STATUS_INTERNAL, "the store's usage can't be read");
    return CALL_DONE;
}

const struct verb verb_stats = {"stats", false, false, run};
