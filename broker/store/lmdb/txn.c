/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn.c -- transactions, and what LMDB's errors mean.
 *
 * A commit (mdb_txn_commit) saves the free list, writes the pages, flushes them, and only then
 * writes the meta page that makes them count. So a failure falls in one of three places:
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

static void forget(struct lmdb_store *self);
static int put_packs_back(struct lmdb_txn *txn);
static bool is_full(int rc);
static bool disk_is_full(struct lmdb_store *self);
static bool env_is_dead(struct lmdb_store *self);
static void close_cursors(struct lmdb_txn *txn);

enum status lmdb_begin(struct store *base, bool writable, struct store_txn **ret_txn)
{
    struct lmdb_store *self = lmdb_store_of(base);
    struct lmdb_txn *txn = &self->writer;
    int rc;

    if (atomic_load(&self->failed))
        return STATUS_INTERNAL;
    ASSERT(!writable || self->writer.handle == NULL);
    if (!writable)
        txn = malloc(sizeof *txn);
    if (txn == NULL)
        return lmdb_status(self, ENOMEM, "begin");
    *txn = (struct lmdb_txn){.base = {.store = base, .writable = writable}};
    rc = mdb_txn_begin(self->env, NULL, writable ? 0 : MDB_RDONLY, &txn->handle);
    if (rc != 0) {
        txn->handle = NULL;
        if (!writable)
            free(txn);
        return lmdb_status(self, rc, "begin");
    }
    *ret_txn = &txn->base;
    return STATUS_OK;
}

enum status lmdb_commit(struct store_txn *base)
{
    struct lmdb_store *self = lmdb_store_of(base->store);
    struct lmdb_txn *txn = lmdb_txn_of(base);
    int rc;

    ASSERT(txn == &self->writer && txn->handle != NULL);
    rc = put_packs_back(txn);
    if (rc != 0) {
        lmdb_abort(base);
        return lmdb_status(self, rc, "put");
    }
    rc = mdb_txn_commit(txn->handle); /* frees the cursors, too */
    txn->handle = NULL;
    if (rc == 0)
        return STATUS_OK;
    forget(self);
    if (rc == EIO && disk_is_full(self))
        rc = ENOSPC;
    if (is_full(rc) && env_is_dead(self))
        rc = MDB_PANIC;
    return lmdb_status(self, rc, "commit");
}

void lmdb_abort(struct store_txn *base)
{
    struct lmdb_store *self = lmdb_store_of(base->store);
    struct lmdb_txn *txn = lmdb_txn_of(base);

    ASSERT(txn->handle != NULL);
    if (!base->writable)
        close_cursors(txn);
    mdb_txn_abort(txn->handle); /* frees a writer's cursors, too */
    txn->handle = NULL;
    if (base->writable)
        forget(self);
    else
        free(txn);
}

enum status lmdb_status(struct lmdb_store *self, int rc, const char *call)
{
    if (rc == 0)
        return STATUS_OK;
    if (rc == MDB_NOTFOUND)
        return STATUS_NOT_FOUND;
    if (is_full(rc))
        return STATUS_STORE_FULL;
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

/* What was known of the transaction that is undone. */
static void forget(struct lmdb_store *self)
{
    for (int table = 0; table < STORE_TABLE_COUNT; table++)
        self->tails[table].known = false;
    lmdb_packed_forget(self);
}

static int put_packs_back(struct lmdb_txn *txn)
{
    int rc = 0;

    for (enum store_table table = 0; rc == 0 && table < STORE_TABLE_COUNT; table++) {
        if (lmdb_group_bytes[table] > 0)
            rc = lmdb_packed_put_back(txn, table);
    }
    return rc;
}

static bool is_full(int rc)
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

static void close_cursors(struct lmdb_txn *txn)
{
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        if (txn->cursors[table] != NULL)
            mdb_cursor_close(txn->cursors[table]);
    }
}
