/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_wal.c -- the LMDB engine's log: what only it has is never lost, nothing comes back
 * that was not committed, and a log that can't be trusted is refused with a sentence.
 *
 * Power cuts in the middle of a write or a checkpoint: tests/crash/power_cut.py. Here files are
 * taken as they lie at some moment, changed by hand, and opened again.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb.h"
#include "store/lmdb/wal.h"
#include "store_batches.h"
#include "store_files.h"

enum { SECTOR_BYTES = 512, VALUE_BYTES = 3000, VALUES = 3 };

static void write_batches(struct fixture *self, uint32_t first, uint32_t last)
{
    for (uint32_t n = first; n <= last; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
}

/* Larger than the log takes. */
static void put_large(struct store *store, const char *key)
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

/* A commit whose record has several blocks, in every sector of which something lies. */
static void put_values(struct store *store)
{
    struct store_txn *txn = must_begin(store);

    for (uint8_t i = 0; i < VALUES; i++) {
        uint8_t value[VALUE_BYTES];

        memset(value, 'a' + i, sizeof value);
        assert_int_equal(
            store_put(txn, STORE_CHUNK, slice_of(&i, 1), slice_of(value, sizeof value)), STATUS_OK);
    }
    must_commit(txn);
}

static bool has_value(struct store *store, uint8_t i)
{
    struct store_txn *txn = must_begin(store);
    struct slice value;
    enum status status = store_get(txn, STORE_CHUNK, slice_of(&i, 1), &value);

    store_abort(txn);
    return status == STATUS_OK;
}

static void place_and_open(struct fixture *self, const struct store_files *files)
{
    store_files_place(self, files);
    reopen_store(self);
}

static void expect_refused(struct fixture *self, const char *words)
{
    struct error error = ERROR_NONE;
    struct store *store;

    assert_int_equal(store_lmdb_open(self->path, self->map_bytes, &store, &error), STATUS_CORRUPT);
    assert_int_equal(error.status, STATUS_CORRUPT);
    if (strstr(error.message, words) == NULL || strstr(error.message, self->path) == NULL)
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", error.message, words, self->path);
}

static void place_and_expect_refused(struct fixture *self, const struct store_files *files)
{
    store_files_place(self, files);
    expect_refused(self, "wal");
}

/* What was committed */

static void test_S1_commits_that_only_the_log_has_survive_SIGKILL(void **state)
{
    struct fixture *self = *state;

    write_batches(self, 1, 8);
    assert_true(store_is_behind(self->store));
    self->engine->restart(self);
    assert_false(store_is_behind(self->store));
    assert_int_equal(check_batches(self->store), 8);
}

static void test_S1_commits_before_and_after_a_checkpoint_survive_SIGKILL(void **state)
{
    struct fixture *self = *state;

    write_batches(self, 1, 8);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    write_batches(self, 9, 12);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 12);
    write_batches(self, 13, 13);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 13);
}

static void test_S1_a_commit_too_large_for_the_log_takes_those_in_it_along(void **state)
{
    struct fixture *self = *state;

    write_batches(self, 1, 8);
    put_large(self->store, "large");
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 8);
    write_batches(self, 9, 9);
    put_large(self->store, "larger");
    write_batches(self, 10, 10);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 10);
}

static void test_S1_commits_survive_SIGKILL_however_often_the_log_begins_again(void **state)
{
    struct fixture *self = *state;
    uint32_t n = 1;

    for (uint32_t round = 0; round < 12; round++) {
        write_batches(self, n, n + 12 + round);
        n += 13 + round;
        self->engine->restart(self);
        assert_int_equal(check_batches(self->store), n - 1);
    }
}

