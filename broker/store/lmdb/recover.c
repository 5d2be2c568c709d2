/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover.c -- a store's log at its opening: made, or read, so that LMDB has all that was
 * committed.
 *
 * data.mdb and wal belong together. LMDB says which log is its own (mark.c); without that log, or
 * with a later one, commits that were confirmed would be missing and nobody would know: such a
 * store is refused. An earlier log of the same store, as a backup's, is one without a record.
 *
 * What the log has is committed to LMDB at once, whoever opens the store. A store without a mark is
 * new, or of a format that knew no log. It is left as it is: the first commit makes the log, and
 * puts the mark and what it changes into LMDB at once.
 */
#include <errno.h>
#include <sys/random.h>

#include "base/log.h"
#include "store/lmdb/lmdb_store.h"

#define MENDING "put back both files as they were, or restore a backup"

static int read_mark(struct lmdb_store *self, uint64_t *ret_id, uint64_t *ret_seq);
static enum status open_log(struct lmdb_store *self, const char *directory, uint64_t id,
                            struct error *error);
static enum status redo_log(struct lmdb_store *self, const char *directory, struct error *error);

enum status lmdb_recover(struct lmdb_store *self, const char *directory, struct error *error)
{
    enum status status;
    uint64_t id;
    int rc;

    status = lmdb_prepare_log(self, directory, error);
    if (status != STATUS_OK)
        return status;
    rc = read_mark(self, &id, &self->marked_seq);
    if (rc == MDB_NOTFOUND)
        return STATUS_OK;
    if (rc == MDB_VERSION_MISMATCH)
        return error_set(
            error, STATUS_CORRUPT,
            "the store in %s is of a newer ackd: start that one, or restore a backup made "
            "by this one",
            directory);
    if (rc != 0)
        return lmdb_explain(rc, directory, error);
    status = open_log(self, directory, id, error);
    if (status == STATUS_OK)
        status = redo_log(self, directory, error);
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

/* It lies there under its name before LMDB says that it must. */
int lmdb_make_log(struct lmdb_store *self)
{
    const char *directory;
    uint64_t id;
    int rc = mdb_env_get_path(self->env, &directory);

    if (rc == 0 && getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
        rc = errno;
    if (rc == 0)
        rc = wal_create(directory, id);
    return rc == 0 ? wal_open(&self->wal, directory, id) : rc;
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

/* With a checkpoint, if there is something: what was read may be in the kernel's cache alone. */
static enum status redo_log(struct lmdb_store *self, const char *directory, struct error *error)
{
    uint64_t commits;
    enum status status;
    int rc;

    self->wal.seq = self->marked_seq;
    rc = lmdb_redo(self);
    if (rc == MDB_CORRUPTED)
        return error_set(
            error, STATUS_CORRUPT,
            "the file wal in %s is damaged, or of another time than data.mdb; " MENDING, directory);
    if (rc != 0)
        return lmdb_explain(rc, directory, error);
    commits = self->wal.seq - self->marked_seq;
    if (commits == 0) {
        lmdb_drop_writer(self);
        return STATUS_OK;
    }
    status = lmdb_commit_writer(self);
    if (status != STATUS_OK)
        return lmdb_explain(status == STATUS_STORE_FULL ? ENOSPC : EIO, directory, error);
    LOG_INFO("log_replayed", LOG_STRING("directory", directory),
             LOG_INT("commits", (int64_t)commits));
    return STATUS_OK;
}
