/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch.c -- the files of one task.
 */
#include "cli/work/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/leftovers.h"
#include "cli/read_all.h"

static _Atomic uint64_t scratch_count; /* makes names; tasks run on several threads */

int scratch_directory_make(char *path)
{
    const char *root = getenv("TMPDIR");
    int fd;

    if (root == NULL || root[0] == '\0')
        root = "/tmp";
    leftovers_remove(root, "ackctl-work-");
    do {
        snprintf(path, 4096, "%s/ackctl-work-XXXXXX", root);
        if (mkdtemp(path) == NULL)
            return -1;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (fd >= 0 && !leftovers_hold(fd) && close(fd) == 0);
    return fd;
}

void scratch_directory_remove(const char *path, int fd)
{
    leftovers_remove_directory(path, fd);
    close(fd);
}

static bool write_file(const char *path, struct slice data)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0;

    while (ok && data.size > 0) {
        ssize_t count = write(fd, data.data, data.size);

        ok = count >= 0 || errno == EINTR;
        if (count > 0)
            data = slice_of(data.data + count, data.size - (size_t)count);
    }
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    return ok;
}

bool scratch_open(struct scratch *self, const char *directory, struct slice checkpoint)
{
    uint64_t number = atomic_fetch_add(&scratch_count, 1);

    memset(&self->seen, 0, sizeof self->seen);
    snprintf(self->checkpoint, sizeof self->checkpoint, "%.4095s/%llu.checkpoint", directory,
             (unsigned long long)number);
    snprintf(self->payload, sizeof self->payload, "%.4095s/%llu.payload", directory,
             (unsigned long long)number);
    if (checkpoint.data == NULL)
        return true;
    return write_file(self->checkpoint, checkpoint) && stat(self->checkpoint, &self->seen) == 0;
}

bool scratch_write_payload(struct scratch *self, struct slice payload)
{
    return write_file(self->payload, payload);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool scratch_read_checkpoint(struct scratch *self, struct buffer *out)
{
    struct stat now;
    int fd;
    bool ok;

    if (stat(self->checkpoint, &now) != 0 || is_same(&now, &self->seen))
        return false;
    fd = open(self->checkpoint, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    buffer_clear(out, 1 << 20);
    ok = fstat(fd, &now) == 0 && read_all(fd, out) == 0;
    close(fd);
    if (ok)
        self->seen = now;
    return ok;
}

void scratch_close(struct scratch *self)
{
    unlink(self->checkpoint);
    unlink(self->payload);
}
