/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals.h -- what other programs tell the daemon.
 */
#ifndef ACKD_DAEMON_SIGNALS_H
#define ACKD_DAEMON_SIGNALS_H

#include <stdint.h>

/* Before any thread is started: they inherit that the signals are blocked. Returns a descriptor
 * for signals_wait, or -1. */
int signals_setup(void);
/* Waits for SIGTERM, SIGINT or SIGHUP, or for timeout_ms. Returns the signal, or 0. */
int signals_next(int signals_fd, int64_t timeout_ms);
/* Waits for SIGTERM or SIGINT, for `other_fd` to become readable (-1: none), or for timeout_ms (-1:
 * no limit). Returns the signal, or 0. */
int signals_wait(int signals_fd, int other_fd, int64_t timeout_ms);

#endif
