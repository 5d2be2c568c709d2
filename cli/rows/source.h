/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h -- a file or stdin, line by line.
 *
 * A line ends with LF, or at the end of the file. The LF is not part of it; a CR before it is,
 * since only the format knows what it means. A UTF-8 byte order mark at the start is skipped.
 */
#ifndef ACKD_CLI_ROWS_SOURCE_H
#define ACKD_CLI_ROWS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Longer lines are no rows but a file of another kind. */
#define SOURCE_LINE_BYTES_MAX (64 << 20)

struct source {
    int fd;
    struct buffer buffer; /* read, not given out from `at` on */
    size_t at;
    bool is_at_end; /* nothing more will come from fd */
    bool is_begun;  /* a byte order mark was looked for */
    int64_t line;   /* number of the line given last, from 1 */
    int64_t offset; /* bytes given out */
    int64_t size;   /* of the file; -1: not known */
};

enum source_outcome { SOURCE_LINE, SOURCE_END, SOURCE_TOO_LONG, SOURCE_FAILED /* see errno */ };

/* Of a path, or "-". False: see errno. */
bool source_open(struct source *self, const char *path);
void source_close(struct source *self);
/* The next line, valid until the next call. Waiting for a pipe ends with EINTR when a signal comes
 * that the program handles; nothing is lost then. */
enum source_outcome source_line(struct source *self, struct slice *ret_line);

#endif
