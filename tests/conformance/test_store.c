/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store.c -- the contract of store.h, S1..S7, held against every engine: each case below
 * runs on LMDB and in memory.
 */
#include "store_fixture.h"

#define assert_value(store, table, key, expected)                                                  \
    do {                                                                                           \
        const char *value_ = value_of(store, table, key);                                          \
        assert_non_null(value_);                                                                   \
        assert_string_equal(value_, expected);                                                     \
    } while (0)
#define assert_no_value(store, table, key) assert_null(value_of(store, table, key))

static void test_S1_a_commit_survives_a_restart(void **state)
{
    struct fixture *self = *state;

    must_put(self->store, STORE_TASK, "a", "one");
    must_put(self->store, STORE_TASK, "a", "two");
    must_put(self->store, STORE_QUEUE, "q", "three");
    self->engine->restart(self);
    assert_value(self->store, STORE_TASK, "a", "two");
    assert_value(self->store, STORE_QUEUE, "q", "three");
}

static void test_S1_nothing_is_seen_of_what_was_not_committed_before_a_restart(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;

    must_put(self->store, STORE_TASK, "a", "one");
    txn = must_begin(self->store);
    txn_put(txn, STORE_TASK, "a", "changed");
    txn_put(txn, STORE_TASK, "b", "new");
    if (self->engine == &engine_lmdb)
        store_abort(txn); /* an environment can't be closed around it; a kill is tested apart */
    self->engine->restart(self);
    assert_value(self->store, STORE_TASK, "a", "one");
    assert_no_value(self->store, STORE_TASK, "b");
}

static void test_S2_an_aborted_transaction_leaves_no_trace(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;

    must_put(self->store, STORE_TASK, "kept", "1");
    must_put(self->store, STORE_TASK, "removed", "2");
    txn = must_begin(self->store);
    txn_put(txn, STORE_TASK, "kept", "changed, and longer");
    txn_put(txn, STORE_TASK, "kept", "changed again");
    txn_remove(txn, STORE_TASK, "removed");
    txn_put(txn, STORE_TASK, "removed", "made again");
    txn_remove(txn, STORE_TASK, "removed");
    txn_put(txn, STORE_DUE, "new", "3");
    store_abort(txn);
    assert_value(self->store, STORE_TASK, "kept", "1");
    assert_value(self->store, STORE_TASK, "removed", "2");
    assert_no_value(self->store, STORE_DUE, "new");
}

static void test_S2_a_commit_of_nothing_is_done(void **state)
{
    struct fixture *self = *state;

    must_put(self->store, STORE_TASK, "a", "1");
    must_commit(must_begin(self->store));
    assert_value(self->store, STORE_TASK, "a", "1");
}

static void test_S3_a_transaction_sees_its_own_writes(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;
    struct slice value;

    must_put(self->store, STORE_TASK, "b", "1");
    txn = must_begin(self->store);
    txn_put(txn, STORE_TASK, "a", "2");
    assert_int_equal(store_get(txn, STORE_TASK, slice_of_string("a"), &value), STATUS_OK);
    assert_memory_equal(value.data, "2", 1);
    assert_string_equal(keys_between(txn, STORE_TASK, "", "", 9), "a b");
    txn_remove(txn, STORE_TASK, "b");
    assert_int_equal(store_get(txn, STORE_TASK, slice_of_string("b"), &value), STATUS_NOT_FOUND);
    assert_string_equal(keys_between(txn, STORE_TASK, "", "", 9), "a");
    must_commit(txn);
}

static void test_S3_tables_are_apart(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn = must_begin(self->store);

    for (enum store_table table = 0; table < STORE_TABLE_COUNT; table++)
        txn_put(txn, table, "same key", store_table_name(table));
    must_commit(txn);
    self->engine->restart(self);
    for (enum store_table table = 0; table < STORE_TABLE_COUNT; table++)
        assert_value(self->store, table, "same key", store_table_name(table));
}

