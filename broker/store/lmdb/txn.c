/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn.c -- the store's transactions, and what LMDB's errors mean.
 *
 * A write transaction of the store is a stretch of LMDB's, which stays open: it ends in the log, or
 * in a checkpoint (checkpoint.c). One that changed nothing ends in neither.
 *
 * A commit of LMDB (mdb_txn_commit) saves the free list, writes the pages, flushes them, and only
 * then writes the meta page that makes them count. So a failure falls in one of three places:
 *
 *   before any write (MDB_MAP_FULL, MDB_TXN_FULL)     the last commit stands: STORE_FULL
 *   writing or flushing pages, the disk being full    the last commit stands: STORE_FULL
 *   anything else, the meta page above all            nobody knows: INTERNAL, and the end (S7)
 *
 * LMDB doesn't say which write failed, but after a failed meta page it answers MDB_PANIC to the
 * next mdb_txn_begin, so one is begun to ask. And a disk that has room for a part of a write
 * answers with a short count, which LMDB calls EIO: it counts as full if the disk now is.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/lmdb/lmdb_store.h"

enum { DISK_FULL_BYTES = 1 << 20 }; /* less than this free: a short write means full */

static enum status commit_changes(struct lmdb_store *self);
static enum status begin_snapshot(struct lmdb_store *self, struct store_txn **ret_txn);
static enum status begin_writing(struct lmdb_store *self, struct store_txn **ret_txn);
static void end_snapshot(struct lmdb_txn *txn);
static void end_writing(struct lmdb_store *self);
static void close_writer(struct lmdb_store *self);
static bool disk_is_full(struct lmdb_store *self);
static bool env_is_dead(struct lmdb_store *self);

enum status lmdb_begin(struct store *base, bool writable, struct store_txn **ret_txn)
{
    struct lmdb_store *self = lmdb_store_of(base);

    if (atomic_load(&self->failed))
        return STATUS_INTERNAL;
    return writable ? begin_writing(self, ret_txn) : begin_snapshot(self, ret_txn);
}

enum status lmdb_commit(struct store_txn *base)
{
    struct lmdb_store *self = lmdb_store_of(base->store);
    enum status status = STATUS_OK;

    ASSERT(self->is_writing);
    changes_fill(&self->changes);
    self->base.flush_ns = 0;
    if (self->changes.count > 0)
        status = commit_changes(self);
    end_writing(self);
    return status;
}

static enum status commit_changes(struct lmdb_store *self)
{
    if (lmdb_fits_log(self)) {
        int rc = lmdb_log(self);

        if (!lmdb_is_full(rc))
            return rc == 0 ? STATUS_OK : lmdb_fail(self, rc, "log");
    }
    return lmdb_commit_writer(self);
}

void lmdb_abort(struct store_txn *base)
{
    struct lmdb_store *self = lmdb_store_of(base->store);

    if (!base->writable) {
        end_snapshot(lmdb_txn_of(base));
        return;
    }
    ASSERT(self->is_writing);
    if (self->changes.count > 0 || base->refused)
        lmdb_undo(self);
    end_writing(self);
}

static enum status begin_snapshot(struct lmdb_store *self, struct store_txn **ret_txn)
{
    struct lmdb_txn *txn = calloc(1, sizeof *txn);
    int rc;

    if (txn == NULL)
        return lmdb_status(self, ENOMEM, "begin");
    txn->base.store = &self->base;
    rc = mdb_txn_begin(self->env, NULL, MDB_RDONLY, &txn->handle);
    if (rc != 0) {
        free(txn);
        return lmdb_status(self, rc, "begin");
    }
    *ret_txn = &txn->base;
    return STATUS_OK;
}

static void end_snapshot(struct lmdb_txn *txn)
{
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        if (txn->cursors[table] != NULL)
            mdb_cursor_close(txn->cursors[table]);
    }
    mdb_txn_abort(txn->handle);
    free(txn);
}

static enum status begin_writing(struct lmdb_store *self, struct store_txn **ret_txn)
{
    int rc = 0;

