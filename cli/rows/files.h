/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.h -- each file a row: the files that patterns name, and one's content or path.
 */
#ifndef ACKD_CLI_ROWS_FILES_H
#define ACKD_CLI_ROWS_FILES_H

#include <stddef.h>

#include "base/buffer.h"
#include "cli/rows/rows.h"

struct file_list {
    char **paths; /* in the patterns' order, each pattern's sorted; no directories */
    size_t count;
    size_t capacity;
};

/* Adds what the pattern matches (as sh's `*`, `?`, `[]`, `{a,b}` and `~`); a directory stands for
 * the files below it. False: nothing matches, or the directory can't be read; see errno (ENOENT).
 */
bool file_list_add(struct file_list *self, const char *pattern);
void file_list_deinit(struct file_list *self);

/* One file as a row. `content` holds its bytes. ROWS_BAD: it can't be read. */
enum rows_outcome file_row(const char *path, bool by_content, struct buffer *content,
                           struct row *ret_row, struct row_fault *ret_fault);

#endif