/* Reserved memory is filled in after the call, and may move with its page (S5). */
static void test_S1_values_filled_in_late_and_moved_are_logged_as_they_are(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn = must_begin(self->store);

    for (uint32_t i = 0; i < 60; i++) {
        uint8_t key[9] = {i % 3 == 0, 0};
        uint8_t *value;

        be32_put(key + 5, i % 2 == 0 ? i : 1000 - i);
        assert_int_equal(store_reserve(txn, i % 4 == 0 ? STORE_ACTIVE : STORE_TASK,
                                       slice_of(key, sizeof key), 100 + i, &value),
                         STATUS_OK);
        memset(value, (int)i + 1, 100 + i);
    }
    must_commit(txn);
    self->engine->restart(self);
    txn = must_begin(self->store);
    for (uint32_t i = 0; i < 60; i++) {
        uint8_t key[9] = {i % 3 == 0, 0};
        struct slice value;

        be32_put(key + 5, i % 2 == 0 ? i : 1000 - i);
        assert_int_equal(store_get(txn, i % 4 == 0 ? STORE_ACTIVE : STORE_TASK,
                                   slice_of(key, sizeof key), &value),
                         STATUS_OK);
        assert_int_equal(value.size, 100 + i);
        for (size_t at = 0; at < value.size; at++)
            assert_int_equal(value.data[at], i + 1);
    }
    store_abort(txn);
}

static void test_what_a_start_found_in_the_log_is_no_more_needed_there(void **state)
{
    struct fixture *self = *state;
    struct store_files files;

    write_batches(self, 1, 8);
    self->engine->restart(self); /* and nothing is committed after it */
    store_files_take(self, &files);
    memset(files.wal.data + WAL_BLOCK_BYTES, 0, files.wal.size - WAL_BLOCK_BYTES);
    place_and_open(self, &files);
    assert_int_equal(check_batches(self->store), 8);
    store_files_deinit(&files);
}

static void test_a_store_that_was_closed_needs_nothing_of_its_log(void **state)
{
    struct fixture *self = *state;
    struct store_files files;

    write_batches(self, 1, 8);
    close_store(self);
    store_files_take(self, &files);
    memset(files.wal.data + WAL_BLOCK_BYTES, 0, files.wal.size - WAL_BLOCK_BYTES);
    place_and_open(self, &files);
    assert_int_equal(check_batches(self->store), 8);
    store_files_deinit(&files);
}

static void test_S3_a_snapshot_is_of_the_last_checkpoint_and_usage_too(void **state)
{
    struct fixture *self = *state;
    struct store_txn *reader;
    struct slice value;

    must_put(self->store, STORE_TASK, "a", "old");
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    must_put(self->store, STORE_TASK, "a", "new");
    assert_int_equal(store_begin_read(self->store, &reader), STATUS_OK);
    assert_int_equal(store_get(reader, STORE_TASK, slice_of_string("a"), &value), STATUS_OK);
    assert_true(slice_equal(value, slice_of_string("old")));
    store_abort(reader);
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "new");
}

/* What was not */

/* The store with its last record spoilt: that one is gone, and the next commit takes its place. */
static void expect_without_the_last(struct fixture *self, const struct store_files *spoilt)
{
    place_and_open(self, spoilt);
    assert_int_equal(check_batches(self->store), 8);
    for (uint8_t i = 0; i < VALUES; i++)
        assert_false(has_value(self->store, i));
    write_batches(self, 9, 9);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 9);
    assert_false(has_value(self->store, 0));
}

static size_t last_block(const struct store_files *files, size_t records)
{
    size_t block = 1;

    for (size_t i = 1; i < records; i++)
        block = log_record_end(files, block);
    return block;
}

static void test_S2_a_record_torn_at_any_sector_is_as_if_it_had_not_been(void **state)
{
    struct fixture *self = *state;
    struct store_files files;
    struct log_record record;
    uint8_t whole[4 * WAL_BLOCK_BYTES];

    write_batches(self, 1, 8);
    put_values(self->store);
    store_files_take(self, &files);
    record = log_record_at(&files, last_block(&files, 9));
    assert_in_range(record.size, VALUES * VALUE_BYTES, sizeof whole);
    memcpy(whole, record.bytes, record.size);
    for (size_t at = 0; at < record.size; at += SECTOR_BYTES) {
        size_t size = record.size - at < SECTOR_BYTES ? record.size - at : SECTOR_BYTES;

        memset(record.bytes + at, 0, size); /* this sector alone is missing */
        expect_without_the_last(self, &files);
        memset(record.bytes, 0, at); /* and all before it */
        if (at + size < record.size)
            expect_without_the_last(self, &files);
        memset(record.bytes, 0, record.size);
        memcpy(record.bytes, whole, at); /* and all behind it, but none before */
        expect_without_the_last(self, &files);
        memcpy(record.bytes, whole, record.size);
    }
    place_and_open(self, &files);
    assert_true(has_value(self->store, VALUES - 1)); /* the case at hand was one */
    store_files_deinit(&files);
}

