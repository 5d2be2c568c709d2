/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_lmdb.c -- what only a store on disk can promise or refuse: kills, full and failing
 * disks, damaged files, backups, readers beside the writer, the directory's lock.
 *
 * What needs a broken process or disk happens in a forked child with an environment of its own;
 * it reports by a pipe and by its exit code.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "store/lmdb.h"
#include "store/lock.h"
#include "store_fixture.h"

enum { BATCH_ROWS = 20, BATCHES_KEPT = 5 };

/* Batch n: 20 tasks marked n, the tasks of batch n - 5 removed, and n in META, all or nothing.
 * For children, too: returns what failed. */
static enum status write_batch(struct store *store, uint32_t n)
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

/* The last batch, after checking that the store holds it and the four before it whole. */
static uint32_t check_batches(struct store *store)
{
    struct store_row rows[BATCH_ROWS * BATCHES_KEPT + 1];
    struct store_txn *txn = must_begin_read(store);
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

/* Forks; the child runs `body`, whose result is its exit code. */
static pid_t start_child(struct fixture *self, int (*body)(struct fixture *, int), int *ret_pipe)
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

static int wait_for(pid_t child)
{
    int how;

    assert_int_equal(waitpid(child, &how, 0), child);
    return how;
}

static int run_child(struct fixture *self, int (*body)(struct fixture *, int))
{
    int report;
    pid_t child = start_child(self, body, &report);
    int how = wait_for(child);

    (void)close(report);
    assert_true(WIFEXITED(how));
    return WEXITSTATUS(how);
}

static void reopen(struct fixture *self)
{
    assert_int_equal(self->engine->open(self), STATUS_OK);
}

static void close_store(struct fixture *self)
{
    store_close(self->store);
    self->store = NULL;
}

/* Commits batch after batch and says so, until it is killed. */
static int write_until_killed(struct fixture *self, int report)
{
    uint32_t n;

    if (self->engine->open(self) != STATUS_OK)
        return 1;
    for (n = check_batches(self->store) + 1; write_batch(self->store, n) == STATUS_OK; n++) {
        if (write(report, &n, sizeof n) != (ssize_t)sizeof n)
            return 1;
    }
    return 1;
}

static void test_S1_what_was_committed_survives_SIGKILL(void **state)
{
    struct fixture *self = *state;
    struct dice dice = {1};

    for (int round = 0; round < 10; round++) {
        int report;
        uint32_t reported = 0;
        uint64_t wanted = 1 + dice_below(&dice, 30);
        uint32_t last;
        pid_t child;

        close_store(self);
        child = start_child(self, write_until_killed, &report);
        while (read(report, &last, sizeof last) == (ssize_t)sizeof last) {
            reported = last;
            if (wanted > 0 && --wanted == 0)
                assert_int_equal(kill(child, SIGKILL), 0);
        }
        (void)close(report);
        assert_true(WIFSIGNALED(wait_for(child)));
        reopen(self);
        last = check_batches(self->store);
        assert_in_range(last, reported, reported + 1);
    }
}

/* A file size limit makes the disk fail in the middle of a commit. */
static int write_past_file_limit(struct fixture *self, int report)
{
    struct rlimit limit = {256 << 10, 256 << 10};
    enum status status = STATUS_OK;
    struct store_txn *txn;
    struct store_usage usage;
    uint64_t bytes;

    (void)report;
    (void)signal(SIGXFSZ, SIG_IGN);
    if (self->engine->open(self) != STATUS_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    for (uint32_t i = 0; status == STATUS_OK && i < 100; i++) {
        static const uint8_t value[20000];
        uint8_t key[4];

        be32_put(key, i);
        if (store_begin_write(self->store, &txn) != STATUS_OK ||
            store_put(txn, STORE_CHUNK, slice_of(key, 4), slice_of(value, sizeof value)) !=
                STATUS_OK)
            return 2;
        status = store_commit(txn);
    }
    if (status != STATUS_INTERNAL)
        return 3;
    if (store_begin_write(self->store, &txn) != STATUS_INTERNAL ||
        store_begin_read(self->store, &txn) != STATUS_INTERNAL ||
        store_usage(self->store, &usage) != STATUS_INTERNAL ||
        store_backup(self->store, "/nowhere", &bytes) != STATUS_INTERNAL)
        return 4;
    return 0;
}

static void test_S7_a_failed_write_ends_the_store_and_keeps_the_last_commit(void **state)
{
    struct fixture *self = *state;

    for (uint32_t n = 1; n <= 7; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    close_store(self);
    assert_int_equal(run_child(self, write_past_file_limit), 0);
    reopen(self);
    assert_int_equal(check_batches(self->store), 7);
}

enum { CHILD_SKIPPED = 77 };

/* In a mount namespace of its own: a disk of 1 MiB, that is made larger after it was full. */
static int fill_small_disk(struct fixture *self, int report)
{
    enum status status = STATUS_OK;
    uint8_t value[3000] = {1};
    uint32_t stored = 0;
    struct store_usage usage;

    (void)report;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", self->directory, "tmpfs", 0, "size=1m") != 0)
        return CHILD_SKIPPED;
    if (self->engine->open(self) != STATUS_OK)
        return 1;
    while (status == STATUS_OK && stored < 1000) {
        struct store_txn *txn;
        uint8_t key[4];

        if (store_begin_write(self->store, &txn) != STATUS_OK)
            return 2;
        for (uint32_t i = 0; i < 7; i++) {
            be32_put(key, stored + i);
            if (store_put(txn, STORE_CHUNK, slice_of(key, 4), slice_of(value, sizeof value)) !=
                STATUS_OK)
                return 3;
        }
        status = store_commit(txn);
        stored += status == STATUS_OK ? 7 : 0;
    }
    if (status != STATUS_STORE_FULL)
        return 4;
    if (store_usage(self->store, &usage) != STATUS_OK || usage.max_bytes > 1 << 20 ||
        usage.used_bytes > usage.max_bytes)
        return 5;
    if (mount(NULL, self->directory, NULL, MS_REMOUNT, "size=4m") != 0)
        return 6;
    for (uint32_t n = 1; n <= 20; n++) {
        if (write_batch(self->store, n) != STATUS_OK)
            return 7;
    }
    store_close(self->store);
    if (self->engine->open(self) != STATUS_OK)
        return 8;
    return check_batches(self->store) == 20 ? 0 : 9;
}

static void test_S6_a_full_disk_refuses_and_takes_writes_again_when_there_is_room(void **state)
{
    struct fixture *self = *state;
    int code;

    close_store(self);
    code = run_child(self, fill_small_disk);
    reopen(self);
    if (code == CHILD_SKIPPED)
        skip(); /* no right to mount */
    assert_int_equal(code, 0);
}

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
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "old");
    must_commit(writer);
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

    self->status = store_backup(self->store, self->path, &self->bytes);
    return NULL;
}

static void test_a_backup_made_beside_the_writer_is_a_store_as_of_one_commit(void **state)
{
    struct fixture *self = *state;
    struct backup_thread backup = {.store = self->store};
    struct error error = ERROR_NONE;
    struct store *copy;
    struct stat status;
    pthread_t thread;
    uint32_t n = 1;
    uint32_t last;

    fixture_path(self, "backup", backup.path);
    for (; n <= 20; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, run_backup, &backup), 0);
    for (; n <= 60; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(backup.status, STATUS_OK);
    assert_int_equal(stat(strcat(backup.path, "/data.mdb"), &status), 0);
    assert_int_equal(status.st_size, backup.bytes);
    assert_int_equal(status.st_mode & 0777, 0600);

    fixture_path(self, "backup", backup.path);
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
    uint64_t bytes;

    assert_int_equal(store_backup(self->store, self->directory, &bytes), STATUS_INVALID);
    fixture_path(self, "no/such/parent", path);
    assert_int_equal(store_backup(self->store, path, &bytes), STATUS_INVALID);
    must_put(self->store, STORE_TASK, "a", "the store goes on");
}

static void expect_open_refused(struct fixture *self, const char *path, enum status expected,
                                const char *words)
{
    struct error error = ERROR_NONE;
    struct store *store;

    assert_int_equal(store_lmdb_open(path, self->map_bytes, &store, &error), expected);
    assert_int_equal(error.status, expected);
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static off_t file_size(struct fixture *self)
{
    struct stat status;
    char path[PATH_MAX];

    fixture_path(self, "db/data.mdb", path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void cut_file(struct fixture *self, off_t size)
{
    char path[PATH_MAX];

    fixture_path(self, "db/data.mdb", path);
    assert_int_equal(truncate(path, size), 0);
}

static void test_a_file_cut_short_is_refused(void **state)
{
    static const uint8_t value[1 << 20];
    struct fixture *self = *state;
    struct store_txn *txn;
    off_t size;

    for (uint32_t n = 1; n <= 30; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    txn = must_begin(self->store);
    assert_int_equal(/* at the end, the free list before it */
                     store_put(txn, STORE_CHUNK, slice_of_string("a"),
                               slice_of(value, sizeof value)),
                     STATUS_OK);
    must_commit(txn);
    close_store(self);
    for (size = file_size(self) - 4096; size >= 4 * 4096; size = size / 4096 * 15 / 16 * 4096) {
        cut_file(self, size);
        expect_open_refused(self, self->path, STATUS_CORRUPT, "damaged");
    }
}

/* LMDB does not write a page that was taken and given back in one transaction. */
static void test_a_file_that_rightly_ends_before_its_last_page_is_opened(void **state)
{
    static const uint8_t value[1 << 20];
    struct fixture *self = *state;
    struct store_txn *txn;
    MDB_envinfo info;
    MDB_env *env;

    for (uint32_t n = 1; n <= 10; n++) /* leaves free pages, for the commit's own needs */
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    txn = must_begin(self->store);
    assert_int_equal(
        store_put(txn, STORE_CHUNK, slice_of_string("a"), slice_of(value, sizeof value)),
        STATUS_OK);
    txn_remove(txn, STORE_CHUNK, "a");
    must_commit(txn);
    close_store(self);

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, self->path, MDB_RDONLY, 0600), 0);
    assert_int_equal(mdb_env_info(env, &info), 0);
    mdb_env_close(env);
    assert_true(file_size(self) / 4096 < (off_t)info.me_last_pgno); /* the case at hand */

    reopen(self);
    assert_int_equal(check_batches(self->store), 10);
}

static void test_a_file_that_is_no_store_is_refused(void **state)
{
    struct fixture *self = *state;
    char path[PATH_MAX];
    int file;

    close_store(self);
    fixture_path(self, "db/data.mdb", path);
    file = open(path, O_WRONLY);
    for (int i = 0; i < 4096; i++)
        assert_int_equal(write(file, "no store", 8), 8);
    (void)close(file);
    expect_open_refused(self, self->path, STATUS_CORRUPT, "none of ackd's");
}

static void test_a_directory_that_can_not_be_is_refused_with_its_name(void **state)
{
    struct fixture *self = *state;
    char path[PATH_MAX];

    fixture_path(self, "no/such/parent", path);
    expect_open_refused(self, path, STATUS_INVALID, path);
    fixture_path(self, "db/data.mdb", path);
    expect_open_refused(self, path, STATUS_INVALID, "not a directory");
}

static void test_files_and_directory_are_private(void **state)
{
    static const struct {
        const char *name;
        mode_t mode;
    } files[] = {{"db", 0700}, {"db/data.mdb", 0600}, {"db/lock.mdb", 0600}, {"db/LOCK", 0600}};
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
    assert_int_equal(store_usage(self->store, &after), STATUS_OK);
    assert_in_range(after.used_bytes - before.used_bytes, 10000 * 264, 10000 * 264 * 115 / 100);
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
    (void)wait_for(child);
    (void)close(report);
    assert_int_equal(store_lock_take(self->path, &lock, &error), STATUS_OK);
    store_lock_release(lock);
    assert_int_equal(store_lock_take(self->path, &lock, &error), STATUS_OK);
    store_lock_release(lock);
}

#define CASES(X)                                                                                   \
    X(test_S1_what_was_committed_survives_SIGKILL)                                                 \
    X(test_S3_a_reader_keeps_its_snapshot_while_the_writer_commits)                                \
    X(test_S6_a_full_disk_refuses_and_takes_writes_again_when_there_is_room)                       \
    X(test_S7_a_failed_write_ends_the_store_and_keeps_the_last_commit)                             \
    X(test_a_backup_made_beside_the_writer_is_a_store_as_of_one_commit)                            \
    X(test_a_backup_into_a_directory_that_exists_is_refused)                                       \
    X(test_a_file_cut_short_is_refused)                                                            \
    X(test_a_file_that_rightly_ends_before_its_last_page_is_opened)                                \
    X(test_a_file_that_is_no_store_is_refused)                                                     \
    X(test_a_directory_that_can_not_be_is_refused_with_its_name)                                   \
    X(test_files_and_directory_are_private)                                                        \
    X(test_appended_records_fill_their_pages)                                                      \
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
