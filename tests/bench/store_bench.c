/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_bench.c -- what the store's interface costs: commits of 1,000 appended records of 256
 * bytes, synced, through store.h and through LMDB's own calls.
 *
 *   store_bench [DIRECTORY [ROUNDS]]     the directory decides whose fsync is measured
 *
 * Both write the same records to stores of their own, in turns of a few commits, so that what
 * else the machine does hits both alike. Beside the time in all, the time before the commit: what
 * is ours to spend, where the rest is the disk's.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "store/lmdb.h"

enum { RECORDS = 1000, RECORD_BYTES = 256, COMMITS_A_TURN = 5, ROUNDS_DEFAULT = 40 };

#define MAP_BYTES ((uint64_t)1 << 30)

struct contender {
    const char *name;
    uint64_t sequence;     /* of the next record */
    int64_t write_ns;      /* in all turns, before the commits */
    int64_t commit_ns;     /* in all turns, in the commits */
    double *records_per_s; /* of each turn */
    struct store *store;   /* of one of them */
    MDB_env *env;          /* of the other */
    MDB_dbi dbi;
};

static uint8_t record[RECORD_BYTES];

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A task's key: queue, priority, sequence. */
static struct slice next_key(struct contender *self, uint8_t key[16])
{
    be32_put(key, 1);
    be32_put(key + 4, 9);
    be64_put(key + 8, self->sequence++);
    return slice_of(key, 16);
}

static void commit_by_store(struct contender *self)
{
    int64_t begun_ns = now_ns();
    int64_t written_ns;
    struct store_txn *txn;

    ASSERT(store_begin_write(self->store, &txn) == STATUS_OK);
    for (int i = 0; i < RECORDS; i++) {
        uint8_t key[16];
        uint8_t *value;

        ASSERT(store_reserve(txn, STORE_TASK, next_key(self, key), RECORD_BYTES, &value) ==
               STATUS_OK);
        memcpy(value, record, RECORD_BYTES);
    }
    written_ns = now_ns();
    ASSERT(store_commit(txn) == STATUS_OK);
    self->write_ns += written_ns - begun_ns;
    self->commit_ns += now_ns() - written_ns;
}

static void commit_by_lmdb(struct contender *self)
{
    int64_t begun_ns = now_ns();
    int64_t written_ns;
    MDB_txn *txn;

    ASSERT(mdb_txn_begin(self->env, NULL, 0, &txn) == 0);
    for (int i = 0; i < RECORDS; i++) {
        uint8_t bytes[16];
        struct slice slice = next_key(self, bytes);
        MDB_val key = {.mv_size = slice.size, .mv_data = bytes};
        MDB_val value = {.mv_size = RECORD_BYTES};

        ASSERT(mdb_put(txn, self->dbi, &key, &value, MDB_APPEND | MDB_RESERVE) == 0);
        memcpy(value.mv_data, record, RECORD_BYTES);
    }
    written_ns = now_ns();
    ASSERT(mdb_txn_commit(txn) == 0);
    self->write_ns += written_ns - begun_ns;
    self->commit_ns += now_ns() - written_ns;
}

static void open_store(struct contender *self, const char *directory)
{
    struct error error;

    if (store_lmdb_open(directory, MAP_BYTES, &self->store, &error) != STATUS_OK) {
        (void)fprintf(stderr, "store_bench: %s\n", error.message);
        exit(1);
    }
}

static void open_lmdb(struct contender *self, const char *directory)
{
    MDB_txn *txn;

    ASSERT(mkdir(directory, 0700) == 0);
    ASSERT(mdb_env_create(&self->env) == 0);
    ASSERT(mdb_env_set_maxdbs(self->env, 1) == 0);
    ASSERT(mdb_env_set_mapsize(self->env, MAP_BYTES) == 0);
    ASSERT(mdb_env_open(self->env, directory, 0, 0600) == 0);
    ASSERT(mdb_txn_begin(self->env, NULL, 0, &txn) == 0);
    ASSERT(mdb_dbi_open(txn, "task", MDB_CREATE, &self->dbi) == 0);
    ASSERT(mdb_txn_commit(txn) == 0);
}

static void turn(struct contender *self, void (*commit)(struct contender *), int round)
{
    int64_t begun_ns = now_ns();

    for (int i = 0; i < COMMITS_A_TURN; i++)
        commit(self);
    self->records_per_s[round] = COMMITS_A_TURN * RECORDS * 1e9 / (double)(now_ns() - begun_ns);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Prints a line and returns the median turn's records per second. */
static double report(struct contender *self, int rounds)
{
    double commits = (double)rounds * COMMITS_A_TURN;

    qsort(self->records_per_s, (size_t)rounds, sizeof(double), compare_doubles);
    printf("%-6s %9.0f records/s   a commit: %6.0f us writing + %6.0f us committing\n", self->name,
           self->records_per_s[rounds / 2], (double)self->write_ns / 1e3 / commits,
           (double)self->commit_ns / 1e3 / commits);
    return self->records_per_s[rounds / 2];
}

static void remove_files(const char *directory)
{
    static const char *const names[] = {"store/data.mdb", "store/lock.mdb", "store/wal", "store",
                                        "lmdb/data.mdb",  "lmdb/lock.mdb",  "lmdb"};
    char path[512];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)remove(path);
    }
    (void)rmdir(directory);
}

int main(int argc, char **argv)
{
    struct contender store = {.name = "store"};
    struct contender lmdb = {.name = "lmdb"};
    int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS_DEFAULT;
    char directory[256];
    char path[512];
    double by_store;
    double by_lmdb;

    (void)snprintf(directory, sizeof directory, "%s/store-bench-XXXXXX",
                   argc > 1 ? argv[1] : "/tmp");
    if (rounds < 1 || mkdtemp(directory) == NULL) {
        (void)fprintf(stderr, "usage: store_bench [DIRECTORY [ROUNDS]]\n");
        return 2;
    }
    memset(record, 'r', sizeof record);
    store.records_per_s = calloc((size_t)rounds, sizeof(double));
    lmdb.records_per_s = calloc((size_t)rounds, sizeof(double));
    ASSERT(store.records_per_s != NULL && lmdb.records_per_s != NULL);
    (void)snprintf(path, sizeof path, "%s/store", directory);
    open_store(&store, path);
    (void)snprintf(path, sizeof path, "%s/lmdb", directory);
    open_lmdb(&lmdb, path);

    for (int round = 0; round < rounds; round++) {
        turn(&store, commit_by_store, round);
        turn(&lmdb, commit_by_lmdb, round);
    }
    by_store = report(&store, rounds);
    by_lmdb = report(&lmdb, rounds);
    printf("ratio  %9.2f store/lmdb, medians of %d turns of %d commits\n", by_store / by_lmdb,
           rounds, COMMITS_A_TURN);

    store_close(store.store);
    mdb_env_close(lmdb.env);
    free(store.records_per_s);
    free(lmdb.records_per_s);
    remove_files(directory);
    return 0;
}
