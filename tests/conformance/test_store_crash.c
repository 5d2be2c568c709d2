/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_crash.c -- what a store on disk lives through, and what it refuses to open: SIGKILL,
 * failing and full disks, damaged files.
 *
 * What needs a broken process or disk happens in a forked child, which opens the store for itself.
 */
#include <fcntl.h>
#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/lmdb.h"
#include "store_batches.h"

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
        assert_true(WIFSIGNALED(wait_for_child(child)));
        reopen_store(self);
        last = check_batches(self->store);
        assert_in_range(last, reported, reported + 1);
    }
}

/* A file size limit makes the disk fail in the middle of a commit. Says how many went well. */
static int write_past_file_limit(struct fixture *self, int report, size_t value_bytes)
{
    static const uint8_t value[400000];
    struct rlimit limit = {256 << 10, 256 << 10};
    enum status status = STATUS_OK;
    struct store_txn *txn;
    struct store_usage usage;
    struct store_copy copy = {.directory = "/nowhere"};
    uint32_t stored;

    (void)signal(SIGXFSZ, SIG_IGN);
    if (self->engine->open(self) != STATUS_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    for (stored = 0; stored < 100; stored++) {
        uint8_t key[4];

        be32_put(key, stored);
        if (store_begin_write(self->store, &txn) != STATUS_OK ||
            store_put(txn, STORE_CHUNK, slice_of(key, 4), slice_of(value, value_bytes)) !=
                STATUS_OK)
            return 2;
        status = store_commit(txn);
        if (status != STATUS_OK)
            break;
    }
    if (status != STATUS_INTERNAL)
        return 3;
    if (store_begin_write(self->store, &txn) != STATUS_INTERNAL ||
        store_begin_read(self->store, &txn) != STATUS_INTERNAL ||
        store_checkpoint(self->store) != STATUS_INTERNAL ||
        store_usage(self->store, &usage) != STATUS_INTERNAL ||
        store_backup(self->store, &copy) != STATUS_INTERNAL)
        return 4;
    return write(report, &stored, sizeof stored) == (ssize_t)sizeof stored ? 0 : 5;
}

static int log_past_file_limit(struct fixture *self, int report)
{
    return write_past_file_limit(self, report, 20000);
}

static int commit_past_file_limit(struct fixture *self, int report)
{
    return write_past_file_limit(self, report, 400000);
}

static size_t count_chunks(struct store *store)
{
    static struct store_row rows[1000];
    struct store_txn *txn = must_begin(store);
    size_t count;

    assert_int_equal(store_scan(txn, STORE_CHUNK, SLICE_EMPTY, SLICE_EMPTY, rows, 1000, &count),
                     STATUS_OK);
    store_abort(txn);
    return count;
}

static void check_failed_write(struct fixture *self, int (*body)(struct fixture *, int))
{
    uint32_t stored;
    int report;
    int how;
    pid_t child;

    for (uint32_t n = 1; n <= 7; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    close_store(self);
    child = start_child(self, body, &report);
    how = wait_for_child(child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    assert_int_equal(read(report, &stored, sizeof stored), sizeof stored);
    (void)close(report);
    reopen_store(self);
    assert_int_equal(check_batches(self->store), 7);
    assert_in_range(count_chunks(self->store), stored, stored + 1);
}

static void
test_S7_a_failed_write_to_the_log_ends_the_store_and_keeps_what_was_committed(void **state)
{
    check_failed_write(*state, log_past_file_limit);
}

static void test_S7_a_failed_write_to_LMDB_ends_the_store_and_keeps_what_was_committed(void **state)
{
    check_failed_write(*state, commit_past_file_limit);
}

enum { CHILD_SKIPPED = 77 };

/* In a mount namespace of its own; false: no right to mount. */
static bool mount_disk(struct fixture *self, const char *options)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", self->directory, "tmpfs", 0, options) == 0;
}

/* A disk of 3 MiB, that is made larger after it was full. What
 * was committed is there at any time, and after SIGKILL, also while the disk is full. */
static int fill_small_disk(struct fixture *self, int report)
{
    enum status status = STATUS_OK;
    uint8_t value[3000] = {1};
    uint32_t stored = 0;
    struct store_usage usage;

    (void)report;
    if (!mount_disk(self, "size=3m"))
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
    if (store_usage(self->store, &usage) != STATUS_OK || usage.max_bytes > 3 << 20 ||
        usage.used_bytes > usage.max_bytes)
        return 5;
    if (count_chunks(self->store) != stored)
        return 10;
    self->engine->restart(self);
    if (count_chunks(self->store) != stored)
        return 11;
    if (mount(NULL, self->directory, NULL, MS_REMOUNT, "size=8m") != 0)
        return 6;
    for (uint32_t n = 1; n <= 20; n++) {
        if (write_batch(self->store, n) != STATUS_OK)
            return 7;
    }
    self->engine->restart(self);
    if (count_chunks(self->store) != stored)
        return 8;
    return check_batches(self->store) == 20 ? 0 : 9;
}

/* Somebody else's, with all the room that is left. */
static bool fill_disk(struct fixture *self, char path[PATH_MAX])
{
    static const uint8_t page[4096];
    int file;

    fixture_path(self, "others", path);
    file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    while (write(file, page, sizeof page) == (ssize_t)sizeof page)
        ;
    return close(file) == 0;
}

/* The disk has room for the log's commits in LMDB until others take it: then a checkpoint fails,
 * and the log keeps what it has. */
static int fill_disk_beside_log(struct fixture *self, int report)
{
    char others[PATH_MAX];
    uint32_t n = 1;

    (void)report;
    if (!mount_disk(self, "size=16m"))
        return CHILD_SKIPPED;
    if (self->engine->open(self) != STATUS_OK)
        return 1;
    for (; n <= 8; n++) {
        if (write_batch(self->store, n) != STATUS_OK)
            return 2;
    }
    if (!store_is_behind(self->store) || !fill_disk(self, others))
        return 3;
    for (int i = 0; i < 3; i++) {
        if (store_checkpoint(self->store) != STATUS_STORE_FULL)
            return 4;
        if (!store_is_behind(self->store) || check_batches(self->store) != n - 1)
            return 5;
        if (write_batch(self->store, n) == STATUS_OK) /* the log has room */
            n++;
    }
    if (unlink(others) != 0)
        return 6;
    self->engine->restart(self);
    return check_batches(self->store) == n - 1 ? 0 : 7;
}

static void run_on_small_disk(struct fixture *self, int (*body)(struct fixture *, int))
{
    int code;

    close_store(self);
    code = run_child(self, body);
    reopen_store(self);
    if (code == CHILD_SKIPPED)
        skip(); /* no right to mount */
    assert_int_equal(code, 0);
}

static void test_S6_a_full_disk_refuses_and_takes_writes_again_when_there_is_room(void **state)
{
    run_on_small_disk(*state, fill_small_disk);
}

static void test_S6_a_disk_that_others_fill_costs_nothing_of_what_only_the_log_has(void **state)
{
    run_on_small_disk(*state, fill_disk_beside_log);
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
    off_t pages;

    for (uint32_t n = 1; n <= 30; n++)
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
    txn = must_begin(self->store);
    /* This one lies at the file's end, and the free list before it. */
    assert_int_equal(
        store_put(txn, STORE_CHUNK, slice_of_string("a"), slice_of(value, sizeof value)),
        STATUS_OK);
    must_commit(txn);
    close_store(self);
    for (pages = file_size(self) / 4096 - 1; pages >= 4; pages = pages * 15 / 16) {
        cut_file(self, pages * 4096);
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

    for (uint32_t n = 1; n <= 10; n++) { /* leaves free pages, for the commit's own needs */
        assert_int_equal(write_batch(self->store, n), STATUS_OK);
        assert_int_equal(store_checkpoint(self->store), STATUS_OK);
    }
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

    reopen_store(self);
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

/* data.mdb is made under another name first. */
static void test_a_store_whose_making_was_cut_off_is_made_anew(void **state)
{
    struct fixture *self = *state;
    char path[PATH_MAX];
    char beside[PATH_MAX];

    close_store(self);
    fixture_path(self, "db/data.mdb", path);
    fixture_path(self, "db/data.mdb.new", beside);
    assert_int_not_equal(access(beside, F_OK), 0);
    assert_int_equal(rename(path, beside), 0);
    assert_int_equal(truncate(beside, 5000), 0);
    fixture_path(self, "db/wal", path); /* which is made after it */
    assert_int_equal(unlink(path), 0);
    reopen_store(self);
    assert_int_equal(check_batches(self->store), 0);
    assert_int_not_equal(access(beside, F_OK), 0);
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

#define CASES(X)                                                                                   \
    X(test_S1_what_was_committed_survives_SIGKILL)                                                 \
    X(test_S7_a_failed_write_to_the_log_ends_the_store_and_keeps_what_was_committed)               \
    X(test_S7_a_failed_write_to_LMDB_ends_the_store_and_keeps_what_was_committed)                  \
    X(test_S6_a_full_disk_refuses_and_takes_writes_again_when_there_is_room)                       \
    X(test_S6_a_disk_that_others_fill_costs_nothing_of_what_only_the_log_has)                      \
    X(test_a_file_cut_short_is_refused)                                                            \
    X(test_a_file_that_rightly_ends_before_its_last_page_is_opened)                                \
    X(test_a_file_that_is_no_store_is_refused)                                                     \
    X(test_a_store_whose_making_was_cut_off_is_made_anew)                                          \
    X(test_a_directory_that_can_not_be_is_refused_with_its_name)

int main(void)
{
    const struct CMUnitTest cases[] = {
#define X(name) FIXTURE_CASE(name, &engine_lmdb),
        CASES(X)
#undef X
    };

    return cmocka_run_group_tests_name("crash", cases, NULL, NULL);
}
