/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_wal_damage.c -- logs that were torn or damaged, and records that are none: nothing
 * comes back that was not committed, and what was is not passed over in silence.
 *
 * A record is on the disk before the next is begun (L2 in wal.h). So the last one may have been
 * torn, and then nobody was told that it took place; any other can only have been damaged since.
 */
#include "store/lmdb/wal.h"
#include "store_batches.h"
#include "store_files.h"

enum { SECTOR_BYTES = 512, VALUE_BYTES = 3000, VALUES = 3 };

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

/* The store with its last record spoilt: it has the eight batches, and nothing of the record. */
static void expect_without_the_last(struct fixture *self, const struct store_files *spoilt)
{
    place_and_open(self, spoilt);
    assert_int_equal(check_batches(self->store), 8);
    for (uint8_t i = 0; i < VALUES; i++)
        assert_false(has_value(self->store, i));
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

static void test_S2_the_next_commit_takes_the_place_of_a_torn_record(void **state)
{
    struct fixture *self = *state;
    struct store_files files;

    write_batches(self, 1, 8);
    put_values(self->store);
    store_files_take(self, &files);
    memset(log_record_at(&files, last_block(&files, 9)).bytes + SECTOR_BYTES, 0, SECTOR_BYTES);
    expect_without_the_last(self, &files);
    write_batches(self, 9, 9);
    self->engine->restart(self);
    assert_int_equal(check_batches(self->store), 9);
    assert_false(has_value(self->store, 0));
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
    static const uint8_t large[600000] = {1};
    struct fixture *self = *state;
    struct store_files files;
    struct store_txn *txn;

    must_put(self->store, STORE_TASK, "a", "in the log");
    put_large(self->store, "large"); /* a checkpoint */
    txn = must_begin(self->store);
    txn_put(txn, STORE_TASK, "a", "not in the log");
    assert_int_equal(
        store_put(txn, STORE_CHUNK, slice_of_string("larger"), slice_of(large, sizeof large)),
        STATUS_OK);
    must_commit(txn);
    store_files_take(self, &files);
    assert_int_equal(log_record_at(&files, 1).number,
                     4); /* still lies there; 3 are the fixture's */
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

#define CASES(X)                                                                                   \
    X(test_S2_a_record_torn_at_any_sector_is_as_if_it_had_not_been)                                \
    X(test_S2_the_next_commit_takes_the_place_of_a_torn_record)                                    \
    X(test_S2_a_bit_flipped_in_any_byte_of_the_last_record_undoes_it_whole)                        \
    X(test_a_bit_flipped_in_any_byte_of_a_record_before_the_last_is_refused)                       \
    X(test_a_record_behind_a_missing_one_is_not_applied)                                           \
    X(test_records_in_another_order_are_not_applied)                                               \
    X(test_records_of_before_the_checkpoint_are_not_applied_again)                                 \
    X(test_records_left_behind_newer_ones_are_not_applied_again)                                   \
    X(test_a_payload_that_looks_like_a_record_is_none)

int main(void)
{
    const struct CMUnitTest cases[] = {
#define X(name) FIXTURE_CASE(name, &engine_lmdb),
        CASES(X)
#undef X
    };

    return cmocka_run_group_tests_name("wal, damaged", cases, NULL, NULL);
}