static void test_S2_a_bit_flipped_in_any_byte_of_the_last_record_undoes_it_whole(void **state)
{
    struct fixture *self = *state;
    struct store_files files;
    struct log_record record;

    write_batches(self, 1, 2);
    must_put(self->store, STORE_TASK, "a", "the last record");
    store_files_take(self, &files);
    record = log_record_at(&files, last_block(&files, 3));
    assert_in_range(record.size, WAL_HEAD_BYTES + 10, 100);
    for (size_t at = 0; at < record.size; at++) {
        record.bytes[at] ^= (uint8_t)(1 << at % 8);
        place_and_open(self, &files);
        record.bytes[at] ^= (uint8_t)(1 << at % 8);
        assert_null(value_of(self->store, STORE_TASK, "a"));
    }
    place_and_open(self, &files);
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "the last record");
    store_files_deinit(&files);
}

/* It can't have been torn: it was on the disk before the next was begun. */
static void test_a_bit_flipped_in_any_byte_of_a_record_before_the_last_is_refused(void **state)
{
    struct fixture *self = *state;
    struct store_files files;
    struct log_record record;

    must_put(self->store, STORE_TASK, "a", "the first record");
    must_put(self->store, STORE_TASK, "b", "the last record");
    store_files_take(self, &files);
    record = log_record_at(&files, 1);
    for (size_t at = 0; at < record.size; at++) {
        record.bytes[at] ^= (uint8_t)(1 << at % 8);
        place_and_expect_refused(self, &files);
        record.bytes[at] ^= (uint8_t)(1 << at % 8);
    }
    place_and_open(self, &files);
    assert_string_equal(value_of(self->store, STORE_TASK, "b"), "the last record");
    store_files_deinit(&files);
}

static void test_a_record_behind_a_missing_one_is_not_applied(void **state)
{
    struct fixture *self = *state;
    struct store_files files;

    write_batches(self, 1, 8);
    store_files_take(self, &files);
    for (size_t missing = 1; missing <= 7; missing++) {
        struct store_files holed = {.data = files.data};

        buffer_append(&holed.wal, buffer_view(&files.wal));
        memset(holed.wal.data + last_block(&files, missing) * WAL_BLOCK_BYTES, 0, WAL_BLOCK_BYTES);
        place_and_expect_refused(self, &holed);
        buffer_deinit(&holed.wal);
    }
    place_and_open(self, &files);
    assert_int_equal(check_batches(self->store), 8);
    store_files_deinit(&files);
}

static void test_records_in_another_order_are_not_applied(void **state)
{
    struct fixture *self = *state;
    struct store_files files;
    uint8_t block[WAL_BLOCK_BYTES];

    must_put(self->store, STORE_TASK, "a", "one");
    must_put(self->store, STORE_TASK, "a", "two");
    store_files_take(self, &files);
    memcpy(block, files.wal.data + WAL_BLOCK_BYTES, sizeof block);
    memmove(files.wal.data + WAL_BLOCK_BYTES, files.wal.data + 2 * WAL_BLOCK_BYTES, sizeof block);
    memcpy(files.wal.data + 2 * WAL_BLOCK_BYTES, block, sizeof block);
    place_and_expect_refused(self, &files);
    store_files_deinit(&files);
}

static void test_records_of_before_the_checkpoint_are_not_applied_again(void **state)
{
    struct fixture *self = *state;
    struct store_files files;

    must_put(self->store, STORE_TASK, "a", "in the log");
    put_large(self->store, "large"); /* a checkpoint */
    put_large(self->store, "larger");
    {
        struct store_txn *txn = must_begin(self->store);

        txn_put(txn, STORE_TASK, "a", "not in the log");
        assert_int_equal(store_put(txn, STORE_CHUNK, slice_of_string("largest"),
                                   slice_of((uint8_t[600000]){1}, 600000)),
                         STATUS_OK);
        must_commit(txn);
    }
    store_files_take(self, &files);
    assert_int_equal(log_record_at(&files, 1).number, 1); /* still lies there */
    place_and_open(self, &files);
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "not in the log");
    store_files_deinit(&files);
}

