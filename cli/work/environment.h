/* SPDX-License-Identifier: Apache-2.0 */
/*
 * environment.h -- the variables by which a program learns what its task is.
 */
#ifndef ACKD_CLI_WORK_ENVIRONMENT_H
#define ACKD_CLI_WORK_ENVIRONMENT_H

#include "ackd/worker.h"
#include "base/arena.h"

/* ackctl's own variables and the task's, ended by NULL, in the arena. The paths may be NULL. NULL:
 * no memory. */
const char *const *environment_make(struct arena *arena, const struct ackd_task *task,
                                    const char *url, const char *checkpoint_path,
                                    const char *payload_path);

#endif
