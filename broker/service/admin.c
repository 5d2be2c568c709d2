/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.c -- AdminService: the broker's own numbers, the check, and who calls. Backup has backup.c.
 */
#include "auth/principal.h"
#include "service/internal.h"

static PB(Histogram) *build_histogram(struct arena *arena, const struct histogram *histogram,
                                      const struct histogram_scale *scale)
{
    PB(Histogram) *message = PB_NEW(arena, Histogram, histogram);

    if (message == NULL)
        return NULL;
    message->bounds = ARENA_ARRAY(arena, scale->count, int64_t);
    message->counts = ARENA_ARRAY(arena, scale->count + 1, int64_t);
    if (message->bounds == NULL || message->counts == NULL)
        return NULL;
    for (size_t i = 0; i < scale->count; i++) {
        message->bounds[i] = scale->bounds[i];
        message->counts[i] = histogram->counts[i];
    }
    message->counts[scale->count] = histogram->counts[HISTOGRAM_BOUNDS_MAX];
    message->n_bounds = scale->count;
    message->n_counts = scale->count + 1;
    message->sum = histogram->sum;
    return message;
}

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
    message->publish_limit_bytes = (int64_t)stats->publish_limit_bytes;
    message->batch_ns = build_histogram(arena, &stats->histograms.batch_ns, &scale_ns);
    message->commit_ns = build_histogram(arena, &stats->histograms.commit_ns, &scale_ns);
    message->batch_commands =
        build_histogram(arena, &stats->histograms.batch_commands, &scale_commands);
    return message->store == NULL || message->batch_ns == NULL || message->commit_ns == NULL ||
                   message->batch_commands == NULL
               ? NULL
               : message;
}

static bool add_refusals(struct arena *arena, const struct face_stats *stats,
                         PB(StatsResponse) *response)
{
    response->refusals = ARENA_ARRAY(arena, STATUS_COUNT, PB(Refusals) *);
    for (int status = 0; status < STATUS_COUNT && response->refusals != NULL; status++) {
        PB(Refusals) *refusals;

        if (stats->refusals[status] == 0)
            continue;
        refusals = PB_NEW(arena, Refusals, refusals);
        if (refusals == NULL)
            return false;
        refusals->status = (PB(Status))status;
        refusals->count = stats->refusals[status];
        response->refusals[response->n_refusals++] = refusals;
    }
    return response->refusals != NULL;
}

static bool add_face(struct service_call *call, PB(StatsResponse) *response)
{
    const struct service_options *options = &call->service->options;
    struct face_stats stats = {0};

    if (options->face_stats != NULL)
        options->face_stats(options->context, &stats);
    response->connections = stats.connections;
    response->requests = stats.requests;
    response->refused = stats.refused;
    return add_refusals(call->arena, &stats, response);
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
    if (!add_face(call, response))
        return NULL;
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

static bool fill_caller(struct arena *arena, const struct principal *caller,
                        PB(WhoamiResponse) *response)
{
    static const PB(CallerKind) kinds[] = {
        [PRINCIPAL_TOKEN] = ACKD__V1__CALLER_KIND__CALLER_KIND_TOKEN,
        [PRINCIPAL_JWT] = ACKD__V1__CALLER_KIND__CALLER_KIND_JWT,
        [PRINCIPAL_CERTIFICATE] = ACKD__V1__CALLER_KIND__CALLER_KIND_CERTIFICATE,
    };

    response->kind = kinds[caller->kind];
    response->name = arena_string(arena, slice_of_string(caller->name));
    response->expires_unix_ms = caller->expires_ms;
    response->grants = wire_grants(arena, caller, &response->n_grants);
    return response->name != NULL && response->grants != NULL;
}

void service_whoami(struct service *self, struct service_call *call)
{
    PB(WhoamiResponse) *response = PB_NEW(call->arena, WhoamiResponse, whoami_response);

    if (response == NULL ||
        (call->caller != NULL && !fill_caller(call->arena, call->caller, response)) ||
        (response->version = arena_string(call->arena, slice_of_string(self->options.version))) ==
            NULL) {
        refuse_memory(call);
        return;
    }
    response->now_unix_ms = service_now_ms(self);
    reply(call, &response->base);
}
