/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c -- the check of AdminService.Check without a broker: for backups, and for what is left
 * of a machine.
 *
 * It takes the directory's lock, as a broker would, and changes no record; what a killed broker has
 * in its log alone goes into data.mdb, as at any start. All shards that are there are read,
 * whatever --shards says.
 */
#include "daemon/check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/shard_path.h"
#include "shard/shard.h"
#include "store/lmdb.h"
#include "store/lock.h"

#define TEXT_BYTES (1u << 20) /* more than CHECK_PROBLEMS_MAX sentences have */

/* Opening a store makes what is missing, and a check shall not. */
static enum status find_file(const struct shard_path *path, struct error *error)
{
    char file[sizeof path->text + sizeof "/data.mdb"];
    struct stat found;

    snprintf(file, sizeof file, "%s/data.mdb", path->text);
    if (stat(file, &found) == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "there is no store to check: %s: %s", file,
                     strerror(errno));
}

static enum status check_store(struct store *store, int shard, FILE *out, int64_t *records,
                               int64_t *problems, struct error *error)
{
    struct arena arena;
    struct inspect_call call = {.call = {.arena = &arena}};
    enum status status;

    arena_init(&arena, TEXT_BYTES);
    status = check_run(store, &call);
    for (int64_t i = 0; i < call.problem_count && i < CHECK_PROBLEMS_MAX; i++)
        fprintf(out, "shard %d, %s\n", shard, call.problems[i] == NULL ? "?" : call.problems[i]);
    if (call.problem_count > CHECK_PROBLEMS_MAX)
        fprintf(out, "shard %d, and more\n", shard);
    *records += call.records;
    *problems += call.problem_count;
    if (status != STATUS_OK)
        status = call.call.error.status != STATUS_OK
                     ? error_set(error, status, "%s", call.call.error.message)
                     : error_set(error, status, "shard %d can't be read to the end: %s", shard,
                                 status_sentence(status));
    arena_deinit(&arena);
    return status;
}

static enum status check_shard(const struct config *config, int shard, FILE *out, int64_t *records,
                               int64_t *problems, struct error *error)
{
    struct shard_path path = shard_path_of(config, shard);
    struct store *store;
    enum status status = find_file(&path, error);

    if (status == STATUS_OK)
        status = store_lmdb_open(path.text, (uint64_t)config->map_bytes, &store, error);
    if (status != STATUS_OK)
        return status;
    status = check_store(store, shard, out, records, problems, error);
    store_close(store);
    return status;
}

enum status check_directory(const struct config *config, FILE *out, int64_t *ret_records,
                            int64_t *ret_problems, struct error *error)
{
    struct shard_path next;
    struct stat found;
    int lock;
    int shard = 0;
    enum status status;

    *ret_records = 0;
    *ret_problems = 0;
    if (stat(config->data_dir, &found) != 0)
        return error_set(error, STATUS_INVALID, "%s: %s", config->data_dir, strerror(errno));
    status = store_lock_take(config->data_dir, &lock, error);
    if (status != STATUS_OK)
        return status;
    do {
        status = check_shard(config, shard++, out, ret_records, ret_problems, error);
        next = shard_path_of(config, shard);
    } while (status == STATUS_OK && shard_path_exists(&next));
    store_lock_release(lock);
    return status;
}
