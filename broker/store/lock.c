/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c -- flock on DIRECTORY/LOCK.
 *
 * The lock is the kernel's and goes with its holder, however that dies. The file's content, the
 * holder's pid, is only for the sentence that refuses the next one. The file is never removed: a
 * process that has opened it and one that makes it anew would hold two different locks.
 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/directory.h"

static enum status refuse_held(int lock, const char *directory, struct error *error);
static int write_pid(int lock);

enum status store_lock_take(const char *directory, int *ret_lock, struct error *error)
{
    char path[PATH_MAX];
    enum status status = directory_make(directory, error);
    int lock;

    if (status != STATUS_OK)
        return status;
    if (snprintf(path, sizeof path, "%s/LOCK", directory) >= (int)sizeof path)
        return error_set(error, STATUS_INVALID, "the path %s is too long", directory);
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return error_set(error, STATUS_INVALID, "%s can't be opened: %s", path, strerror(errno));
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK ? refuse_held(lock, directory, error)
                                      : error_set(error, STATUS_INVALID, "%s can't be locked: %s",
                                                  path, strerror(errno));
        goto fail;
    }
    if (write_pid(lock) != 0) {
        status = error_set(error, STATUS_INVALID, "%s can't be written: %s", path, strerror(errno));
        goto fail;
    }
    *ret_lock = lock;
    return STATUS_OK;

fail:
    (void)close(lock);
    return status;
}

void store_lock_release(int lock)
{
    (void)close(lock);
}

static enum status refuse_held(int lock, const char *directory, struct error *error)
{
    char text[32] = "";
    ssize_t size = pread(lock, text, sizeof text - 1, 0);
    long pid = size > 0 ? strtol(text, NULL, 10) : 0;

    if (pid <= 0)
        return error_set(error, STATUS_UNAVAILABLE,
                         "the data directory %s is in use by another process", directory);
    return error_set(error, STATUS_UNAVAILABLE,
                     "the data directory %s is in use by process %ld; stop it, or use another "
                     "directory",
                     directory, pid);
}

static int write_pid(int lock)
{
    if (ftruncate(lock, 0) != 0 || dprintf(lock, "%ld\n", (long)getpid()) < 0)
        return -1;
    return 0;
}