static void test_S3_many_reads_at_once_say_each_what_was_found(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;
    struct store_read reads[] = {
        {.table = STORE_TASK, .key = slice_of_string("b")},
        {.table = STORE_TASK, .key = slice_of_string("missing"), .found = true},
        {.table = STORE_QUEUE, .key = slice_of_string("a")},
        {.table = STORE_TASK, .key = slice_of_string("b")},
        {.table = STORE_QUEUE, .key = slice_of_string("b"), .found = true},
    };
    const char *expected[] = {"task b", NULL, "queue a", "task b", NULL};

    must_put(self->store, STORE_TASK, "b", "task b");
    must_put(self->store, STORE_QUEUE, "a", "queue a");
    txn = must_begin_read(self->store);
    assert_int_equal(store_get_many(txn, reads, 5), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(reads[i].found, expected[i] != NULL);
        if (expected[i] != NULL)
            assert_true(slice_equal(reads[i].value, slice_of_string(expected[i])));
    }
    assert_int_equal(store_get_many(txn, NULL, 0), STATUS_OK);
    store_abort(txn);
}

static void test_S3_removing_what_is_not_there_is_not_found_and_harms_nothing(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn = must_begin(self->store);

    assert_int_equal(store_remove(txn, STORE_TASK, slice_of_string("a")), STATUS_NOT_FOUND);
    txn_put(txn, STORE_TASK, "b", "1");
    assert_int_equal(store_remove(txn, STORE_TASK, slice_of_string("a")), STATUS_NOT_FOUND);
    assert_int_equal(store_remove(txn, STORE_TASK, slice_of_string("bb")), STATUS_NOT_FOUND);
    must_commit(txn);
    assert_value(self->store, STORE_TASK, "b", "1");
}

static void put_letters(struct fixture *self)
{
    struct store_txn *txn = must_begin(self->store);

    txn_put(txn, STORE_DUE, "b", "1");
    txn_put(txn, STORE_DUE, "ab", "2");
    txn_put(txn, STORE_DUE, "a", "3");
    txn_put(txn, STORE_DUE, "\xff", "4");
    txn_put(txn, STORE_DUE, "abc", "5");
    txn_put(txn, STORE_DUE, "c", "6");
    must_commit(txn);
}

static void test_S4_a_scan_is_in_key_order_a_prefix_first(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;

    put_letters(self);
    txn = must_begin_read(self->store);
    assert_string_equal(keys_between(txn, STORE_DUE, "", "", 9), "a ab abc b c \xff");
    store_abort(txn);
}

static void test_S4_a_scan_includes_from_and_excludes_to(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;

    put_letters(self);
    txn = must_begin_read(self->store);
    assert_string_equal(keys_between(txn, STORE_DUE, "ab", "c", 9), "ab abc b");
    assert_string_equal(keys_between(txn, STORE_DUE, "aa", "bb", 9), "ab abc b");
    assert_string_equal(keys_between(txn, STORE_DUE, "", "b", 9), "a ab abc");
    assert_string_equal(keys_between(txn, STORE_DUE, "b", "", 9), "b c \xff");
    assert_string_equal(keys_between(txn, STORE_DUE, "a", "ab", 9), "a");
    store_abort(txn);
}

static void test_S4_a_scan_of_an_empty_range_gives_nothing(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn = must_begin_read(self->store);

    assert_string_equal(keys_between(txn, STORE_DUE, "", "", 9), "");
    assert_string_equal(keys_between(txn, STORE_DUE, "a", "b", 9), "");
    store_abort(txn);
    put_letters(self);
    txn = must_begin_read(self->store);
    assert_string_equal(keys_between(txn, STORE_DUE, "b", "b", 9), "");
    assert_string_equal(keys_between(txn, STORE_DUE, "c", "a", 9), "");
    assert_string_equal(keys_between(txn, STORE_DUE, "\xff\xff", "", 9), "");
    assert_string_equal(keys_between(txn, STORE_DUE, "abd", "b", 9), "");
    assert_string_equal(keys_between(txn, STORE_DUE, "", "", 0), "");
    store_abort(txn);
}

