/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c -- when LMDB commits, and how what only the log has is brought back into it.
 *
 * A commit of LMDB writes some ten pages and flushes twice; one of the log (wal.h) writes a block
 * or a few and flushes once. So LMDB's write transaction stays open over many commits of the store,
 * which the log makes durable, and is committed itself at a checkpoint:
 *
 *   store_commit        log     log     log    LMDB     log
 *   LMDB's        |---- c1 ---- c2 ---- c3 ---- c4 ---|---- c5 ----
 *   numbers       7     8       9       10     11    |  12
 *   the mark      7                                    11
 *
 * A checkpoint is made by a commit that is too large for the log, or for which it has no room, or
 * that comes when many operations wait (their pages are in memory); after an abort; at the store's
 * opening and end; and by its owner, before a commit is in the log alone for long. It takes a
 * number itself, and stores it as the mark (mark.c): LMDB has what the log has up to that number.
 * The first also makes the log.
 *
 * What only the log has is applied again where LMDB's transaction had to be given up: at an abort,
 * after a checkpoint for which there was no room, and when a store is opened (recover.c).
 *
 * Invariants
 *   K1  LMDB's open transaction holds the last checkpoint, all records of the log since, and what
 *       the store's open transaction has changed. Where none is open, the log is empty, or the
 *       owner has left (lmdb_leave).
 *   K2  The log begins again only when a checkpoint is durable.
 *   K3  What only the log has is bounded: so are the pages that a checkpoint writes, and the time
 *       that a start takes.
 *   K4  Where a checkpoint might find no room, the log is not used: a full store goes on as well as
 *       LMDB does, and a start needs no room that nobody has. (Others may fill the disk meanwhile:
 *       then the log keeps what it has until there is room again.)
 */
#include <errno.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/lmdb/lmdb_store.h"

#define RECORD_BYTES_MAX (128u << 10) /* larger ones LMDB writes as fast */
#define OPS_MAX 8192
#define OPS_MIN 64
#define PAGES_AN_OP 4 /* that it may change: a path from the root */
/* What waits for a checkpoint takes a small part of the map, or of the disk. */
#define ROOM_PAGES_AN_OP 32
#define ROOM_BYTES_A_LOG_BYTE 64

static int commit_writer(struct lmdb_store *self);
static int apply(void *context, struct slice operations);

