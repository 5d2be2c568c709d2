/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_wal_other.c -- a log that is missing, another store's or of another time is refused
 * with a sentence; a store that never had one gets one.
 */
#include <lmdb.h>
#include <stdio.h>
#include <unistd.h>

#include "store_batches.h"
#include "store_files.h"

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

static void test_a_log_without_its_data_file_is_refused_and_nothing_is_made(void **state)
{
    struct fixture *self = *state;
    char path[PATH_MAX];

    write_batches(self, 1, 8);
    close_store(self);
    fixture_path(self, "db/data.mdb", path);
    assert_int_equal(unlink(path), 0);
    expect_refused(self, "lacks its file data.mdb");
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

/* As a later ackd may leave it: of another version, and longer. */
static void test_a_store_of_a_newer_ackd_is_refused_before_it_is_changed(void **state)
{
    struct fixture *self = *state;
    uint8_t mark[32] = {[4] = 99};
    uint32_t crc = crc32c(0, mark + 4, sizeof mark - 4);
    uint8_t name = 4;
    MDB_val key = {.mv_size = 1, .mv_data = &name};
    MDB_val value = {.mv_size = sizeof mark, .mv_data = mark};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    memcpy(mark, &crc, sizeof crc);
    close_store(self);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, self->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    expect_refused(self, "newer ackd");
}

#define CASES(X)                                                                                   \
    X(test_a_missing_log_is_refused)                                                               \
    X(test_a_log_without_its_data_file_is_refused_and_nothing_is_made)                             \
    X(test_a_store_of_a_newer_ackd_is_refused_before_it_is_changed)                                \
    X(test_a_log_of_no_bytes_or_less_than_its_head_is_refused)                                     \
    X(test_a_bit_flipped_in_any_byte_of_the_logs_head_is_refused)                                  \
    X(test_the_log_of_another_store_is_refused)                                                    \
    X(test_a_data_file_of_another_time_than_its_log_is_refused)                                    \
    X(test_a_store_of_before_there_was_a_log_gets_one)                                             \
    X(test_a_log_that_no_store_ever_used_is_made_anew)

int main(void)
{
    const struct CMUnitTest cases[] = {
#define X(name) FIXTURE_CASE(name, &engine_lmdb),
        CASES(X)
#undef X
    };

    return cmocka_run_group_tests_name("wal, other", cases, NULL, NULL);
}
