/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup.c -- a copy of the last commit that is itself a store.
 *
 * LMDB copies within a read transaction, pages as they lie (without MDB_CP_COMPACT, whose copy of
 * large values overflows in the versions we meet). While it runs, pages that writers free stay
 * kept, so that the file may grow by what is written meanwhile. It begins by taking LMDB's writer
 * lock for a moment: a thread that has a write transaction open would wait for itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/directory.h"
#include "store/lmdb/lmdb_store.h"

static int copy_to(MDB_env *env, const char *path, uint64_t *ret_bytes);

enum status lmdb_backup(struct store *base, const char *directory, uint64_t *ret_bytes)
{
    struct lmdb_store *self = lmdb_store_of(base);
    char path[PATH_MAX];
    int rc;

    if (atomic_load(&self->failed))
        return STATUS_INTERNAL;
    if (snprintf(path, sizeof path, "%s/data.mdb", directory) >= (int)sizeof path)
        return STATUS_INVALID;
    if (mkdir(directory, 0700) != 0)
        return errno == ENOSPC || errno == EDQUOT ? STATUS_STORE_FULL : STATUS_INVALID;
    rc = copy_to(self->env, path, ret_bytes);
    if (rc == 0)
        rc = directory_sync(directory);
    if (rc == 0)
        return STATUS_OK;

    (void)unlink(path);
    (void)rmdir(directory);
    LOG_WARN("backup_failed", LOG_STRING("directory", directory),
             LOG_STRING("error", mdb_strerror(rc)));
    return rc == ENOSPC || rc == EDQUOT ? STATUS_STORE_FULL : STATUS_UNAVAILABLE;
}

/* 0, an errno or LMDB's error. */
static int copy_to(MDB_env *env, const char *path, uint64_t *ret_bytes)
{
    struct stat status = {.st_size = 0};
    int rc;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (file < 0)
        return errno;
    rc = mdb_env_copyfd2(env, file, 0);
    if (rc == 0 && (fsync(file) != 0 || fstat(file, &status) != 0))
        rc = errno;
    if (close(file) != 0 && rc == 0)
        rc = errno;
    *ret_bytes = (uint64_t)status.st_size;
    return rc;
}
