/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_lmdb.c -- what is LMDB's own: readers and backups beside the writer, how files lie on
 * the disk, and the directory's lock.
 */
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb.h"
#include "store/lock.h"
#include "store_batches.h"

static void test_S3_a_reader_keeps_its_snapshot_while_the_writer_commits(void **state)
{
    struct fixture *self = *state;
    struct store_txn *reader;
    struct store_txn *writer;
    struct slice value;

    must_put(self->store, STORE_TASK, "a", "old");
    reader = must_begin_read(self->store);
    writer = must_begin(self->store);
    txn_put(writer, STORE_TASK, "a", "new");
    txn_put(writer, STORE_TASK, "b", "new");
    assert_int_equal(store_get(reader, STORE_TASK, slice_of_string("a"), &value), STATUS_OK);
    assert_true(slice_equal(value, slice_of_string("old")));
    must_commit(writer);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    assert_int_equal(store_get(reader, STORE_TASK, slice_of_string("a"), &value), STATUS_OK);
    assert_true(slice_equal(value, slice_of_string("old")));
    assert_string_equal(keys_between(reader, STORE_TASK, "", "", 9), "a");
    store_abort(reader);
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "new");
}

struct backup_thread {
    struct store *store;
    char path[PATH_MAX];
    uint64_t bytes;
    enum status status;
};

static void *run_backup(void *context)
{
    struct backup_thread *self = context;

    struct store_copy copy = {.directory = self->path};

    self->status = store_backup(self->store, &copy);
    self->bytes = copy.bytes;
    return NULL;
}

/* The copy waits for the writer's lock until the checkpoint at the end. */
static void test_a_backup_made_beside_the_writer_is_a_store_as_of_one_commit(void **state)
{
    struct fixture *self = *state;
    struct backup_thread backup = {.store = self->store};
    struct error error = ERROR_NONE;
    struct store *copy;
    struct stat status;
    char file[PATH_MAX];
    pthread_t thread;
    uint32_t n = 1;
    uint32_t last;

    fixture_path(self, "backup", backup.path);
    for (; n <= 20; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, run_backup, &backup), 0);
    for (; n <= 60; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(backup.status, STATUS_OK);
    fixture_path(self, "backup/data.mdb", file);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_size, backup.bytes);
    assert_int_equal(status.st_mode & 0777, 0600);

    assert_int_equal(store_lmdb_open(backup.path, self->map_bytes, &copy, &error), STATUS_OK);
    last = check_batches(copy);
    assert_in_range(last, 20, 60);
    assert_int_equal(write_batch(copy, last + 1), STATUS_OK);
    store_close(copy);
    assert_int_equal(check_batches(self->store), 60);
}

static void test_a_backup_into_a_directory_that_exists_is_refused(void **state)
{
    struct fixture *self = *state;
    char path[PATH_MAX];
    struct store_copy copy = {.directory = self->directory};

    assert_int_equal(store_backup(self->store, &copy), STATUS_INVALID);
    fixture_path(self, "no/such/parent", path);
    copy.directory = path;
    assert_int_equal(store_backup(self->store, &copy), STATUS_INVALID);
    must_put(self->store, STORE_TASK, "a", "the store goes on");
}

static void test_files_and_directory_are_private(void **state)
{
    static const struct {
        const char *name;
        mode_t mode;
    } files[] = {{"db", 0700},
                 {"db/data.mdb", 0600},
                 {"db/lock.mdb", 0600},
                 {"db/LOCK", 0600},
                 {"db/wal", 0600}};
    struct fixture *self = *state;
    struct error error = ERROR_NONE;
    int lock;

    assert_int_equal(store_lock_take(self->path, &lock, &error), STATUS_OK);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[PATH_MAX];
        struct stat status;

        fixture_path(self, files[i].name, path);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, files[i].mode);
    }
    store_lock_release(lock);
}

static void test_appended_records_fill_their_pages(void **state)
{
    struct fixture *self = *state;
    struct store_usage before;
    struct store_usage after;

    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    assert_int_equal(store_usage(self->store, &before), STATUS_OK);
    for (uint64_t batch = 0; batch < 10; batch++) {
        struct store_txn *txn = must_begin(self->store);

        for (uint64_t i = 0; i < 1000; i++) {
            uint8_t key[8];
            uint8_t *value;

            be64_put(key, batch * 1000 + i);
            assert_int_equal(store_reserve(txn, STORE_TASK, slice_of(key, 8), 256, &value),
                             STATUS_OK);
            memset(value, 1, 256);
        }
        must_commit(txn);
    }
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    assert_int_equal(store_usage(self->store, &after), STATUS_OK);
    assert_in_range(after.used_bytes - before.used_bytes, 10000 * 264, 10000 * 264 * 115 / 100);
}

