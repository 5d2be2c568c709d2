/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coverage.h -- which transitions of the state table (core/task.h) were taken in broker/core, by
 * the program's own calls of task_step: the linker leads them through here.
 */
#ifndef ACKD_TESTS_SIM_COVERAGE_H
#define ACKD_TESTS_SIM_COVERAGE_H

#include "core/task.h"

struct coverage {
    int64_t steps[TASK_STATE_COUNT][TASK_COMMAND_COUNT][TASK_STATE_COUNT];
    int64_t refusals[TASK_STATE_COUNT][TASK_COMMAND_COUNT];
};

/* Where steps are counted from now on. */
void coverage_use(struct coverage *self);
/* A publish without a delay makes a row without asking core. */
void coverage_note_publish(void);
void coverage_add(struct coverage *self, const struct coverage *other);
/* Prints how many transitions were taken, and those that never were. Returns how many these are. */
int coverage_report(const struct coverage *self);

#endif