static void test_records_left_behind_newer_ones_are_not_applied_again(void **state)
{
    struct fixture *self = *state;

    write_batches(self, 1, 8);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    write_batches(self, 9, 10); /* over the first two: the third to the eighth are behind them */
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 10);
    write_batches(self, 11, 11);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 11);
}

/* A payload may say anything: here, a record of a later number at a block's beginning, all right
 * but for the log's id, which nobody outside knows. Where the payload's own record was torn, it is
 * met. */
static void test_a_payload_that_looks_like_a_record_is_none(void **state)
{
    enum { CRC_AT = 4, ID_AT = 8, NUMBER_AT = 16 };
    struct fixture *self = *state;
    struct store_files files;
    struct log_record forged;
    struct store_txn *txn;
    uint8_t value[3 * WAL_BLOCK_BYTES] = {1};
    uint64_t number = 99;
    uint32_t crc;

    must_put(self->store, STORE_TASK, "a", "to be copied");
    store_files_take(self, &files);
    forged = log_record_at(&files, 1);
    forged.bytes[ID_AT] ^= 1;
    memcpy(forged.bytes + NUMBER_AT, &number, sizeof number);
    crc = crc32c(0, forged.bytes + ID_AT, forged.size - ID_AT);
    memcpy(forged.bytes + CRC_AT, &crc, sizeof crc);

    txn = must_begin(self->store);
    /* The value begins behind the record's head, the operation's of 8 bytes, and its key. */
    memcpy(value + WAL_BLOCK_BYTES - WAL_HEAD_BYTES - 8 - 1, forged.bytes, forged.size);
    assert_int_equal(
        store_put(txn, STORE_CHUNK, slice_of_string("v"), slice_of(value, sizeof value)),
        STATUS_OK);
    must_commit(txn);
    store_files_deinit(&files);
    store_files_take(self, &files);
    assert_memory_equal(files.wal.data + (size_t)3 * WAL_BLOCK_BYTES + NUMBER_AT, &number,
                        sizeof number); /* it lies at a block's beginning */
    memset(files.wal.data + (size_t)2 * WAL_BLOCK_BYTES, 0, WAL_BLOCK_BYTES);
    place_and_open(self, &files);
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "to be copied");
    assert_null(value_of(self->store, STORE_CHUNK, "v"));
    store_files_deinit(&files);
}

/* Aborts */

static void change_and_abort(struct store *store)
{
    struct store_txn *txn = must_begin(store);
    uint8_t key[8];

    txn_put(txn, STORE_META, "last", "none");
    for (uint32_t i = 0; i < 20; i++) {
        be32_put(key, 7);
        be32_put(key + 4, i);
        assert_int_equal(store_remove(txn, STORE_TASK, slice_of(key, 8)), STATUS_OK);
    }
    txn_put(txn, STORE_DUE, "new", "not to be");
    store_abort(txn);
}

static void test_S2_an_abort_after_logged_commits_undoes_only_the_open_transaction(void **state)
{
    struct fixture *self = *state;

    write_batches(self, 1, 8);
    change_and_abort(self->store);
    assert_int_equal(check_batches(self->store), 8);
    write_batches(self, 9, 9);
    change_and_abort(self->store);
    change_and_abort(self->store);
    write_batches(self, 10, 10);
    assert_int_equal(check_batches(self->store), 10);
    assert_null(value_of(self->store, STORE_DUE, "new"));
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 10);
    assert_null(value_of(self->store, STORE_DUE, "new"));
}

static void test_S2_a_transaction_that_only_read_is_aborted_for_nothing(void **state)
{
    struct fixture *self = *state;

    write_batches(self, 1, 8);
    assert_int_equal(check_batches(self->store), 8); /* reads all, and aborts */
    assert_true(store_is_behind(self->store));
    must_commit(must_begin(self->store));
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 8);
}

/* A full map */

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

static void test_S6_a_full_map_costs_nothing_of_what_only_the_log_has(void **state)
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

enum { EDGE_NUMBERS = 1000, EDGE_STEPS = 400 };

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

    limit_map(self, 2 << 20);
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

/* Other logs */

