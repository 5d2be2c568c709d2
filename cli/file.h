/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h -- whole files in, and output files that are whole or not there.
 */
#ifndef ACKD_CLI_FILE_H
#define ACKD_CLI_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buffer.h"
#include "cli/cli.h"

/* The whole file ("-": stdin) in the run's arena. Tells what is wrong and returns false. */
bool file_read(struct cli *cli, const char *path, struct slice *ret_data);

/* A file being written beside its path; stdout where the path is NULL or "-". A device, a pipe
 * or a link is written into as it is. */
struct output_file {
    const char *path; /* NULL: stdout */
    char *temporary; /* NULL: none, the path is written into */
    FILE *stream;
};

/* Tells what is wrong and returns false. */
bool output_file_open(struct output_file *self, struct cli *cli, const char *path);
/* Flushes it to the disk and gives it its name. Tells what is wrong and returns false. */
bool output_file_commit(struct output_file *self);
/* Removes it, if it was not committed. */
void output_file_abort(struct output_file *self);

#endif
