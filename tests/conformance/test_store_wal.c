/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_wal.c -- the LMDB engine's log: what only it has outlives SIGKILL, aborts and
 * checkpoints that were cut off, and a backup goes on with a log of its own.
 *
 * Power cuts in the middle of a write or of a checkpoint: tests/crash/power_cut.py.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "store/lmdb/wal.h"
#include "store_batches.h"
#include "store_files.h"

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

static void test_S3_a_snapshot_is_of_the_last_checkpoint(void **state)
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
    X(test_S3_a_snapshot_is_of_the_last_checkpoint)                                                \
    X(test_S2_an_abort_after_logged_commits_undoes_only_the_open_transaction)                      \
    X(test_S2_a_transaction_that_only_read_is_aborted_for_nothing)                                 \
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
