/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover.c -- a store's log at its opening: made, or read, so that LMDB has all that was
 * committed.
 *
 * data.mdb and wal belong together. LMDB says which log is its own (mark.c); without that log, or
 * with one of another time, the last commits would be missing and nobody would know: such a store
 * is refused. A backup has a log of one block, which is made longer here.
 */
#include <errno.h>
#include <sys/random.h>

#include "base/log.h"
#include "store/lmdb/lmdb_store.h"

#define NEVER_MARKED UINT64_MAX
#define MENDING "put back both files as they were, or restore a backup"

static int read_mark(struct lmdb_store *self, uint64_t *ret_id, uint64_t *ret_seq);
static int make_log(struct lmdb_store *self, const char *directory);
static enum status open_log(struct lmdb_store *self, const char *directory, uint64_t id,
                            struct error *error);
static enum status redo_log(struct lmdb_store *self, const char *directory, struct error *error);
static enum status commit(struct lmdb_store *self, const char *directory, struct error *error);

enum status lmdb_recover(struct lmdb_store *self, const char *directory, struct error *error)
{
    enum status status;
    uint64_t id;
    int rc;

    rc = lmdb_bound_log(self) ? read_mark(self, &id, &self->marked_seq) : ENOMEM;
    if (rc == MDB_NOTFOUND) {
        rc = make_log(self, directory);
        return rc == 0 ? commit(self, directory, error) : lmdb_explain(rc, directory, error);
    }
    if (rc != 0)
        return lmdb_explain(rc, directory, error);
    status = open_log(self, directory, id, error);
    if (status == STATUS_OK)
        status = redo_log(self, directory, error);
    if (status == STATUS_OK && !wal_is_empty(&self->wal))
        status = commit(self, directory, error);
    lmdb_drop_writer(self);
    lmdb_look_for_room(self);
    return status;
}

/* MDB_NOTFOUND: the store is new, or of a format without a log. */
static int read_mark(struct lmdb_store *self, uint64_t *ret_id, uint64_t *ret_seq)
{
    int rc = lmdb_open_writer(self);

    if (rc == 0)
        rc = lmdb_get_mark(&self->writer, ret_id, ret_seq);
    lmdb_drop_writer(self);
    return rc;
}

/* The log lies there under its name before LMDB says that it must. */
static int make_log(struct lmdb_store *self, const char *directory)
{
    uint64_t id;
    int rc = 0;

    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
        rc = errno;
    if (rc == 0)
        rc = wal_create(directory, id, self->wal.bytes_max);
    if (rc == 0)
        rc = wal_open(&self->wal, directory, id);
    self->marked_seq = NEVER_MARKED;
    return rc == 0 ? lmdb_open_writer(self) : rc;
}

static enum status open_log(struct lmdb_store *self, const char *directory, uint64_t id,
                            struct error *error)
{
    int rc = wal_open(&self->wal, directory, id);

    if (rc == ENOENT)
        return error_set(error, STATUS_CORRUPT,
                         "the store in %s lacks its file wal, which holds what was committed last; "
                         "put it back, or restore a backup",
                         directory);
    if (rc == MDB_CORRUPTED)
        return error_set(error, STATUS_CORRUPT,
                         "the file wal in %s is damaged, or another store's; " MENDING, directory);
    return rc == 0 ? STATUS_OK : lmdb_explain(rc, directory, error);
}

static enum status redo_log(struct lmdb_store *self, const char *directory, struct error *error)
{
    uint64_t seq = self->marked_seq;
    int rc = lmdb_redo(self);

    if (rc == MDB_CORRUPTED)
        return error_set(
            error, STATUS_CORRUPT,
            "the file wal in %s is damaged, or of another time than data.mdb; " MENDING, directory);
    if (rc == 0 && self->wal.seq != seq)
        LOG_INFO("log_replayed", LOG_STRING("directory", directory),
                 LOG_INT("commits", (int64_t)(self->wal.seq - seq)));
    return rc == 0 ? STATUS_OK : lmdb_explain(rc, directory, error);
}

static enum status commit(struct lmdb_store *self, const char *directory, struct error *error)
{
    enum status status = lmdb_commit_writer(self);

    if (status == STATUS_STORE_FULL)
        return lmdb_explain(ENOSPC, directory, error);
    return status == STATUS_OK ? STATUS_OK : lmdb_explain(EIO, directory, error);
}
