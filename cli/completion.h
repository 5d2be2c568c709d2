/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.h -- the shells' completion scripts, written from the command table.
 *
 * Names of queues are asked of the broker at the moment, with a time limit of one second.
 */
#ifndef ACKD_CLI_COMPLETION_H
#define ACKD_CLI_COMPLETION_H

#include <stdio.h>

void completion_bash(FILE *out);
void completion_zsh(FILE *out);

#endif
