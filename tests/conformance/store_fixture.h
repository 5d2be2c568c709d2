/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_fixture.h -- a store of either engine for a test, in a fresh directory, and short words
 * for what tests do to it most. The short words fail the test unless they succeed.
 */
#ifndef ACKD_TESTS_CONFORMANCE_STORE_FIXTURE_H
#define ACKD_TESTS_CONFORMANCE_STORE_FIXTURE_H

#include <limits.h>

#include "base/slice.h"
#include "store/store.h"
#include "support/check.h"

struct fixture;

struct engine {
    const char *name;
    enum status (*open)(struct fixture *); /* also what was committed before */
    void (*restart)(struct fixture *);     /* as after SIGKILL: nothing is ended in order */
    void (*limit)(struct fixture *);       /* leaves room for about 1 MiB */
};

extern const struct engine engine_lmdb;
extern const struct engine engine_mem;

struct fixture {
    const struct engine *engine;
    struct store *store;
    char directory[64];  /* fresh; removed by teardown */
    char path[PATH_MAX]; /* of the store in it */
    uint64_t map_bytes;  /* lmdb */
};

/* For cmocka's tables: *state is the engine before setup and the fixture after it. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define FIXTURE_CASE(test, engine)                                                                 \
    {                                                                                              \
#test, test, fixture_setup, fixture_teardown, (void *)(uintptr_t)(engine)                  \
    }
/* A path in the fixture's directory. */
void fixture_path(const struct fixture *self, const char *name, char ret_path[PATH_MAX]);
void remove_tree(const char *path);

/* Opens and closes one transaction around. */
void must_put(struct store *store, enum store_table table, const char *key, const char *value);
/* The value of a key, in a write transaction of its own, as text; NULL if there is none. The text
 * holds until the next call. */
const char *value_of(struct store *store, enum store_table table, const char *key);

struct store_txn *must_begin(struct store *store);
/* After a checkpoint: of the last commit. */
struct store_txn *must_begin_read(struct store *store);
void must_commit(struct store_txn *txn);
void txn_put(struct store_txn *txn, enum store_table table, const char *key, const char *value);
void txn_remove(struct store_txn *txn, enum store_table table, const char *key);
/* All keys of a table in a range, joined by spaces; an empty text is an open end. */
const char *keys_between(struct store_txn *txn, enum store_table table, const char *from,
                         const char *to, size_t rows_max);

/* A generator for tests that draw: the same seed, the same run. */
struct dice {
    uint64_t state;
};
uint64_t dice_below(struct dice *self, uint64_t bound);

#endif
