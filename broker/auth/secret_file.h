/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret_file.h -- files that hold what nobody else may read, and when they change.
 */
#ifndef ACKD_AUTH_SECRET_FILE_H
#define ACKD_AUTH_SECRET_FILE_H

#include <stdint.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/status.h"

/* Reads a file of at most `size_max` bytes. A secret one is refused if every user of the machine
 * may read it. The caller wipes what it read. */
enum status secret_file_read(const char *path, const char *what, size_t size_max,
                             struct buffer *ret_data, struct error *error) MUST_USE;
/* The same for a file that is no secret, such as public keys. */
enum status plain_file_read(const char *path, const char *what, size_t size_max,
                            struct buffer *ret_data, struct error *error) MUST_USE;

/* Which file it is and when it was written: a mounted secret is swapped by renaming a link. */
struct file_stamp {
    dev_t device;
    ino_t inode;
    int64_t size;
    struct timespec written;
};
/* All zero if the file is not there. */
struct file_stamp file_stamp_of(const char *path);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

#endif
