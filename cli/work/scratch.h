/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch.h -- the files of one task: its checkpoint, and its payload if the program wants a path.
 *
 * They lie in a directory of this worker's own, by task number, and go when the task ends. A
 * checkpoint is noticed by its inode, time and size: a program that renames a whole file into place
 * is never read half-written.
 */
#ifndef ACKD_CLI_WORK_SCRATCH_H
#define ACKD_CLI_WORK_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buffer.h"

/* Makes a directory below $TMPDIR or /tmp and opens it, after having removed those that killed runs
 * have left there. -1: see errno. `path` has room for 4,096 bytes. */
int scratch_directory_make(char *path);
/* Removes it with what is left in it. */
void scratch_directory_remove(const char *path, int fd);

struct scratch {
    char checkpoint[4200];
    char payload[4200];
    struct stat seen; /* of the checkpoint as it was last read or written */
};

/* Names the files and writes the checkpoint, if `checkpoint.data` is not NULL. False: see errno. */
bool scratch_open(struct scratch *self, const char *directory, struct slice checkpoint);
bool scratch_write_payload(struct scratch *self, struct slice payload);
/* Whether the program has written a checkpoint since the last time; then it is in `out`. */
bool scratch_read_checkpoint(struct scratch *self, struct buffer *out);
/* Removes the files. */
void scratch_close(struct scratch *self);

#endif
