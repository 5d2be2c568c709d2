/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_all.h -- a whole file in memory, with a bound.
 */
#ifndef ACKD_CLI_READ_ALL_H
#define ACKD_CLI_READ_ALL_H

#include "base/buffer.h"

#define READ_ALL_BYTES_MAX (64 << 20) /* far over the broker's limits: it is the one to refuse */

/* Appends what the descriptor still holds. 0, or the errno; EFBIG past the bound. */
int read_all(int fd, struct buffer *out);

#endif
