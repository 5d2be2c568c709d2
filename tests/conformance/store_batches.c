/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_batches.c -- batches, and the children that write them.
 */
#include "store_batches.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH_ROWS = 20, BATCHES_KEPT = 5 };

enum status write_batch(struct store *store, uint32_t n)
{
    struct store_txn *txn;
    enum status status = store_begin_write(store, &txn);
    uint8_t key[8];

    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; status == STATUS_OK && i < BATCH_ROWS; i++) {
        be32_put(key, n);
        be32_put(key + 4, i);
        status = store_put(txn, STORE_TASK, slice_of(key, 8), slice_of(key, 8));
        be32_put(key, n - BATCHES_KEPT);
        if (status == STATUS_OK && n > BATCHES_KEPT)
            status = store_remove(txn, STORE_TASK, slice_of(key, 8));
    }
    if (status == STATUS_OK)
        status = store_put(txn, STORE_META, slice_of_string("last"), slice_of(&n, sizeof n));
    if (status == STATUS_OK)
        return store_commit(txn);
    store_abort(txn);
    return status;
}

void write_batches(struct fixture *self, uint32_t first, uint32_t last)
{
    for (uint32_t n = first; n <= last; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
}

void put_large(struct store *store, const char *key)
{
    static uint8_t value[600000];
    struct store_txn *txn = must_begin(store);

    memset(value, 'L', sizeof value);
    assert_int_equal(
        store_put(txn, STORE_CHUNK, slice_of_string(key), slice_of(value, sizeof value)),
        STATUS_OK);
    must_commit(txn);
    assert_false(store_is_behind(store));
}

uint32_t check_batches(struct store *store)
{
    struct store_row rows[BATCH_ROWS * BATCHES_KEPT + 1];
    struct store_txn *txn = must_begin(store);
    struct slice value;
    uint32_t last;
    size_t count;
    enum status status = store_get(txn, STORE_META, slice_of_string("last"), &value);

    if (status == STATUS_NOT_FOUND) {
        store_abort(txn);
        return 0;
    }
    assert_int_equal(status, STATUS_OK);
    memcpy(&last, value.data, sizeof last);
    assert_int_equal(store_scan(txn, STORE_TASK, SLICE_EMPTY, SLICE_EMPTY, rows,
                                sizeof rows / sizeof rows[0], &count),
                     STATUS_OK);
    assert_int_equal(count, (last < BATCHES_KEPT ? last : BATCHES_KEPT) * BATCH_ROWS);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(be32_get(rows[i].key.data),
                         last - (count / BATCH_ROWS) + 1 + i / BATCH_ROWS);
        assert_int_equal(be32_get(rows[i].key.data + 4), i % BATCH_ROWS);
        assert_true(slice_equal(rows[i].key, rows[i].value));
    }
    store_abort(txn);
    return last;
}

pid_t start_child(struct fixture *self, int (*body)(struct fixture *, int), int *ret_pipe)
{
    int ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no child behind */
        (void)close(ends[0]);
        _exit(body(self, ends[1]));
    }
    (void)close(ends[1]);
    *ret_pipe = ends[0];
    return child;
}

int wait_for_child(pid_t child)
{
    int how;

    assert_int_equal(waitpid(child, &how, 0), child);
    return how;
}

int run_child(struct fixture *self, int (*body)(struct fixture *, int))
{
    int report;
    pid_t child = start_child(self, body, &report);
    int how = wait_for_child(child);

    (void)close(report);
    assert_true(WIFEXITED(how));
    return WEXITSTATUS(how);
}

void reopen_store(struct fixture *self)
{
    assert_int_equal(self->engine->open(self), STATUS_OK);
}

void close_store(struct fixture *self)
{
    store_close(self->store);
    self->store = NULL;
}
