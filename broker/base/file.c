/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c -- stat, write and fsync of what a name leads to.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_stamp file_stamp_of(const char *path)
{
    struct stat found;

    if (stat(path, &found) != 0)
        return (struct file_stamp){0};
    return file_stamp_of_stat(&found);
}

struct file_stamp file_stamp_of_stat(const struct stat *found)
{
    return (struct file_stamp){found->st_dev, found->st_ino, found->st_size, found->st_mtim};
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->written.tv_sec == b->written.tv_sec && a->written.tv_nsec == b->written.tv_nsec;
}

bool file_is_special(const char *path)
{
    struct stat found;

    return lstat(path, &found) == 0 && !S_ISREG(found.st_mode);
}

int file_write(int file, const void *data, size_t size, uint64_t at)
{
    const uint8_t *from = data;

    while (size > 0) {
        ssize_t written = pwrite(file, from, size, (off_t)at);

        if (written == 0)
            return EIO;
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0) {
            from += written;
            size -= (size_t)written;
            at += (uint64_t)written;
        }
    }
    return 0;
}

int file_sync_names(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failure = 0;

    if (fd < 0)
        return errno;
    if (fsync(fd) != 0)
        failure = errno;
    (void)close(fd);
    return failure;
}
