/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_history.h -- what became of a task's deliveries, as a table.
 */
#ifndef ACKD_CLI_TASK_HISTORY_H
#define ACKD_CLI_TASK_HISTORY_H

#include "ackd/v1/task.pb-c.h"
#include "cli/cli.h"

/* To stdout; nothing for a task that has none. */
void task_history_print(struct cli *cli, const Ackd__V1__Task *task);

#endif