static uint64_t between(uint64_t least, uint64_t value, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static uint64_t blocks(uint64_t bytes)
{
    return bytes / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
}

enum status lmdb_prepare_log(struct lmdb_store *self, const char *directory, struct error *error)
{
    struct store_usage usage;
    uint64_t log_bytes;

    if (lmdb_usage(&self->base, &usage) != STATUS_OK)
        return lmdb_explain(EIO, directory, error);
    log_bytes = blocks(usage.max_bytes / ROOM_BYTES_A_LOG_BYTE);
    self->wal.bytes_max = between(WAL_BYTES_MIN, log_bytes, WAL_BYTES_MAX);
    self->ops_max =
        between(OPS_MIN, usage.max_bytes / self->page_bytes / ROOM_PAGES_AN_OP, OPS_MAX);
    if (!changes_init(&self->changes,
                      between(0, blocks(self->wal.bytes_max / 4), RECORD_BYTES_MAX)))
        return lmdb_explain(ENOMEM, directory, error);
    return STATUS_OK;
}

/* Twice what may wait: the pages that a checkpoint frees can't be used by the next. */
static bool has_room(struct lmdb_store *self)
{
    uint64_t waiting = self->ops_max * PAGES_AN_OP * self->page_bytes + self->wal.bytes_max;
    struct store_usage usage;

    return lmdb_usage(&self->base, &usage) == STATUS_OK &&
           usage.used_bytes + 2 * waiting <= usage.max_bytes;
}

/* The room is looked at for the first record alone: it is for all that may follow. */
bool lmdb_fits_log(struct lmdb_store *self)
{
    const struct changes *changes = &self->changes;

    return self->marked_seq > 0 && !changes->is_too_large &&
           self->logged_ops + changes->count <= self->ops_max &&
           wal_has_room(&self->wal, changes->size) && (!wal_is_empty(&self->wal) || has_room(self));
}

int lmdb_log(struct lmdb_store *self)
{
    int rc = wal_append(&self->wal, self->changes.record, self->changes.size);

    if (rc != 0)
        return rc;
    self->logged_ops += self->changes.count;
    self->base.flush_ns = self->wal.flush_ns;
    return 0;
}

/* What a checkpoint's failure means. If there was no room, the log still holds what it held. */
static enum status after_failure(struct lmdb_store *self, int rc)
{
    enum status status = lmdb_status(self, lmdb_meaning(self, rc), "commit");

    if (status != STATUS_STORE_FULL || wal_is_empty(&self->wal))
        return status;
    rc = lmdb_redo(self);
    return rc == 0 ? status : lmdb_fail(self, rc, "redo"); /* it must not be passed over (K1) */
}

enum status lmdb_commit_writer(struct lmdb_store *self)
{
    int rc = commit_writer(self);

    return rc == 0 ? STATUS_OK : after_failure(self, rc);
}

/* With a checkpoint: then an abort that follows has nothing to bring back, and pages that were
 * freed meanwhile can be used. */
void lmdb_undo(struct lmdb_store *self)
{
    int rc;

    lmdb_drop_writer(self);
    if (wal_is_empty(&self->wal))
        return;
    rc = lmdb_redo(self);
    if (rc != 0) {
        lmdb_fail(self, rc, "redo");
        return;
    }
    rc = commit_writer(self);
    if (rc != 0)
        (void)after_failure(self, rc);
}

void lmdb_leave(struct store *base)
{
    struct lmdb_store *self = lmdb_store_of(base);
    int rc = 0;

    ASSERT(!self->is_writing);
    if (self->writer.handle != NULL && !atomic_load(&self->failed))
        rc = commit_writer(self);
    if (rc != 0)
        LOG_WARN("checkpoint_failed", LOG_STRING("error", mdb_strerror(rc)),
                 LOG_STRING("consequence", "the next start reads the log"));
    lmdb_drop_writer(self);
}

bool lmdb_is_behind(const struct store *base)
{
    return !wal_is_empty(&((const struct lmdb_store *)base)->wal);
}

enum status lmdb_checkpoint(struct store *base)
{
    struct lmdb_store *self = lmdb_store_of(base);

    ASSERT(!self->is_writing);
    if (atomic_load(&self->failed))
        return STATUS_INTERNAL;
    return self->writer.handle != NULL ? lmdb_commit_writer(self) : STATUS_OK;
}

int lmdb_redo(struct lmdb_store *self)
{
    uint64_t at = self->wal.at;
    int rc = lmdb_open_writer(self);

    self->logged_ops = 0;
    if (rc == 0)
        rc = wal_read(&self->wal, self->marked_seq, apply, self);
    if (rc == 0 && self->wal.at < at)
        rc = MDB_CORRUPTED; /* it had more */
    if (rc != 0)
        lmdb_drop_writer(self);
    return rc;
}

/* Ends LMDB's transaction in any case. */
static int commit_writer(struct lmdb_store *self)
{
    struct lmdb_txn *writer = &self->writer;
    int rc = lmdb_put_packs_back(writer);

    if (rc == 0 && self->wal.file < 0)
        rc = lmdb_make_log(self);
    if (rc == 0)
        rc = lmdb_put_mark(writer, self->wal.id, self->wal.seq + 1);
    if (rc != 0) {
        lmdb_drop_writer(self);
        return rc;
    }
    rc = mdb_txn_commit(writer->handle); /* frees the cursors, too */
    writer->handle = NULL;
    if (rc != 0) {
        lmdb_forget(self);
        return rc;
    }
    self->base.checkpoints++;
    self->marked_seq = ++self->wal.seq;
    self->logged_ops = 0;
    wal_restart(&self->wal); /* K2 */
    return 0;
}

static int apply(void *context, struct slice operations)
{
    struct lmdb_store *self = context;
    struct change change;
    int rc = 0;

    while (rc == 0 && operations.size > 0) {
        uint8_t *memory;

        if (!change_next(&operations, &change))
            return MDB_CORRUPTED;
        self->logged_ops++;
        if (change.kind == CHANGE_REMOVE)
            rc = lmdb_remove_record(&self->writer, change.table, change.key);
        else
            rc = lmdb_put_record(&self->writer, change.table, change.key, change.value.size,
                                 &memory);
        if (rc == 0 && change.kind == CHANGE_PUT && change.value.size > 0)
            memcpy(memory, change.value.data, change.value.size);
    }
    return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}
