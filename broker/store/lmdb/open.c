/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c -- an LMDB environment from its directory, looked over before it is trusted.
 *
 * Order matters: after a failed write or flush the kernel may hold pages in its cache that never
 * reached the disk, and a restarted process would read them as if they had. Data pages of such a
 * commit are referred to by no meta page that was written, since LMDB writes that last, and a page
 * that is referred to is never written again: so only the meta pages, the first two of the file,
 * can lie. What the last process left unwritten is flushed, and their cache is dropped, before
 * LMDB maps the file; the rest of the cache stays, and a start after a kill is quick for it. The
 * file is opened for that before the environment, never beside it: closing any descriptor of a
 * file drops the process's fcntl locks on it, LMDB's among them.
 *
 * What the log has is brought into LMDB at the end (recover.c); until then data.mdb is that of the
 * last checkpoint. The log's own cache needs no such care: what is read of it is flushed as LMDB's.
 *
 * A new data.mdb is made under another name and renamed once it is on the disk: a power cut while
 * LMDB writes its first two pages would leave a file that is none of LMDB's, and no start after
 * it would get past that.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/file.h"
#include "store/directory.h"
#include "store/lmdb.h"
#include "store/lmdb/lmdb_store.h"

/* The kernel drops whole units of its cache alone, and may keep the file's beginning in one of up
 * to this size. */
#define CACHE_UNIT_MAX (4 << 20)

static enum status make_missing(const char *directory, struct error *error);
static enum status trust_cache(const char *directory, struct error *error);
static enum status open_env(struct lmdb_store *self, const char *directory, struct error *error);
static enum status open_tables(struct lmdb_store *self, const char *directory, struct error *error);

/* Before any table's name, and not letters. */
const uint8_t lmdb_prefix[STORE_TABLE_COUNT] = {
    [STORE_META] = 1,
    [STORE_QUEUE] = 2,
    [STORE_DATASET] = 3,
};

static const struct store_ops lmdb_ops = {
    .name = "lmdb",
    .begin = lmdb_begin,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .checkpoint = lmdb_checkpoint,
    .is_behind = lmdb_is_behind,
    .leave = lmdb_leave,
    .expect_backup = lmdb_expect_backup,
    .get_many = lmdb_get_many,
    .scan = lmdb_scan,
    .reserve = lmdb_reserve,
    .remove = lmdb_remove,
    .usage = lmdb_usage,
    .backup = lmdb_backup,
    .close = lmdb_close,
};

enum status store_lmdb_open(const char *directory, uint64_t map_bytes, struct store **ret_store,
                            struct error *error)
{
    struct lmdb_store *self;
    enum status status;
    int failure;

    status = directory_make(directory, error);
    if (status == STATUS_OK)
        status = directory_check_local(directory, error);
    if (status == STATUS_OK)
        status = make_missing(directory, error);
    if (status == STATUS_OK)
        status = trust_cache(directory, error);
    if (status != STATUS_OK)
        return status;

    self = calloc(1, sizeof *self);
    if (self == NULL)
        return error_set(error, STATUS_INTERNAL, "no memory to open the store in %s", directory);
    self->base.ops = &lmdb_ops;
    self->wal.file = -1;
    self->map_bytes = map_bytes;
    (void)pthread_mutex_init(&self->usage_mutex, NULL);
    (void)pthread_mutex_init(&self->copies_mutex, NULL);
    (void)pthread_cond_init(&self->copies_begun, NULL);

    status = open_env(self, directory, error);
    if (status == STATUS_OK)
        status = open_tables(self, directory, error);
    if (status == STATUS_OK)
        status = lmdb_recover(self, directory, error);
    if (status != STATUS_OK)
        goto fail;
    failure = directory_sync(directory);
    if (failure != 0) {
        status = lmdb_explain(failure, directory, error);
        goto fail;
    }
    *ret_store = &self->base;
    return STATUS_OK;

fail:
    lmdb_close(&self->base);
    return status;
}

void lmdb_close(struct store *base)
{
    struct lmdb_store *self = lmdb_store_of(base);

    ASSERT(!self->is_writing);
    lmdb_leave(base);
    wal_close(&self->wal);
    changes_deinit(&self->changes);
    lmdb_packed_deinit(self);
    if (self->env != NULL)
        mdb_env_close(self->env);
    (void)pthread_mutex_destroy(&self->usage_mutex);
    (void)pthread_mutex_destroy(&self->copies_mutex);
    (void)pthread_cond_destroy(&self->copies_begun);
    free(self);
}

/* An environment without tables in the file `path`, on the disk when this returns. */
static int make_env(const char *path)
{
    MDB_env *env;
    int rc = mdb_env_create(&env);

    if (rc != 0)
        return rc;
    rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    if (rc == 0)
        rc = mdb_env_sync(env, 1);
    mdb_env_close(env);
    return rc;
}

