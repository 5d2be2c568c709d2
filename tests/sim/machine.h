/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.h -- the broker's machine: a wall clock that may be set, a monotonic clock that may leap.
 *
 * The broker reads them through its real clock (base/clock.c): the program is linked so that
 * clock_gettime and pthread_once come here first. After machine_boot whatever a process does once
 * is done again, so that a restarted broker takes its bearings from the wall clock anew.
 */
#ifndef ACKD_TESTS_SIM_MACHINE_H
#define ACKD_TESTS_SIM_MACHINE_H

#include <stdint.h>

#include "schedule.h"

struct machine {
    const struct schedule *schedule;
    int64_t leapt_ms; /* both clocks */
    int64_t set_ms;   /* the wall clock */
};

/* From now on this machine's clocks are read; NULL: the real ones. */
void machine_use(struct machine *self);
/* A new process begins. */
void machine_boot(void);
/* What a broker must take for the time: the wall clock as it was when it began, and the monotonic
 * time since. Computed here, so that the checker need not believe the broker's own clock. */
int64_t machine_process_ms(void);

#endif
