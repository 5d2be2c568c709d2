/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt.h -- Ctrl-C and SIGTERM as a question that long commands ask at safe places.
 *
 * The first signal is remembered; a second one ends the program at once.
 */
#ifndef ACKD_CLI_INTERRUPT_H
#define ACKD_CLI_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/exit.h"

/* From now on signals are remembered. */
void interrupt_watch(void);
bool interrupt_came(void);
/* 130 or 143. */
enum exit_code interrupt_exit_code(void);
/* Sleeps so long, or until a signal comes. */
void interrupt_sleep(int64_t ms);

#endif
