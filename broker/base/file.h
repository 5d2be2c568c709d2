/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h -- what stands behind a file's name: which file it is just now, that all is written into
 * it, and that the name lasts.
 */
#ifndef ACKD_BASE_FILE_H
#define ACKD_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* Which file a name leads to, and when it was written: a mounted secret is swapped by renaming a
 * link, and keeps its name. */
struct file_stamp {
    dev_t device;
    ino_t inode;
    int64_t size;
    struct timespec written;
};

/* All zero if the file is not there. */
struct file_stamp file_stamp_of(const char *path);
struct file_stamp file_stamp_of_stat(const struct stat *found);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

/* A device, a pipe, a link such as /dev/stdout: what is written into, and never replaced by a file
 * of that name. */
bool file_is_special(const char *path);

/* Writes all of it from byte `at` on. 0 or an errno: then some of it may be written. */
int file_write(int file, const void *data, size_t size, uint64_t at)
    __attribute__((warn_unused_result));

/* Makes the names in the directory durable: no file's own fsync does so. 0 or an errno. */
int file_sync_names(const char *directory) __attribute__((warn_unused_result));

#endif