static void test_S4_a_scan_stops_at_its_most_rows_and_can_go_on_from_there(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;

    put_letters(self);
    txn = must_begin_read(self->store);
    assert_string_equal(keys_between(txn, STORE_DUE, "", "", 2), "a ab");
    assert_string_equal(keys_between(txn, STORE_DUE, "abc", "", 2), "abc b");
    assert_string_equal(keys_between(txn, STORE_DUE, "c", "", 2), "c \xff");
    store_abort(txn);
}

static void test_S4_a_scan_between_removals_skips_nothing(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;

    put_letters(self);
    txn = must_begin(self->store);
    txn_remove(txn, STORE_DUE, "a");
    assert_string_equal(keys_between(txn, STORE_DUE, "", "", 9), "ab abc b c \xff");
    txn_remove(txn, STORE_DUE, "abc");
    assert_string_equal(keys_between(txn, STORE_DUE, "ab", "c", 9), "ab b");
    txn_remove(txn, STORE_DUE, "\xff");
    assert_string_equal(keys_between(txn, STORE_DUE, "b", "", 9), "b c");
    txn_put(txn, STORE_DUE, "d", "after the last was removed");
    txn_put(txn, STORE_DUE, "bb", "in the middle");
    assert_string_equal(keys_between(txn, STORE_DUE, "b", "", 9), "b bb c d");
    txn_remove(txn, STORE_DUE, "ab");
    txn_remove(txn, STORE_DUE, "b");
    txn_remove(txn, STORE_DUE, "bb");
    txn_remove(txn, STORE_DUE, "c");
    txn_remove(txn, STORE_DUE, "d");
    assert_string_equal(keys_between(txn, STORE_DUE, "", "", 9), "");
    txn_put(txn, STORE_DUE, "again", "1");
    assert_string_equal(keys_between(txn, STORE_DUE, "", "", 9), "again");
    must_commit(txn);
}

static void test_S5_slices_hold_over_other_reads(void **state)
{
    struct fixture *self = *state;
    struct store_row rows[4];
    struct store_txn *txn;
    struct slice value;
    size_t count;

    put_letters(self);
    txn = must_begin(self->store);
    txn_put(txn, STORE_DUE, "mine", "8");
    assert_int_equal(store_get(txn, STORE_DUE, slice_of_string("mine"), &value), STATUS_OK);
    assert_int_equal(store_scan(txn, STORE_DUE, SLICE_EMPTY, SLICE_EMPTY, rows, 4, &count),
                     STATUS_OK);
    assert_string_equal(keys_between(txn, STORE_DUE, "c", "", 9), "c mine \xff");
    assert_true(slice_equal(value, slice_of_string("8")));
    assert_int_equal(count, 4);
    assert_true(slice_equal(rows[1].key, slice_of_string("ab")));
    assert_true(slice_equal(rows[1].value, slice_of_string("2")));
    store_abort(txn);
}

static void test_S5_reserved_memory_is_the_record(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn = must_begin(self->store);
    uint8_t *memory = NULL;

    assert_int_equal(store_reserve(txn, STORE_META, slice_of_string("k"), 3, &memory), STATUS_OK);
    memcpy(memory, "abc", 3);
    assert_int_equal(store_reserve(txn, STORE_META, slice_of_string("k"), 5, &memory), STATUS_OK);
    memcpy(memory, "defgh", 5);
    assert_int_equal(store_reserve(txn, STORE_META, slice_of_string("k"), 5, &memory), STATUS_OK);
    memcpy(memory, "DEFGH", 5);
    must_commit(txn);
    self->engine->restart(self);
    assert_value(self->store, STORE_META, "k", "DEFGH");
}

static uint8_t pattern(size_t size, size_t at)
{
    return (uint8_t)(size * 31 + at * 7 + (at >> 8));
}

static void put_pattern(struct store_txn *txn, struct slice key, size_t size)
{
    uint8_t *memory;

    if (size == 0) {
        assert_int_equal(store_put(txn, STORE_CHUNK, key, SLICE_EMPTY), STATUS_OK);
        return;
    }
    assert_int_equal(store_reserve(txn, STORE_CHUNK, key, size, &memory), STATUS_OK);
    for (size_t i = 0; i < size; i++)
        memory[i] = pattern(size, i);
}

