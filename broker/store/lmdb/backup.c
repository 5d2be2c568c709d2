/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup.c -- a copy of the last checkpoint that is itself a store: data.mdb, and a log without a
 * record.
 *
 * LMDB copies within a read transaction, pages as they lie (without MDB_CP_COMPACT, whose copy of
 * large values overflows in the versions we meet). It knows no pace and no end, so it writes into
 * a pipe, on a thread of its own, and this one moves what comes out to the file: as fast as the
 * pace has it (pace.h), and when the copy is given up, closing the pipe ends the transaction.
 *
 * LMDB's thread begins by taking the writer's lock for a moment. It gives it back after two pages,
 * for which the pipe has room whatever the pace. The writer has that lock from one checkpoint to
 * the next, and takes it again at once: so it leaves the copies that begin a gap after a
 * checkpoint.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/directory.h"
#include "store/lmdb/lmdb_store.h"
#include "store/lmdb/pace.h"

enum { PIECE_BYTES = 1 << 16 };
enum { RESERVE_SHARE = 4 };      /* of the room that a copy should leave, this part it must */
enum { FLUSH_BYTES = 1 << 20 };  /* so much at most waits to be written, as far as we can say */
#define NAP_NS INT64_C(50000000) /* between two looks at what the store grew by */

struct copy {
    struct lmdb_store *store;
    struct store_copy *wanted;
    struct pace pace;
    int64_t began_ns;
    size_t last_page; /* of the store when the copy began */
    uint64_t copied;
    uint64_t reserve_bytes; /* of the disk, which copies of other shards take too */
    int in;                 /* the pipe's ends */
    int out;
    int file;
    int reader_rc; /* LMDB's thread's; 0, an errno or LMDB's error */
};

static enum status make_backup(struct copy *self);
static int copy_to(struct copy *self, const char *directory);
static void remove_copy(const char *directory);
static void close_if_open(int *fd);

enum status lmdb_backup(struct store *base, struct store_copy *wanted)
{
    struct copy self = {
        .store = lmdb_store_of(base),
        .wanted = wanted,
        .in = -1,
        .out = -1,
        .file = -1,
    };
    enum status status = atomic_load(&self.store->failed) ? STATUS_INTERNAL : make_backup(&self);

    lmdb_expect_backup(base, wanted, false);
    return status;
}

static enum status make_backup(struct copy *self)
{
    const char *directory = self->wanted->directory;
    char path[PATH_MAX];
    int rc;

    if (snprintf(path, sizeof path, "%s/data.mdb", directory) >= (int)sizeof path)
        return STATUS_INVALID;
    if (mkdir(directory, 0700) != 0)
        return errno == ENOSPC || errno == EDQUOT ? STATUS_STORE_FULL : STATUS_INVALID;
    self->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    rc = self->file < 0 ? errno : copy_to(self, directory);
    close_if_open(&self->in);
    close_if_open(&self->out);
    close_if_open(&self->file);
    self->wanted->bytes = self->copied;
    if (rc == 0)
        rc = wal_create(directory, self->store->wal.id);
    if (rc == 0)
        rc = directory_sync(directory);
    if (rc == 0)
        return STATUS_OK;

    remove_copy(directory);
    LOG_WARN("backup_failed", LOG_STRING("directory", directory),
             LOG_STRING("error", mdb_strerror(rc)), LOG_INT("copied_bytes", (int64_t)self->copied));
    return rc == ENOSPC || rc == EDQUOT ? STATUS_STORE_FULL : STATUS_UNAVAILABLE;
}

static void remove_copy(const char *directory)
{
    static const char *const names[] = {"data.mdb", "wal"};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (snprintf(path, sizeof path, "%s/%s", directory, names[i]) < (int)sizeof path)
            (void)unlink(path);
    }
    (void)rmdir(directory);
}

void lmdb_expect_backup(struct store *base, struct store_copy *copy, bool expected)
{
    struct lmdb_store *self = lmdb_store_of(base);

    if (copy->expected == expected)
        return;
    copy->expected = expected;
    pthread_mutex_lock(&self->copies_mutex);
    self->copies_beginning += expected ? 1 : -1;
    pthread_cond_broadcast(&self->copies_begun);
    pthread_mutex_unlock(&self->copies_mutex);
}

