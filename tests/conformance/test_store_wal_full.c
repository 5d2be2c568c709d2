/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_wal_full.c -- the log where the map has no room: what is in it must find its place at
 * the next checkpoint, and at the next start.
 *
 * A run at the edge is repeated by its seed: ACKD_TEST_SEED=n. Full disks: test_store_crash.c.
 */
#include <stdlib.h>

#include "store_batches.h"

enum { VALUE_BYTES = 3000 };

/* One record of 3,000 bytes a commit. */
static enum status put_one(struct store *store, uint32_t number)
{
    struct store_txn *txn = must_begin(store);
    uint8_t value[VALUE_BYTES];
    uint8_t key[4];
    enum status status;

    memset(value, (int)number + 1, sizeof value);
    be32_put(key, number);
    status = store_put(txn, STORE_CHUNK, slice_of(key, 4), slice_of(value, sizeof value));
    if (status == STATUS_OK)
        return store_commit(txn);
    store_abort(txn);
    return status;
}

static enum status remove_one(struct store *store, uint32_t number)
{
    struct store_txn *txn = must_begin(store);
    uint8_t key[4];
    enum status status;

    be32_put(key, number);
    status = store_remove(txn, STORE_CHUNK, slice_of(key, 4));
    if (status == STATUS_OK)
        return store_commit(txn);
    store_abort(txn);
    return status;
}

/* Numbers from `first` up to `last` and no others. */
static void check_numbers(struct store *store, uint32_t first, uint32_t last)
{
    static struct store_row rows[5000];
    struct store_txn *txn = must_begin(store);
    size_t count;

    assert_int_equal(store_scan(txn, STORE_CHUNK, SLICE_EMPTY, SLICE_EMPTY, rows, 5000, &count),
                     STATUS_OK);
    assert_int_equal(count, last - first + 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(be32_get(rows[i].key.data), first + i);
        assert_int_equal(rows[i].value.size, VALUE_BYTES);
        assert_int_equal(rows[i].value.data[VALUE_BYTES - 1], (uint8_t)(first + i + 1));
    }
    store_abort(txn);
}

static void limit_map(struct fixture *self, uint64_t bytes)
{
    close_store(self);
    self->map_bytes = bytes;
    reopen_store(self);
}

static uint32_t fill_with_small_commits(struct store *store)
{
    enum status status = STATUS_OK;
    uint32_t stored = 0;

    while (status == STATUS_OK) {
        status = put_one(store, stored);
        stored += status == STATUS_OK;
        assert_true(stored < 5000);
    }
    assert_int_equal(status, STATUS_STORE_FULL);
    return stored;
}

