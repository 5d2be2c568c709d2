/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.c -- AdminService: the broker's own numbers, and the check. Backup has backup.c.
 */
#include "service/internal.h"

static PB(ShardStats) *build_shard(struct arena *arena, const struct shard_stats *stats)
{
    PB(ShardStats) *message = PB_NEW(arena, ShardStats, shard_stats);

    if (message == NULL)
        return NULL;
    message->shard = stats->shard;
    message->store = arena_string(arena, slice_of_string(stats->store_name));
    message->commits = stats->commits;
    message->commands = stats->commands;
    message->used_bytes = (int64_t)stats->usage.used_bytes;
    message->file_bytes = (int64_t)stats->usage.file_bytes;
    message->map_bytes = (int64_t)stats->usage.max_bytes;
    message->queues = stats->queues;
    message->sessions = stats->sessions;
    message->leases = stats->leases;
    message->waiters = stats->waiters;
    return message->store == NULL ? NULL : message;
}

static ProtobufCMessage *build_stats(struct service_call *call, struct fan *fan)
{
    const struct service_options *options = &call->service->options;
    PB(StatsResponse) *response = PB_NEW(call->arena, StatsResponse, stats_response);

    if (response == NULL)
        return NULL;
    response->version = arena_string(call->arena, slice_of_string(options->version));
    response->started_unix_ms = call->service->started_ms;
    response->now_unix_ms = service_now_ms(call->service);
    if (options->face_stats != NULL)
        options->face_stats(options->context, &response->connections, &response->requests,
                            &response->refused);
    response->shards = ARENA_ARRAY(call->arena, (size_t)fan->count, PB(ShardStats) *);
    for (int i = 0; i < fan->count && response->shards != NULL; i++) {
        struct stats_call *part = CONTAINER_OF(fan->calls[i], struct stats_call, call);

        response->shards[i] = build_shard(call->arena, &part->stats);
        if (response->shards[i] == NULL)
            return NULL;
        response->n_shards++;
    }
    return response->version == NULL || response->shards == NULL ? NULL : &response->base;
}

void service_stats(struct service *self, struct service_call *call)
{
    call->service = self;
    fan_out(call, sizeof(struct stats_call), &verb_stats, NULL, shard_send, build_stats);
}

static void start_check(struct shard *shard, struct call *base)
{
    shard_check(shard, CONTAINER_OF(base, struct inspect_call, call));
}

static ProtobufCMessage *build_check(struct service_call *call, struct fan *fan)
{
    PB(CheckResponse) *response = PB_NEW(call->arena, CheckResponse, check_response);

    if (response == NULL)
        return NULL;
    response->problems = ARENA_ARRAY(call->arena, CHECK_PROBLEMS_MAX, char *);
    for (int i = 0; i < fan->count && response->problems != NULL; i++) {
        struct inspect_call *part = CONTAINER_OF(fan->calls[i], struct inspect_call, call);

        response->records += part->records;
        for (int64_t k = 0; k < part->problem_count && k < CHECK_PROBLEMS_MAX; k++) {
            if (response->n_problems < CHECK_PROBLEMS_MAX && part->problems[k] != NULL)
                response->problems[response->n_problems++] =
                    arena_string(call->arena, slice_of_string(part->problems[k]));
        }
        response->problem_count += part->problem_count;
    }
    return response->problems == NULL ? NULL : &response->base;
}

void service_check(struct service *self, struct service_call *call)
{
    call->service = self;
    fan_out(call, sizeof(struct inspect_call), NULL, NULL, start_check, build_check);
}
