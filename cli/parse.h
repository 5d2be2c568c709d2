/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.h -- the command line, read by the command's table.
 *
 *   ackctl [global options] COMMAND [arguments and options in any order]
 *
 * `--name VALUE`, `--name=VALUE`, `-o VALUE`, `-oVALUE`, flags together (`-qv`), `--` ends the
 * options. Once an argument of kind COMMAND begins, the rest of the line is its.
 */
#ifndef ACKD_CLI_PARSE_H
#define ACKD_CLI_PARSE_H

#include "cli/cli.h"

enum parse_outcome {
    PARSE_RUN,   /* self->command is set and its line is right */
    PARSE_HELP,  /* help was asked for: of self->command, or in general where that is NULL */
    PARSE_WRONG, /* the fault has been told */
};

enum parse_outcome parse_command_line(struct cli *self, int argc, char **argv);

#endif