    ASSERT(!self->is_writing);
    if (self->writer.handle == NULL)
        rc = wal_is_empty(&self->wal) ? lmdb_open_writer(self) : lmdb_redo(self); /* K1 */
    if (rc != 0)
        return lmdb_status(self, rc, "begin");
    changes_begin(&self->changes);
    self->writer.base.refused = false;
    self->is_writing = true;
    *ret_txn = &self->writer.base;
    return STATUS_OK;
}

/* LMDB's transaction stays for what the log has, and for nothing else: it holds a lock. Without
 * that it has changed nothing, or is closed. */
static void end_writing(struct lmdb_store *self)
{
    self->is_writing = false;
    if (wal_is_empty(&self->wal))
        close_writer(self);
}

int lmdb_open_writer(struct lmdb_store *self)
{
    struct lmdb_txn *writer = &self->writer;
    int rc;

    ASSERT(writer->handle == NULL);
    lmdb_let_copies_begin(self);
    *writer = (struct lmdb_txn){.base = {.store = &self->base, .writable = true}};
    rc = mdb_txn_begin(self->env, NULL, 0, &writer->handle);
    if (rc != 0)
        writer->handle = NULL;
    return rc;
}

static void close_writer(struct lmdb_store *self)
{
    if (self->writer.handle != NULL)
        mdb_txn_abort(self->writer.handle); /* frees the cursors, too */
    self->writer.handle = NULL;
}

void lmdb_drop_writer(struct lmdb_store *self)
{
    close_writer(self);
    lmdb_forget(self);
}

void lmdb_forget(struct lmdb_store *self)
{
    for (int table = 0; table < STORE_TABLE_COUNT; table++)
        self->tails[table].known = false;
    lmdb_packed_forget(self);
}

int lmdb_put_packs_back(struct lmdb_txn *txn)
{
    int rc = 0;

    for (enum store_table table = 0; rc == 0 && table < STORE_TABLE_COUNT; table++) {
        if (lmdb_group_bytes[table] > 0)
            rc = lmdb_packed_put_back(txn, table);
    }
    return rc;
}

enum status lmdb_status(struct lmdb_store *self, int rc, const char *call)
{
    if (rc == 0)
        return STATUS_OK;
    if (rc == MDB_NOTFOUND)
        return STATUS_NOT_FOUND;
    if (lmdb_is_full(rc))
        return STATUS_STORE_FULL;
    return lmdb_fail(self, rc, call);
}

int lmdb_meaning(struct lmdb_store *self, int rc)
{
    if (rc == EIO && disk_is_full(self))
        rc = ENOSPC;
    return lmdb_is_full(rc) && env_is_dead(self) ? MDB_PANIC : rc;
}

enum status lmdb_fail(struct lmdb_store *self, int rc, const char *call)
{
    if (!atomic_exchange(&self->failed, true))
        LOG_ERROR("store_failed", LOG_STRING("call", call), LOG_INT("code", rc),
                  LOG_STRING("error", mdb_strerror(rc)));
    return STATUS_INTERNAL;
}

int lmdb_cursor(struct lmdb_txn *txn, enum store_table table, MDB_cursor **ret_cursor)
{
    struct lmdb_store *self = lmdb_store_of(txn->base.store);
    MDB_cursor **cursor = &txn->cursors[lmdb_prefix[table] > 0 ? STORE_META : table];
    int rc = 0;

    if (*cursor == NULL)
        rc = mdb_cursor_open(txn->handle, self->dbis[table], cursor);
    *ret_cursor = *cursor;
    return rc;
}

bool lmdb_is_full(int rc)
{
    return rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC || rc == EDQUOT;
}

static bool disk_is_full(struct lmdb_store *self)
{
    mdb_filehandle_t file;
    struct statvfs disk;

    if (mdb_env_get_fd(self->env, &file) != 0 || fstatvfs(file, &disk) != 0)
        return false;
    return (uint64_t)disk.f_bavail * disk.f_frsize < DISK_FULL_BYTES;
}

/* Whether LMDB has given the environment up. */
static bool env_is_dead(struct lmdb_store *self)
{
    MDB_txn *txn;

    if (mdb_txn_begin(self->env, NULL, 0, &txn) != 0)
        return true;
    mdb_txn_abort(txn);
    return false;
}
