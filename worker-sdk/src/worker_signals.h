/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_signals.h -- SIGTERM and SIGINT as drain requests, for one worker a process at a time.
 */
#ifndef ACKD_SDK_WORKER_SIGNALS_H
#define ACKD_SDK_WORKER_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* Installs the handlers. *ret_fd becomes readable with each signal. False: in use by another
 * worker, or no file descriptor. */
bool signals_begin(int *ret_fd);
/* How many signals came since the last look. */
uint64_t signals_take(void);
/* Puts back the handlers that were there before. */
void signals_end(void);

#endif
