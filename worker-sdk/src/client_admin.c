/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_admin.c -- the calls about the broker itself.
 */
#include "ackd/admin.h"
#include "ackd/v1/admin.pb-c.h"
#include "call.h"

static void shard_from_message(struct call *call, const Ackd__V1__ShardStats *message,
                               struct ackd_shard_stats *shard);
static int64_t whole_store_ms(int64_t timeout_ms);

enum ackd_status ackd_client_get_stats(struct ackd_client *client, struct ackd_stats **ret_stats,
                                       struct ackd_error *error)
{
    Ackd__V1__StatsRequest request = ACKD__V1__STATS_REQUEST__INIT;
    const Ackd__V1__StatsResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_stats));
    response = call_run(&call, client, "AdminService", "Stats", &request.base,
                        &ackd__v1__stats_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_stats *stats = call.reply;

        stats->version = call_text(&call, response->version);
        stats->started_unix_ms = response->started_unix_ms;
        stats->now_unix_ms = response->now_unix_ms;
        stats->connections = response->connections;
        stats->requests = response->requests;
        stats->refused = response->refused;
        stats->shards =
            call_array(&call, response->n_shards, sizeof stats->shards[0], &stats->shard_count);
        for (size_t i = 0; i < stats->shard_count; i++)
            shard_from_message(&call, response->shards[i], &stats->shards[i]);
    }
    return call_end(&call, (void **)ret_stats, error);
}

void ackd_stats_free(struct ackd_stats *stats)
{
    owned_free(stats);
}

enum ackd_status ackd_client_backup(struct ackd_client *client, const char *name,
                                    int64_t timeout_ms, struct ackd_backup **ret_backup,
                                    struct ackd_error *error)
{
    Ackd__V1__BackupRequest request = ACKD__V1__BACKUP_REQUEST__INIT;
    const Ackd__V1__BackupResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_backup));
    request.name = call_borrow(name);
    response = call_run(&call, client, "AdminService", "Backup", &request.base,
                        &ackd__v1__backup_response__descriptor, whole_store_ms(timeout_ms));
    if (response != NULL) {
        struct ackd_backup *backup = call.reply;

        backup->path = call_text(&call, response->path);
        backup->bytes = response->bytes;
    }
    return call_end(&call, (void **)ret_backup, error);
}

void ackd_backup_free(struct ackd_backup *backup)
{
    owned_free(backup);
}

enum ackd_status ackd_client_check(struct ackd_client *client, int64_t timeout_ms,
                                   struct ackd_check **ret_check, struct ackd_error *error)
{
    Ackd__V1__CheckRequest request = ACKD__V1__CHECK_REQUEST__INIT;
    const Ackd__V1__CheckResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_check));
    response = call_run(&call, client, "AdminService", "Check", &request.base,
                        &ackd__v1__check_response__descriptor, whole_store_ms(timeout_ms));
    if (response != NULL) {
        struct ackd_check *check = call.reply;

        check->records = response->records;
        check->problems = response->problem_count;
        check->texts =
            call_array(&call, response->n_problems, sizeof check->texts[0], &check->text_count);
        for (size_t i = 0; i < check->text_count; i++)
            check->texts[i] = call_text(&call, response->problems[i]);
    }
    return call_end(&call, (void **)ret_check, error);
}

void ackd_check_free(struct ackd_check *check)
{
    owned_free(check);
}

static void shard_from_message(struct call *call, const Ackd__V1__ShardStats *message,
                               struct ackd_shard_stats *shard)
{
    shard->shard = message->shard;
    shard->store = call_text(call, message->store);
    shard->commits = message->commits;
    shard->commands = message->commands;
    shard->used_bytes = message->used_bytes;
    shard->file_bytes = message->file_bytes;
    shard->map_bytes = message->map_bytes;
    shard->queues = message->queues;
    shard->sessions = message->sessions;
    shard->leases = message->leases;
    shard->waiters = message->waiters;
}

static int64_t whole_store_ms(int64_t timeout_ms)
{
    return timeout_ms > 0 ? timeout_ms : INT64_C(3600000);
}