void lmdb_let_copies_begin(struct lmdb_store *self)
{
    pthread_mutex_lock(&self->copies_mutex);
    while (self->copies_beginning > 0)
        pthread_cond_wait(&self->copies_begun, &self->copies_mutex);
    pthread_mutex_unlock(&self->copies_mutex);
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* ENOSPC if the copy itself has no room. */
static int set_pace(struct copy *self, const char *directory)
{
    MDB_envinfo info;
    struct statvfs disk;
    uint64_t size;
    uint64_t map_room;
    uint64_t disk_room;

    if (mdb_env_info(self->store->env, &info) != 0 || statvfs(directory, &disk) != 0)
        return errno;
    size = (info.me_last_pgno + 1) * self->store->page_bytes;
    map_room = info.me_mapsize - size;
    disk_room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (disk_room <= size)
        return ENOSPC;
    disk_room -= size;
    self->last_page = info.me_last_pgno;
    self->reserve_bytes = disk_room / RESERVE_SHARE;
    self->pace =
        pace_of(self->wanted->bytes_per_s, size, map_room < disk_room ? map_room : disk_room);
    self->began_ns = clock_monotonic_ns();
    return 0;
}

static void *reader_main(void *argument)
{
    struct copy *self = argument;

    self->reader_rc = mdb_env_copyfd2(self->store->env, self->out, 0);
    close_if_open(&self->out); /* the other end sees the end */
    return NULL;
}

static bool is_stopped(const struct copy *self)
{
    return self->wanted->stop != NULL && atomic_load(self->wanted->stop);
}

/* Waits as the pace has it. ECANCELED: stop; ENOSPC: the store grew too much. */
static int keep_pace(struct copy *self)
{
    for (;;) {
        MDB_envinfo info;
        uint64_t grown;
        int64_t wait_ns;
        int rc = mdb_env_info(self->store->env, &info);

        if (rc != 0)
            return rc;
        grown = (info.me_last_pgno - self->last_page) * self->store->page_bytes;
        if (is_stopped(self))
            return ECANCELED;
        if (pace_gives_up(&self->pace, grown))
            return ENOSPC;
        wait_ns =
            pace_wait_ns(&self->pace, self->copied, grown, clock_monotonic_ns() - self->began_ns);
        if (wait_ns == 0)
            return 0;
        if (wait_ns > NAP_NS)
            wait_ns = NAP_NS;
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)wait_ns}, NULL);
    }
}

/* Each shard looked at the room as if it copied alone: the acks must find some when all are done.
 */
static bool has_reserve(const struct copy *self)
{
    struct statvfs disk;

    return fstatvfs(self->file, &disk) != 0 ||
           (uint64_t)disk.f_bavail * disk.f_frsize >= self->reserve_bytes;
}

/* From the pipe to the file, until LMDB has closed its end. Bytes are handed to the disk as they
 * come: a fsync of all of them at the end would hold up the commits. */
static int move_all(struct copy *self)
{
    uint8_t piece[PIECE_BYTES];
    uint64_t flushed = 0;

    for (;;) {
        ssize_t came = read(self->in, piece, sizeof piece);
        int rc;

        lmdb_expect_backup(&self->store->base, self->wanted, false); /* LMDB has its snapshot */
        if (came == 0)
            return 0;
        if (came < 0 && errno == EINTR)
            continue;
        rc = came < 0 ? errno : file_write(self->file, piece, (size_t)came, self->copied);
        if (rc != 0)
            return rc;
        self->copied += (uint64_t)came;
        if (self->copied - flushed >= FLUSH_BYTES) {
            (void)sync_file_range(self->file, (off64_t)flushed, (off64_t)(self->copied - flushed),
                                  SYNC_FILE_RANGE_WRITE);
            flushed = self->copied;
            if (!has_reserve(self))
                return ENOSPC;
        }
        rc = keep_pace(self);
        if (rc != 0)
            return rc;
    }
}

/* 0, an errno or LMDB's error. */
static int copy_to(struct copy *self, const char *directory)
{
    pthread_t reader;
    int ends[2];
    int rc = set_pace(self, directory);

    if (rc == 0 && pipe2(ends, O_CLOEXEC) != 0)
        rc = errno;
    if (rc != 0)
        return rc;
    self->in = ends[0];
    self->out = ends[1];
    lmdb_expect_backup(&self->store->base, self->wanted, true);
    rc = thread_start(&reader, reader_main, self); /* no signals: EPIPE says enough */
    if (rc != 0)
        return rc;
    rc = move_all(self);
    close_if_open(&self->in); /* if we gave up: the reader's next write fails */
    (void)pthread_join(reader, NULL);
    if (rc == 0)
        rc = self->reader_rc;
    if (rc == 0 && fsync(self->file) != 0)
        rc = errno;
    return rc;
}
