/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ceiling.c -- the broker's record traffic straight into LMDB.
 */
#include "cli/bench/ceiling.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/slice.h"
#include "cli/bench/load.h"
#include "cli/cli.h"
#include "cli/interrupt.h"

/* The broker's records: key of a place; what stands before a payload; a touched task; an ID. */
#define PLACE_BYTES 13
#define TASK_HEAD_BYTES 28
#define ACTIVE_BYTES 69
#define ID_BYTES 28

#define MAP_BYTES ((size_t)64 << 30)
#define FILL_PER_COMMIT 10000
#define FILL_BYTES_MAX ((size_t)16 << 20) /* of one commit */

static enum exit_code tell(int rc)
{
    complain("LMDB: %s", mdb_strerror(rc));
    return EXIT_REFUSED;
}

static int open_tables(struct ceiling *self)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(self->env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    rc = mdb_dbi_open(txn, "task", MDB_CREATE, &self->task);
    if (rc == 0)
        rc = mdb_dbi_open(txn, "active", MDB_CREATE, &self->active);
    if (rc == 0)
        rc = mdb_dbi_open(txn, "id", MDB_CREATE, &self->id);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

enum exit_code ceiling_open(struct ceiling *self, const char *directory, size_t payload_bytes,
                            bool has_ids)
{
    char path[PATH_MAX];
    int rc;

    *self = (struct ceiling){.payload_bytes = payload_bytes, .has_ids = has_ids};
    self->payload = calloc(1, payload_bytes + TASK_HEAD_BYTES);
    if (self->payload == NULL)
        return tell(ENOMEM);
    if (snprintf(path, sizeof path, "%s/ceiling", directory) >= (int)sizeof path)
        return tell(ENAMETOOLONG);
    if (mkdir(path, 0700) != 0)
        return tell(errno);
    rc = mdb_env_create(&self->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(self->env, 3);
    if (rc == 0)
        rc = mdb_env_set_mapsize(self->env, MAP_BYTES);
    if (rc == 0)
        rc = mdb_env_open(self->env, path, 0, 0600);
    if (rc == 0)
        rc = open_tables(self);
    return rc == 0 ? EXIT_OK : tell(rc);
}

void ceiling_close(struct ceiling *self)
{
    if (self->env != NULL)
        mdb_env_close(self->env);
    free(self->payload);
    *self = (struct ceiling){0};
}

static void write_place(uint8_t key[PLACE_BYTES], uint64_t seq)
{
    be32_put(key, 1);
    key[4] = 0;
    be64_put(key + 5, seq);
}

/* A record at a place; `data` NULL: zeroes. */
static int put(MDB_cursor *cursor, uint64_t seq, const uint8_t *data, size_t size, unsigned flags)
{
    uint8_t place[PLACE_BYTES];
    MDB_val key = {PLACE_BYTES, place};
    MDB_val value = {size, NULL};
    int rc;

    write_place(place, seq);
    rc = mdb_cursor_put(cursor, &key, &value, MDB_RESERVE | flags);
    if (rc != 0)
        return rc;
    if (data != NULL)
        memcpy(value.mv_data, data, size);
    else
        memset(value.mv_data, 0, size);
    return 0;
}

static int put_id(MDB_cursor *cursor, uint64_t seq)
{
    char id[32];
    MDB_val key = {(size_t)snprintf(id, sizeof id, "----row-%016llu", (unsigned long long)seq), id};
    MDB_val value = {ID_BYTES, NULL};
    int rc = mdb_cursor_put(cursor, &key, &value, MDB_RESERVE | MDB_APPEND);

    if (rc == 0)
        memset(value.mv_data, 0, ID_BYTES);
    return rc;
}

static int publish_in(struct ceiling *self, MDB_txn *txn, size_t count)
{
    MDB_cursor *task, *id;
    int rc = mdb_cursor_open(txn, self->task, &task);

    if (rc == 0)
        rc = mdb_cursor_open(txn, self->id, &id);
    for (size_t i = 1; i <= count && rc == 0; i++) {
        rc = put(task, self->published + i, self->payload, self->payload_bytes + TASK_HEAD_BYTES,
                 MDB_APPEND);
        if (rc == 0 && self->has_ids)
            rc = put_id(id, self->published + i);
    }
    self->published += count;
    return rc;
}

static int ack(MDB_cursor *task, MDB_cursor *active, uint64_t seq)
{
    uint8_t place[PLACE_BYTES];
    MDB_val key = {PLACE_BYTES, place};
    MDB_val value;
    int rc;

    write_place(place, seq);
    rc = mdb_cursor_get(task, &key, &value, MDB_SET);
    if (rc == 0)
        rc = mdb_cursor_del(task, 0);
    return rc == 0 ? put(active, seq, NULL, ACTIVE_BYTES, 0) : rc;
}

/* Acks what the commit before has leased, then leases as many again. */
static int cycle_in(struct ceiling *self, MDB_txn *txn, size_t count)
{
    MDB_cursor *task, *active;
    int rc = mdb_cursor_open(txn, self->task, &task);

    if (rc == 0)
        rc = mdb_cursor_open(txn, self->active, &active);
    while (rc == 0 && self->acked < self->leased)
        rc = ack(task, active, ++self->acked);
    for (size_t i = 1; i <= count && rc == 0; i++)
        rc = put(active, self->leased + i, NULL, ACTIVE_BYTES, MDB_APPEND);
    self->leased += count;
    return rc;
}

typedef int traffic_fn(struct ceiling *self, MDB_txn *txn, size_t count);

static int commit(struct ceiling *self, traffic_fn *traffic, size_t count)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(self->env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    rc = traffic(self, txn, count);
    if (rc == 0)
        return mdb_txn_commit(txn); /* frees the cursors, too */
    mdb_txn_abort(txn);
    return rc;
}

/* Commits until the time is over or `count_max` tasks are through; adds to the score. */
static enum exit_code measure(struct ceiling *self, traffic_fn *traffic, size_t per_commit,
                              uint64_t count_max, int64_t *time_ns, struct ceiling_score *score)
{
    double cpu_before_s = own_cpu_s();
    int64_t begun_ns = monotonic_ns();
    int64_t at_ns = begun_ns;

    for (uint64_t count = 0; count + per_commit <= count_max && at_ns - begun_ns < *time_ns;
         count += per_commit) {
        int64_t before_ns = at_ns;
        int rc = commit(self, traffic, per_commit);

        if (rc != 0)
            return tell(rc);
        if (interrupt_came())
            return interrupt_exit_code();
        at_ns = monotonic_ns();
        histogram_add(&score->commits, at_ns - before_ns);
    }
    *time_ns -= at_ns - begun_ns;
    score->cpu_s += own_cpu_s() - cpu_before_s;
    return EXIT_OK;
}

static void finish(struct ceiling_score *score, size_t per_commit, int64_t took_ns)
{
    score->tasks = score->commits.count * (int64_t)per_commit;
    score->rate_per_s = (double)score->tasks * 1e9 / (double)took_ns;
}

enum exit_code ceiling_publish(struct ceiling *self, size_t per_commit, int64_t time_ns,
                               struct ceiling_score *ret_score)
{
    int64_t left_ns = time_ns;
    enum exit_code code;

    *ret_score = (struct ceiling_score){0};
    code = measure(self, publish_in, per_commit, UINT64_MAX, &left_ns, ret_score);
    finish(ret_score, per_commit, time_ns - left_ns);
    return code;
}

/* So many tasks that nobody has leased yet; not measured. */
static enum exit_code fill(struct ceiling *self, uint64_t count)
{
    size_t size = self->payload_bytes + TASK_HEAD_BYTES;
    size_t per_commit = FILL_PER_COMMIT;

    if (per_commit * size > FILL_BYTES_MAX)
        per_commit = FILL_BYTES_MAX / size + 1;
    while (self->published - self->leased < count) {
        int rc = commit(self, publish_in, per_commit);

        if (rc != 0)
            return tell(rc);
        if (interrupt_came())
            return interrupt_exit_code();
    }
    return EXIT_OK;
}

enum exit_code ceiling_cycle(struct ceiling *self, size_t per_commit, int64_t time_ns,
                             struct ceiling_score *ret_score)
{
    int64_t left_ns = time_ns;
    uint64_t stock = per_commit * 100;
    enum exit_code code = EXIT_OK;

    *ret_score = (struct ceiling_score){0};
    while (left_ns > 0 && code == EXIT_OK) {
        code = fill(self, stock);
        if (code == EXIT_OK)
            code = measure(self, cycle_in, per_commit, self->published - self->leased, &left_ns,
                           ret_score);
        stock = stock * 2 < 1000000 ? stock * 2 : 1000000;
    }
    finish(ret_score, per_commit, time_ns - left_ns);
    return code;
}
