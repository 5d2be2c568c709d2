/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.c -- AdminService: the broker's own numbers, backup, check.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "service/internal.h"

static PB(ShardStats) *build_shard(struct arena *arena, const struct shard_stats *stats, int shard)
{
    PB(ShardStats) *message = PB_NEW(arena, ShardStats, shard_stats);

    if (message == NULL)
        return NULL;
    message->shard = shard;
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

        response->shards[i] = build_shard(call->arena, &part->stats, i);
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

/* ---- backup ---- */

static bool is_backup_name(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > QUEUE_NAME_BYTES_MAX || strchr("._-", name[0]) != NULL)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
           size;
}

static char *name_of_now(struct service_call *call)
{
    time_t now_s = service_now_ms(call->service) / 1000;
    struct tm utc;
    char text[32];

    gmtime_r(&now_s, &utc);
    strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
    return arena_string(call->arena, slice_of_string(text));
}

/* Makes `<data dir>/backups/<name>`, which must not be there. */
static enum status make_directory(struct service_call *call, const char *name, char **ret_path)
{
    const char *data_dir = call->service->options.data_dir;
    char *parent = arena_printf(call->arena, "%s/backups", data_dir);

    *ret_path = arena_printf(call->arena, "%s/backups/%s", data_dir, name);
    if (parent == NULL || *ret_path == NULL)
        return error_set(&call->error, STATUS_TOO_LARGE, NULL);
    if (mkdir(parent, 0700) != 0 && errno != EEXIST)
        return error_set(&call->error, STATUS_INTERNAL, "%s: %s", parent, strerror(errno));
    if (mkdir(*ret_path, 0700) == 0)
        return STATUS_OK;
    if (errno == EEXIST)
        return error_limit(&call->error, STATUS_INVALID, "name", 0, 0,
                           "there is a backup \"%s\" already", name);
    return error_set(&call->error, STATUS_INTERNAL, "%s: %s", *ret_path, strerror(errno));
}

static void prepare_backup(struct fan *fan, struct call *base, int shard)
{
    struct inspect_call *call = CONTAINER_OF(base, struct inspect_call, call);

    call->directory =
        arena_printf(fan->call->arena, "%s/shard-%d", (const char *)fan->call->context, shard);
}

static void start_backup(struct shard *shard, struct call *base)
{
    shard_backup(shard, CONTAINER_OF(base, struct inspect_call, call));
}

static ProtobufCMessage *build_backup(struct service_call *call, struct fan *fan)
{
    PB(BackupResponse) *response = PB_NEW(call->arena, BackupResponse, backup_response);
    const char *path = call->context;

    if (response == NULL)
        return NULL;
    for (int i = 0; i < fan->count; i++)
        response->bytes += (int64_t)CONTAINER_OF(fan->calls[i], struct inspect_call, call)->bytes;
    path += strlen(call->service->options.data_dir) + 1;
    response->path = arena_string(call->arena, slice_of_string(path));
    return response->path == NULL ? NULL : &response->base;
}

void service_backup(struct service *self, struct service_call *call)
{
    const PB(BackupRequest) *request = (const void *)call->request;
    const char *name = request->name;
    char *path;

    call->service = self;
    if (self->options.data_dir == NULL) {
        error_set(&call->error, STATUS_UNIMPLEMENTED, "this store keeps nothing to back up");
        refuse(call);
        return;
    }
    if (name[0] == '\0')
        name = name_of_now(call);
    if (name == NULL || !is_backup_name(name)) {
        error_limit(&call->error, STATUS_INVALID, "name", QUEUE_NAME_BYTES_MAX,
                    (int64_t)strlen(request->name),
                    "a backup's name has letters, digits and . _ -, at most %d",
                    QUEUE_NAME_BYTES_MAX);
        refuse(call);
        return;
    }
    if (make_directory(call, name, &path) != STATUS_OK) {
        refuse(call);
        return;
    }
    call->context = path;
    fan_out(call, sizeof(struct inspect_call), NULL, prepare_backup, start_backup, build_backup);
}