static void check_pattern(struct store_txn *txn, struct slice key, size_t size)
{
    struct slice value;

    assert_int_equal(store_get(txn, STORE_CHUNK, key, &value), STATUS_OK);
    assert_int_equal(value.size, size);
    for (size_t i = 0; i < size; i++) {
        if (value.data[i] != pattern(size, i))
            fail_msg("byte %zu of a value of %zu bytes differs", i, size);
    }
}

static void test_S1_values_of_every_size_are_kept(void **state)
{
    static const size_t sizes[] = {0,    1,    2,     100,   2000,   2037,    2038, 2039,
                                   4000, 4080, 4081,  4096,  8176,   8177,    0,    100000,
                                   1,    4080, 65536, 65537, 300000, 1 << 20, 3,    70000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct fixture *self = *state;

    for (size_t shift = 0; shift < COUNT; shift += 5) { /* each key gets other sizes in turn */
        struct store_txn *txn = must_begin(self->store);
        uint8_t key[4];

        for (uint32_t i = 0; i < COUNT; i++) {
            be32_put(key, i);
            put_pattern(txn, slice_of(key, 4), sizes[(i + shift) % COUNT]);
        }
        must_commit(txn);
        self->engine->restart(self);
        txn = must_begin_read(self->store);
        for (uint32_t i = 0; i < COUNT; i++) {
            be32_put(key, i);
            check_pattern(txn, slice_of(key, 4), sizes[(i + shift) % COUNT]);
        }
        store_abort(txn);
    }
}

static void test_S1_keys_of_one_byte_and_of_the_most_are_kept(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn = must_begin(self->store);
    uint8_t key[STORE_KEY_MAX];
    struct slice value;

    memset(key, 0, sizeof key);
    for (size_t size = 1; size <= STORE_KEY_MAX; size++)
        assert_int_equal(
            store_put(txn, STORE_ID, slice_of(key, size), slice_of(&size, sizeof size)), STATUS_OK);
    must_commit(txn);
    txn = must_begin_read(self->store);
    for (size_t size = 1; size <= STORE_KEY_MAX; size++) {
        assert_int_equal(store_get(txn, STORE_ID, slice_of(key, size), &value), STATUS_OK);
        assert_memory_equal(value.data, &size, sizeof size);
    }
    store_abort(txn);
}

/* Puts 20 records of 1,000 bytes, from number `first`. */
/* As tasks of one queue and priority have them. */
static struct slice task_key(uint32_t number, uint8_t ret_key[9])
{
    memset(ret_key, 1, 5);
    be32_put(ret_key + 5, number);
    return slice_of(ret_key, 9);
}

static enum status put_batch(struct store *store, uint32_t first)
{
    struct store_txn *txn = must_begin(store);
    enum status status = STATUS_OK;
    uint8_t *memory;

    for (uint32_t i = 0; i < 20; i++) {
        uint8_t key[9];

        status = store_reserve(txn, STORE_TASK, task_key(first + i, key), 1000, &memory);
        if (status != STATUS_OK)
            break;
        memset(memory, (int)i, 1000);
    }
    if (status == STATUS_OK)
        return store_commit(txn);
    store_abort(txn); /* S6 */
    return status;
}

static enum status remove_batch(struct store *store, uint32_t first)
{
    struct store_txn *txn = must_begin(store);
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < 20 && status == STATUS_OK; i++) {
        uint8_t key[9];

        status = store_remove(txn, STORE_TASK, task_key(first + i, key));
    }
    if (status == STATUS_OK)
        return store_commit(txn);
    store_abort(txn);
    return status;
}

static size_t count_tasks(struct store *store)
{
    static struct store_row rows[4096];
    struct store_txn *txn = must_begin_read(store);
    size_t count;

    assert_int_equal(store_scan(txn, STORE_TASK, SLICE_EMPTY, SLICE_EMPTY, rows, 4096, &count),
                     STATUS_OK);
    store_abort(txn);
    return count;
}

