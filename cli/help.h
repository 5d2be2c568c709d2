/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.h -- `--help` and `ackctl help`, made from the command table.
 */
#ifndef ACKD_CLI_HELP_H
#define ACKD_CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

/* Every command with its summary. */
void help_print_overview(FILE *out);
void help_print_group(const struct command_group *group, FILE *out);
void help_print_command(const struct command *command, FILE *out);

#endif