static void test_a_missing_log_is_refused(void **state)
{
    struct fixture *self = *state;
    char path[PATH_MAX];

    write_batches(self, 1, 8);
    close_store(self);
    fixture_path(self, "db/wal", path);
    assert_int_equal(unlink(path), 0);
    expect_refused(self, "lacks its file wal");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_a_log_of_no_bytes_or_less_than_its_head_is_refused(void **state)
{
    struct fixture *self = *state;
    struct store_files files;

    write_batches(self, 1, 8);
    store_files_take(self, &files);
    for (size_t size = 0; size < 24; size++) {
        files.wal.size = size;
        place_and_expect_refused(self, &files);
    }
    store_files_deinit(&files);
}

static void test_a_bit_flipped_in_any_byte_of_the_logs_head_is_refused(void **state)
{
    struct fixture *self = *state;
    struct store_files files;

    write_batches(self, 1, 8);
    store_files_take(self, &files);
    for (size_t at = 0; at < 24; at++) {
        files.wal.data[at] ^= (uint8_t)(1 << at % 8);
        place_and_expect_refused(self, &files);
        files.wal.data[at] ^= (uint8_t)(1 << at % 8);
    }
    place_and_open(self, &files);
    assert_int_equal(check_batches(self->store), 8);
    store_files_deinit(&files);
}

static void test_the_log_of_another_store_is_refused(void **state)
{
    struct fixture *self = *state;
    struct store_files ours;
    struct store_files theirs;

    write_batches(self, 1, 8);
    store_files_take(self, &ours);
    close_store(self);
    remove_tree(self->path);
    reopen_store(self); /* a new store */
    write_batches(self, 1, 3);
    store_files_take(self, &theirs);
    place_and_expect_refused(self, &(struct store_files){ours.data, theirs.wal});
    place_and_expect_refused(self, &(struct store_files){theirs.data, ours.wal});
    place_and_open(self, &ours);
    assert_int_equal(check_batches(self->store), 8);
    store_files_deinit(&ours);
    store_files_deinit(&theirs);
}

static void test_a_data_file_of_another_time_than_its_log_is_refused(void **state)
{
    struct fixture *self = *state;
    struct store_files before;
    struct store_files after;

    write_batches(self, 1, 2);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    store_files_take(self, &before);
    write_batches(self, 3, 8);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    write_batches(self, 9, 10); /* records 3 and 4 are overwritten */
    store_files_take(self, &after);
    place_and_expect_refused(self, &(struct store_files){before.data, after.wal});
    place_and_open(self, &after);
    assert_int_equal(check_batches(self->store), 10);
    store_files_deinit(&before);
    store_files_deinit(&after);
}

/* As of format 3, or of a start that was cut off before it said which log is its own. */
static void remove_mark(struct fixture *self, bool also_log)
{
    char path[PATH_MAX];
    uint8_t mark = 4;
    MDB_val key = {.mv_size = 1, .mv_data = &mark};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi main;

    close_store(self);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, STORE_TABLE_COUNT), 0);
    assert_int_equal(mdb_env_open(env, self->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &main), 0);
    assert_int_equal(mdb_del(txn, main, &key, NULL), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    fixture_path(self, "db/wal", path);
    if (also_log)
        assert_int_equal(unlink(path), 0);
}

static void test_a_store_of_before_there_was_a_log_gets_one(void **state)
{
    struct fixture *self = *state;

    write_batches(self, 1, 8);
    remove_mark(self, true);
    reopen_store(self);
    assert_int_equal(check_batches(self->store), 8);
    write_batches(self, 9, 10);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 10);
}

static void test_a_log_that_no_store_ever_used_is_made_anew(void **state)
{
    struct fixture *self = *state;

    write_batches(self, 1, 8);
    remove_mark(self, false);
    reopen_store(self);
    assert_int_equal(check_batches(self->store), 8);
    write_batches(self, 9, 10);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 10);
}

/* Checkpoints cut off */

/* LMDB writes its two meta pages in turn, at the end of a commit: with those of before, whatever
 * else has been written does not count. */
static void test_a_checkpoint_cut_off_before_its_meta_page_is_made_again(void **state)
{
    struct fixture *self = *state;
    struct store_files before;
    struct store_files after;

    write_batches(self, 1, 2);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    write_batches(self, 3, 8);
    store_files_take(self, &before);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    store_files_take(self, &after);
    assert_memory_not_equal(before.data.data, after.data.data, 2 * 4096);
    memcpy(after.data.data, before.data.data, 2 * 4096);
    place_and_open(self, &after);
    assert_int_equal(check_batches(self->store), 8);
    write_batches(self, 9, 9);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 9);
    store_files_deinit(&before);
    store_files_deinit(&after);
}