static void test_S6_a_full_store_refuses_and_takes_writes_again_after_removals(void **state)
{
    struct fixture *self = *state;
    enum status status = STATUS_OK;
    uint32_t stored = 0;

    self->engine->limit(self);
    while (status == STATUS_OK) {
        status = put_batch(self->store, stored);
        if (status == STATUS_OK)
            stored += 20;
        assert_true(stored < 2000);
    }
    assert_int_equal(status, STATUS_STORE_FULL);
    assert_true(stored > 400);
    assert_int_equal(count_tasks(self->store), stored); /* S2 */
    assert_int_equal(put_batch(self->store, stored), STATUS_STORE_FULL);

    for (uint32_t first = 0; first < 200; first += 20)
        assert_int_equal(remove_batch(self->store, first), STATUS_OK);
    for (uint32_t first = 0; first < 100; first += 20)
        assert_int_equal(put_batch(self->store, first), STATUS_OK);
    self->engine->restart(self);
    assert_int_equal(count_tasks(self->store), stored - 100);
}

static struct store_usage usage_now(struct store *store)
{
    struct store_usage usage;

    assert_int_equal(store_checkpoint(store), STATUS_OK);
    assert_int_equal(store_usage(store, &usage), STATUS_OK);
    return usage;
}

static void test_usage_grows_with_what_is_put_and_falls_with_what_is_removed(void **state)
{
    struct fixture *self = *state;
    struct store_usage empty = usage_now(self->store);
    struct store_usage usage;

    for (uint32_t first = 0; first < 400; first += 20)
        assert_int_equal(put_batch(self->store, first), STATUS_OK);
    usage = usage_now(self->store);
    assert_in_range(usage.used_bytes - empty.used_bytes, 400 * 1000, 400 * 1000 * 14 / 10);
    for (uint32_t first = 0; first < 400; first += 20)
        assert_int_equal(remove_batch(self->store, first), STATUS_OK);
    usage = usage_now(self->store);
    assert_true(usage.used_bytes < empty.used_bytes + 40000);
    assert_true(usage.used_bytes <= usage.max_bytes);
    assert_true(usage.file_bytes <= usage.max_bytes);
}

#define CASES(X)                                                                                   \
    X(test_S1_a_commit_survives_a_restart)                                                         \
    X(test_S1_nothing_is_seen_of_what_was_not_committed_before_a_restart)                          \
    X(test_S1_values_of_every_size_are_kept)                                                       \
    X(test_S1_keys_of_one_byte_and_of_the_most_are_kept)                                           \
    X(test_S2_an_aborted_transaction_leaves_no_trace)                                              \
    X(test_S2_a_commit_of_nothing_is_done)                                                         \
    X(test_S3_a_transaction_sees_its_own_writes)                                                   \
    X(test_S3_tables_are_apart)                                                                    \
    X(test_S3_many_reads_at_once_say_each_what_was_found)                                          \
    X(test_S3_removing_what_is_not_there_is_not_found_and_harms_nothing)                           \
    X(test_S4_a_scan_is_in_key_order_a_prefix_first)                                               \
    X(test_S4_a_scan_includes_from_and_excludes_to)                                                \
    X(test_S4_a_scan_of_an_empty_range_gives_nothing)                                              \
    X(test_S4_a_scan_stops_at_its_most_rows_and_can_go_on_from_there)                              \
    X(test_S4_a_scan_between_removals_skips_nothing)                                               \
    X(test_S5_slices_hold_over_other_reads)                                                        \
    X(test_S5_reserved_memory_is_the_record)                                                       \
    X(test_S6_a_full_store_refuses_and_takes_writes_again_after_removals)                          \
    X(test_usage_grows_with_what_is_put_and_falls_with_what_is_removed)

static int run_on(const struct engine *engine)
{
    const struct CMUnitTest cases[] = {
#define X(name) FIXTURE_CASE(name, engine),
        CASES(X)
#undef X
    };

    return cmocka_run_group_tests_name(engine->name, cases, NULL, NULL);
}

int main(void)
{
    int failed = run_on(&engine_mem);

    return failed + run_on(&engine_lmdb);
}