static void test_S6_a_full_map_loses_nothing_that_was_committed(void **state)
{
    struct fixture *self = *state;
    uint32_t stored;

    limit_map(self, 3 << 20);
    stored = fill_with_small_commits(self->store);
    assert_true(stored > 100);
    check_numbers(self->store, 0, stored - 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(put_one(self->store, stored), STATUS_STORE_FULL);
    check_numbers(self->store, 0, stored - 1);
    self->engine->restart(self);
    check_numbers(self->store, 0, stored - 1);
}

static void test_S6_a_full_map_takes_small_removals_and_then_writes_again(void **state)
{
    struct fixture *self = *state;
    uint32_t stored;

    limit_map(self, 3 << 20);
    stored = fill_with_small_commits(self->store);
    for (uint32_t number = 0; number < 50; number++)
        assert_int_equal(remove_one(self->store, number), STATUS_OK);
    check_numbers(self->store, 50, stored - 1);
    self->engine->restart(self);
    check_numbers(self->store, 50, stored - 1);
    for (uint32_t number = stored; number < stored + 25; number++)
        assert_int_equal(put_one(self->store, number), STATUS_OK);
    self->engine->restart(self);
    check_numbers(self->store, 50, stored + 24);
}

enum { EDGE_NUMBERS = 2000, EDGE_STEPS = 800 };

/* Puts or removes some numbers in one commit; `present` is as after it. STATUS_STORE_FULL: nothing
 * happened. */
static enum status change_some(struct store *store, struct dice *dice, bool put,
                               bool present[EDGE_NUMBERS])
{
    struct store_txn *txn = must_begin(store);
    enum status status = STATUS_OK;
    bool after[EDGE_NUMBERS];

    memcpy(after, present, sizeof after);
    for (uint64_t left = 1 + dice_below(dice, 12); left > 0 && status == STATUS_OK; left--) {
        uint32_t number = (uint32_t)dice_below(dice, EDGE_NUMBERS);
        uint8_t value[VALUE_BYTES];
        uint8_t key[4];

        be32_put(key, number);
        memset(value, (int)number + 1, sizeof value);
        if (put)
            status = store_put(txn, STORE_CHUNK, slice_of(key, 4), slice_of(value, sizeof value));
        else if (after[number])
            status = store_remove(txn, STORE_CHUNK, slice_of(key, 4));
        after[number] = put;
    }
    if (status != STATUS_OK) {
        store_abort(txn);
        return status;
    }
    status = store_commit(txn);
    if (status == STATUS_OK)
        memcpy(present, after, sizeof after);
    return status;
}

static void check_present(struct store *store, const bool present[EDGE_NUMBERS])
{
    static struct store_row rows[EDGE_NUMBERS];
    struct store_txn *txn = must_begin(store);
    size_t count;
    size_t seen = 0;

    assert_int_equal(
        store_scan(txn, STORE_CHUNK, SLICE_EMPTY, SLICE_EMPTY, rows, EDGE_NUMBERS, &count),
        STATUS_OK);
    for (uint32_t number = 0; number < EDGE_NUMBERS; number++) {
        if (!present[number])
            continue;
        assert_true(seen < count);
        assert_int_equal(be32_get(rows[seen].key.data), number);
        assert_int_equal(rows[seen].value.data[VALUE_BYTES - 1], (uint8_t)(number + 1));
        seen++;
    }
    assert_int_equal(seen, count);
    store_abort(txn);
}

/* The map has room for less than half of the numbers: it is filled up, and partly emptied, in turn.
 */
static void test_S6_at_the_edge_of_a_full_map_every_start_finds_room(void **state)
{
    const char *seed = getenv("ACKD_TEST_SEED");
    struct fixture *self = *state;
    struct dice dice = {seed == NULL ? 1 : strtoull(seed, NULL, 10)};
    bool present[EDGE_NUMBERS] = {false};
    int empties_until = 0;
    int logged = 0;
    int refused = 0;

    limit_map(self, 4 << 20);
    for (int step = 0; step < EDGE_STEPS; step++) {
        bool put = dice_below(&dice, 100) < (step >= empties_until ? 95 : 10);
        enum status status = change_some(self->store, &dice, put, present);

        assert_true(status == STATUS_OK || status == STATUS_STORE_FULL);
        refused += status == STATUS_STORE_FULL;
        if (status == STATUS_STORE_FULL && dice_below(&dice, 3) == 0)
            empties_until = step + 30;
        logged += store_is_behind(self->store);
        if (dice_below(&dice, 10) == 0) {
            self->engine->restart(self);
            check_present(self->store, present);
        }
    }
    check_present(self->store, present);
    print_message("ACKD_TEST_SEED=%s: %d steps with a log, %d refused\n", seed == NULL ? "1" : seed,
                  logged, refused);
    assert_true(logged > 5 && refused > 5);
}

/* LMDB's transaction may be half changed, though none of the store's calls went well. */
static void test_S6_a_first_write_refused_for_a_full_map_is_undone(void **state)
{
    struct fixture *self = *state;
    static uint8_t value[4 << 20];

    limit_map(self, 3 << 20);
    for (uint32_t number = 0; number < 10; number++)
        assert_int_equal(put_one(self->store, number), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        struct store_txn *txn = must_begin(self->store);

        assert_int_equal(
            store_put(txn, STORE_CHUNK, slice_of_string("z"), slice_of(value, sizeof value)),
            STATUS_STORE_FULL);
        store_abort(txn);
        check_numbers(self->store, 0, 9);
    }
    assert_int_equal(put_one(self->store, 10), STATUS_OK);
    check_numbers(self->store, 0, 10);
    self->engine->restart(self);
    check_numbers(self->store, 0, 10);
}

#define CASES(X)                                                                                   \
    X(test_S6_a_full_map_loses_nothing_that_was_committed)                                         \
    X(test_S6_a_full_map_takes_small_removals_and_then_writes_again)                               \
    X(test_S6_at_the_edge_of_a_full_map_every_start_finds_room)                                    \
    X(test_S6_a_first_write_refused_for_a_full_map_is_undone)

int main(void)
{
    const struct CMUnitTest cases[] = {
#define X(name) FIXTURE_CASE(name, &engine_lmdb),
        CASES(X)
#undef X
    };

    return cmocka_run_group_tests_name("wal, full", cases, NULL, NULL);
}