static void put_tasks(struct store *store, uint8_t queue, uint32_t first, uint32_t count)
{
    struct store_txn *txn = must_begin(store);

    for (uint32_t i = first; i < first + count; i++) {
        uint8_t key[9] = {0, 0, 0, queue, 0};
        uint8_t *value;

        be32_put(key + 5, i);
        assert_int_equal(store_reserve(txn, STORE_TASK, slice_of(key, 9), 256, &value), STATUS_OK);
        memset(value, 1, 256);
    }
    must_commit(txn);
}

static void test_queues_fill_their_pages_though_others_lie_behind_them(void **state)
{
    struct fixture *self = *state;
    struct store_usage before;
    struct store_usage after;

    for (uint8_t queue = 1; queue <= 10; queue++)
        put_tasks(self->store, queue, 0, 5);
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    assert_int_equal(store_usage(self->store, &before), STATUS_OK);
    for (uint32_t batch = 0; batch < 10; batch++) {
        for (uint8_t queue = 1; queue <= 10; queue++)
            put_tasks(self->store, queue, 5 + batch * 100, 100);
    }
    assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    assert_int_equal(store_usage(self->store, &after), STATUS_OK);
    assert_in_range(after.used_bytes - before.used_bytes, 10000 * 264, 10000 * 264 * 120 / 100);
}

static void test_a_store_of_the_first_format_is_refused_and_left_as_it_is(void **state)
{
    struct fixture *self = *state;
    struct error error = ERROR_NONE;
    char directory[PATH_MAX];
    struct store *store;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    fixture_path(self, "first", directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 2), 0);
    assert_int_equal(mdb_env_open(env, directory, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);

    assert_int_equal(store_lmdb_open(directory, (uint64_t)1 << 24, &store, &error), STATUS_CORRUPT);
    assert_non_null(strstr(error.message, "first format"));
}

/* Takes the lock, says so, and waits to be killed. */
static int hold_lock(struct fixture *self, int report)
{
    struct error error;
    int lock;

    if (store_lock_take(self->path, &lock, &error) != STATUS_OK || write(report, "x", 1) != 1)
        return 1;
    (void)pause();
    return 1;
}

static void test_a_second_broker_on_a_directory_is_refused_and_told_the_pid(void **state)
{
    struct fixture *self = *state;
    struct error error = ERROR_NONE;
    char words[64];
    char said;
    int report;
    int lock;
    pid_t child = start_child(self, hold_lock, &report);

    assert_int_equal(read(report, &said, 1), 1);
    assert_int_equal(store_lock_take(self->path, &lock, &error), STATUS_UNAVAILABLE);
    (void)snprintf(words, sizeof words, "in use by process %ld", (long)child);
    assert_non_null(strstr(error.message, words));
    assert_non_null(strstr(error.message, self->path));

    assert_int_equal(kill(child, SIGKILL), 0);
    (void)wait_for_child(child);
    (void)close(report);
    assert_int_equal(store_lock_take(self->path, &lock, &error), STATUS_OK);
    store_lock_release(lock);
    assert_int_equal(store_lock_take(self->path, &lock, &error), STATUS_OK);
    store_lock_release(lock);
}

#define CASES(X)                                                                                   \
    X(test_S3_a_reader_keeps_its_snapshot_while_the_writer_commits)                                \
    X(test_a_backup_made_beside_the_writer_is_a_store_as_of_one_commit)                            \
    X(test_a_backup_into_a_directory_that_exists_is_refused)                                       \
    X(test_files_and_directory_are_private)                                                        \
    X(test_appended_records_fill_their_pages)                                                      \
    X(test_queues_fill_their_pages_though_others_lie_behind_them)                                  \
    X(test_a_store_of_the_first_format_is_refused_and_left_as_it_is)                               \
    X(test_a_second_broker_on_a_directory_is_refused_and_told_the_pid)

int main(void)
{
    const struct CMUnitTest cases[] = {
#define X(name) FIXTURE_CASE(name, &engine_lmdb),
        CASES(X)
#undef X
    };

    return cmocka_run_group_tests_name("lmdb", cases, NULL, NULL);
}
