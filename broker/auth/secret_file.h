/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret_file.h -- files that hold what nobody else may read.
 */
#ifndef ACKD_AUTH_SECRET_FILE_H
#define ACKD_AUTH_SECRET_FILE_H

#include "base/buffer.h"
#include "base/status.h"

/* Reads a file of at most `size_max` bytes. A secret one is refused if every user of the machine
 * may read it. The caller wipes what it read. */
enum status secret_file_read(const char *path, const char *what, size_t size_max,
                             struct buffer *ret_data, struct error *error) MUST_USE;
/* The same for a file that is no secret, such as public keys. */
enum status plain_file_read(const char *path, const char *what, size_t size_max,
                            struct buffer *ret_data, struct error *error) MUST_USE;

#endif