/* Backups */

static void test_a_backup_has_a_log_of_one_block_and_goes_on_with_it(void **state)
{
    struct fixture *self = *state;
    struct store_copy copy;
    struct stat found;
    char path[PATH_MAX];
    char file[PATH_MAX];

    fixture_path(self, "copy", path);
    fixture_path(self, "copy/wal", file);
    copy = (struct store_copy){.directory = path};
    write_batches(self, 1, 8);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    assert_int_equal(store_backup(self->store, &copy), STATUS_OK);
    assert_int_equal(stat(file, &found), 0);
    assert_int_equal(found.st_size, WAL_BLOCK_BYTES);
    assert_int_equal(found.st_mode & 0777, 0600);

    close_store(self);
    remove_tree(self->path);
    assert_int_equal(rename(path, self->path), 0);
    reopen_store(self);
    assert_int_equal(check_batches(self->store), 8);
    write_batches(self, 9, 12);
    assert_true(store_is_behind(self->store));
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 12);
}

#define CASES(X)                                                                                   \
    X(test_S1_commits_that_only_the_log_has_survive_SIGKILL)                                       \
    X(test_S1_commits_before_and_after_a_checkpoint_survive_SIGKILL)                               \
    X(test_S1_a_commit_too_large_for_the_log_takes_those_in_it_along)                              \
    X(test_S1_commits_survive_SIGKILL_however_often_the_log_begins_again)                          \
    X(test_S1_values_filled_in_late_and_moved_are_logged_as_they_are)                              \
    X(test_what_a_start_found_in_the_log_is_no_more_needed_there)                                  \
    X(test_a_store_that_was_closed_needs_nothing_of_its_log)                                       \
    X(test_S3_a_snapshot_is_of_the_last_checkpoint_and_usage_too)                                  \
    X(test_S2_a_record_torn_at_any_sector_is_as_if_it_had_not_been)                                \
    X(test_S2_a_bit_flipped_in_any_byte_of_the_last_record_undoes_it_whole)                        \
    X(test_a_bit_flipped_in_any_byte_of_a_record_before_the_last_is_refused)                       \
    X(test_a_record_behind_a_missing_one_is_not_applied)                                           \
    X(test_records_in_another_order_are_not_applied)                                               \
    X(test_records_of_before_the_checkpoint_are_not_applied_again)                                 \
    X(test_records_left_behind_newer_ones_are_not_applied_again)                                   \
    X(test_a_payload_that_looks_like_a_record_is_none)                                             \
    X(test_S2_an_abort_after_logged_commits_undoes_only_the_open_transaction)                      \
    X(test_S2_a_transaction_that_only_read_is_aborted_for_nothing)                                 \
    X(test_S6_a_full_map_costs_nothing_of_what_only_the_log_has)                                   \
    X(test_S6_a_full_map_takes_small_removals_and_then_writes_again)                               \
    X(test_S6_at_the_edge_of_a_full_map_every_start_finds_room)                                    \
    X(test_S6_a_first_write_refused_for_a_full_map_is_undone)                                      \
    X(test_a_missing_log_is_refused)                                                               \
    X(test_a_log_of_no_bytes_or_less_than_its_head_is_refused)                                     \
    X(test_a_bit_flipped_in_any_byte_of_the_logs_head_is_refused)                                  \
    X(test_the_log_of_another_store_is_refused)                                                    \
    X(test_a_data_file_of_another_time_than_its_log_is_refused)                                    \
    X(test_a_store_of_before_there_was_a_log_gets_one)                                             \
    X(test_a_log_that_no_store_ever_used_is_made_anew)                                             \
    X(test_a_checkpoint_cut_off_before_its_meta_page_is_made_again)                                \
    X(test_a_backup_has_a_log_of_one_block_and_goes_on_with_it)

int main(void)
{
    const struct CMUnitTest cases[] = {
#define X(name) FIXTURE_CASE(name, &engine_lmdb),
        CASES(X)
#undef X
    };

    return cmocka_run_group_tests_name("wal", cases, NULL, NULL);
}
