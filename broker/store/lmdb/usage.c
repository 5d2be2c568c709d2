/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage.c -- how much of the map and of the disk is taken.
 *
 * The file never shrinks; what counts is the pages in use: all up to the last, less those on the
 * free list, as of LMDB's last commit (checkpoint.c). LMDB keeps that list as records of page
 * numbers, one or a few a commit, each beginning with its count, so that counting reads one word a
 * record, not one a page.
 *
 * After a large purge there can be a hundred thousand records. So they are counted at most once a
 * commit, and when there were many, at most once in COUNT_AGE_MS: that is how late a usage may be.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "store/lmdb/lmdb_store.h"

enum {
    COUNT_RECORDS = 1000, /* fewer are counted after every commit: some ten microseconds */
    COUNT_AGE_MS = 1000
};

static int count_if_due(struct lmdb_store *self, uint64_t *ret_pages);
static int count_now(MDB_env *env, struct lmdb_free_count *count);
static uint64_t free_from(const size_t *list, uint64_t from);

enum status lmdb_usage(struct store *base, struct store_usage *ret_usage)
{
    struct lmdb_store *self = lmdb_store_of(base);
    mdb_filehandle_t file;
    MDB_envinfo info;
    struct stat status;
    struct statvfs disk = {.f_bavail = 0};
    uint64_t free_pages = 0;
    uint64_t disk_max;
    int rc;

    if (atomic_load(&self->failed))
        return STATUS_INTERNAL;
    (void)pthread_mutex_lock(&self->usage_mutex);
    rc = count_if_due(self, &free_pages);
    (void)pthread_mutex_unlock(&self->usage_mutex);
    if (rc == 0)
        rc = mdb_env_info(self->env, &info);
    if (rc == 0)
        rc = mdb_env_get_fd(self->env, &file);
    if (rc == 0 && (fstat(file, &status) != 0 || fstatvfs(file, &disk) != 0))
        rc = errno;
    if (rc != 0)
        return lmdb_status(self, rc, "usage");

    ret_usage->used_bytes = (info.me_last_pgno + 1 - free_pages) * self->page_bytes;
    ret_usage->file_bytes = (uint64_t)status.st_size;
    ret_usage->free_pages = free_pages;
    ret_usage->page_bytes = self->page_bytes;
    disk_max = ret_usage->file_bytes + (uint64_t)disk.f_bavail * disk.f_frsize;
    ret_usage->max_bytes = disk_max < info.me_mapsize ? disk_max : info.me_mapsize;
    return STATUS_OK;
}

int lmdb_count_free(MDB_cursor *cursor, uint64_t from, uint64_t *ret_pages, uint64_t *ret_records)
{
    MDB_val key;
    MDB_val value;
    uint64_t pages = 0;
    uint64_t records = 0;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);

    while (rc == 0) {
        const size_t *list = value.mv_data; /* list[0] is the count */

        pages += from == 0 ? list[0] : free_from(list, from);
        records++;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    *ret_pages = pages;
    *ret_records = records;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Under usage_mutex. */
static int count_if_due(struct lmdb_store *self, uint64_t *ret_pages)
{
    struct lmdb_free_count *count = &self->free_count;
    int64_t now_ms = clock_monotonic_ms();
    MDB_envinfo info;
    int rc = mdb_env_info(self->env, &info);

    if (rc == 0 && count->counted && count->txn_id != info.me_last_txnid)
        count->counted =
            count->records > COUNT_RECORDS && now_ms - count->counted_ms < COUNT_AGE_MS;
    if (rc == 0 && !count->counted) {
        rc = count_now(self->env, count);
        count->counted = rc == 0;
        count->counted_ms = now_ms;
    }
    *ret_pages = count->pages;
    return rc;
}

static int count_now(MDB_env *env, struct lmdb_free_count *count)
{
    MDB_cursor *cursor;
    MDB_txn *txn;
    int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return rc;
    rc = mdb_cursor_open(txn, LMDB_FREE_DBI, &cursor);
    if (rc == 0) {
        rc = lmdb_count_free(cursor, 0, &count->pages, &count->records);
        mdb_cursor_close(cursor);
    }
    count->txn_id = mdb_txn_id(txn);
    mdb_txn_abort(txn);
    return rc;
}

static uint64_t free_from(const size_t *list, uint64_t from)
{
    uint64_t pages = 0;

    for (size_t i = 1; i <= list[0]; i++)
        pages += list[i] >= from;
    return pages;
}