/* Makes data.mdb if there is none. */
static enum status make_missing(const char *directory, struct error *error)
{
    char path[PATH_MAX];
    char beside[PATH_MAX + 4];
    int rc;

    if (snprintf(path, sizeof path, "%s/data.mdb", directory) >= (int)sizeof path)
        return error_set(error, STATUS_INVALID, "the path %s is too long", directory);
    if (access(path, F_OK) == 0)
        return STATUS_OK;
    if (wal_exists(directory))
        return error_set(
            error, STATUS_CORRUPT,
            "the store in %s lacks its file data.mdb, and has its log; put it back, or "
            "restore a backup",
            directory);
    (void)snprintf(beside, sizeof beside, "%s.new", path);
    (void)unlink(beside); /* of a start that was cut off */
    rc = make_env(beside);
    if (rc == 0 && rename(beside, path) != 0)
        rc = errno;
    if (rc == 0)
        rc = file_sync_names(directory); /* before the log's */
    return rc == 0 ? STATUS_OK : lmdb_explain(rc, directory, error);
}

/* Makes the kernel's cache of data.mdb say what the disk does. */
static enum status trust_cache(const char *directory, struct error *error)
{
    char path[PATH_MAX];
    struct stat found;
    int file;
    int rc = 0;

    if (snprintf(path, sizeof path, "%s/data.mdb", directory) >= (int)sizeof path)
        return error_set(error, STATUS_INVALID, "the path %s is too long", directory);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return lmdb_explain(errno, directory, error);
    if (fstat(file, &found) != 0)
        rc = errno;
    else if (found.st_size == 0)
        rc = MDB_CORRUPTED; /* which LMDB would take for a new one */
    else if (fdatasync(file) != 0)
        rc = errno;
    else
        rc = posix_fadvise(file, 0, CACHE_UNIT_MAX, POSIX_FADV_DONTNEED);
    (void)close(file);
    return rc == 0 ? STATUS_OK : lmdb_explain(rc, directory, error);
}

static enum status open_env(struct lmdb_store *self, const char *directory, struct error *error)
{
    int dead_readers;
    MDB_stat stat;
    int rc = mdb_env_create(&self->env);

    if (rc == 0)
        rc = mdb_env_set_maxdbs(self->env, STORE_TABLE_COUNT);
    if (rc == 0)
        rc = mdb_env_set_mapsize(self->env, self->map_bytes);
    if (rc == 0)
        rc = mdb_env_open(self->env, directory, MDB_NOTLS, 0600); /* U1 */
    if (rc == 0)
        rc = mdb_reader_check(self->env, &dead_readers);
    if (rc == 0)
        rc = mdb_env_stat(self->env, &stat);
    if (rc != 0)
        return lmdb_explain(rc, directory, error);
    self->page_bytes = stat.ms_psize;
    rc = lmdb_check_whole(self);
    return rc == 0 ? STATUS_OK : lmdb_explain(rc, directory, error);
}

/* Opens every table in one transaction, which makes those that are missing. */
static enum status open_tables(struct lmdb_store *self, const char *directory, struct error *error)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(self->env, NULL, 0, &txn);
    MDB_dbi first;

    if (rc != 0)
        return lmdb_explain(rc, directory, error);
    if (mdb_dbi_open(txn, store_table_name(STORE_META), 0, &first) == 0) {
        mdb_txn_abort(txn);
        return error_set(error, STATUS_CORRUPT,
                         "the store in %s has the first format, which this ackd does not read: "
                         "start the ackd that wrote it, and begin a new directory with this one",
                         directory);
    }
    for (enum store_table table = 0; rc == 0 && table < STORE_TABLE_COUNT; table++) {
        unsigned flags = 0;
        const char *name = lmdb_prefix[table] > 0 ? NULL : store_table_name(table);

        rc = mdb_dbi_open(txn, name, name == NULL ? 0 : MDB_CREATE, &self->dbis[table]);
        if (rc == 0)
            rc = mdb_dbi_flags(txn, self->dbis[table], &flags);
        if (rc == 0 && flags != 0)
            rc = MDB_INCOMPATIBLE; /* some other program's */
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return lmdb_explain(rc, directory, error);
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? STATUS_OK : lmdb_explain(rc, directory, error);
}

enum status lmdb_explain(int rc, const char *directory, struct error *error)
{
    switch (rc) {
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return error_set(error, STATUS_CORRUPT, "the store in %s is damaged (%s); restore a backup",
                         directory, mdb_strerror(rc));
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return error_set(error, STATUS_CORRUPT, "the store in %s is none of ackd's (%s)", directory,
                         mdb_strerror(rc));
    case ENOSPC:
    case EDQUOT:
    case MDB_MAP_FULL:
        return error_set(error, STATUS_STORE_FULL, "no room to open the store in %s: %s", directory,
                         mdb_strerror(rc));
    default:
        return error_set(error, STATUS_INTERNAL, "the store in %s can't be opened: %s", directory,
                         mdb_strerror(rc));
    }
}
