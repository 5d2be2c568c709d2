/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_fixture.c -- the engines as the tests see them.
 */
#include "store_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "store/lmdb.h"
#include "store/mem.h"
#include "store_files.h"

static enum status open_lmdb(struct fixture *self)
{
    struct error error = ERROR_NONE;
    enum status status = store_lmdb_open(self->path, self->map_bytes, &self->store, &error);

    if (status != STATUS_OK)
        print_error("open: %s\n", error.message);
    return status;
}

static void restart_lmdb(struct fixture *self)
{
    struct store_files files;

    store_files_take(self, &files);
    store_files_place(self, &files);
    store_files_deinit(&files);
    assert_int_equal(open_lmdb(self), STATUS_OK);
}

static void limit_lmdb(struct fixture *self)
{
    store_close(self->store);
    self->store = NULL;
    self->map_bytes = 1 << 20;
    assert_int_equal(open_lmdb(self), STATUS_OK);
}

static enum status open_mem(struct fixture *self)
{
    return store_mem_open(&self->store);
}

static void restart_mem(struct fixture *self)
{
    store_mem_crash(self->store);
}

static void limit_mem(struct fixture *self)
{
    store_mem_set_max(self->store, 1 << 20);
}

const struct engine engine_lmdb = {"lmdb", open_lmdb, restart_lmdb, limit_lmdb};
const struct engine engine_mem = {"mem", open_mem, restart_mem, limit_mem};

/* A store's first commit is its engine's own, and makes what later ones need, such as a log: the
 * tests begin behind it. */
static void make_first_commit(struct store *store)
{
    struct store_txn *txn = must_begin(store);

    txn_put(txn, STORE_META, "first", "commit");
    must_commit(txn);
    txn = must_begin(store);
    assert_int_equal(store_remove(txn, STORE_META, slice_of_string("first")), STATUS_OK);
    must_commit(txn);
    assert_int_equal(store_checkpoint(store), STATUS_OK);
}

int fixture_setup(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);

    assert_non_null(self);
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    self->engine = *state;
    self->map_bytes = 64 << 20;
    (void)snprintf(self->directory, sizeof self->directory, "/tmp/ackd-store-XXXXXX");
    assert_non_null(mkdtemp(self->directory));
    fixture_path(self, "db", self->path);
    assert_int_equal(self->engine->open(self), STATUS_OK);
    make_first_commit(self->store);
    *state = self;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *self = *state;

    store_close(self->store);
    remove_tree(self->directory);
    free(self);
    return 0;
}

void fixture_path(const struct fixture *self, const char *name, char ret_path[PATH_MAX])
{
    (void)snprintf(ret_path, PATH_MAX, "%s/%s", self->directory, name);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void remove_tree(const char *path)
{
    assert_true(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT);
}

void must_put(struct store *store, enum store_table table, const char *key, const char *value)
{
    struct store_txn *txn = must_begin(store);

    txn_put(txn, table, key, value);
    must_commit(txn);
}

const char *value_of(struct store *store, enum store_table table, const char *key)
{
    static char text[256];
    struct store_txn *txn = must_begin(store);
    struct slice value;
    enum status status = store_get(txn, table, slice_of_string(key), &value);

    if (status == STATUS_OK)
        (void)snprintf(text, sizeof text, "%.*s", (int)value.size, (const char *)value.data);
    store_abort(txn);
    if (status == STATUS_OK)
        return text;
    assert_int_equal(status, STATUS_NOT_FOUND);
    return NULL;
}

struct store_txn *must_begin(struct store *store)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin_write(store, &txn), STATUS_OK);
    return txn;
}

struct store_txn *must_begin_read(struct store *store)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_checkpoint(store), STATUS_OK);
    assert_int_equal(store_begin_read(store, &txn), STATUS_OK);
    return txn;
}

void must_commit(struct store_txn *txn)
{
    assert_int_equal(store_commit(txn), STATUS_OK);
}

void txn_put(struct store_txn *txn, enum store_table table, const char *key, const char *value)
{
    assert_int_equal(store_put(txn, table, slice_of_string(key), slice_of_string(value)),
                     STATUS_OK);
}

void txn_remove(struct store_txn *txn, enum store_table table, const char *key)
{
    assert_int_equal(store_remove(txn, table, slice_of_string(key)), STATUS_OK);
}

const char *keys_between(struct store_txn *txn, enum store_table table, const char *from,
                         const char *to, size_t rows_max)
{
    static char text[1024];
    struct store_row rows[64];
    size_t count = 77;
    size_t size = 0;

    assert_true(rows_max <= 64);
    assert_int_equal(
        store_scan(txn, table, slice_of_string(from), slice_of_string(to), rows, rows_max, &count),
        STATUS_OK);
    assert_true(count <= rows_max);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%.*s", i == 0 ? "" : " ",
                                 (int)rows[i].key.size, (const char *)rows[i].key.data);
    return text;
}

uint64_t dice_below(struct dice *self, uint64_t bound)
{
    self->state = hash_u64(self->state);
    return self->state % bound;
}
