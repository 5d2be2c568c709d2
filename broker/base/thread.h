/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.h -- starting a thread that no signal interrupts.
 *
 * Signals are for the main thread. Only SIGBUS, which a thread raises itself where a mapped file
 * can't be read, ends the process from there.
 */
#ifndef ACKD_BASE_THREAD_H
#define ACKD_BASE_THREAD_H

#include <pthread.h>

/* 0, or what pthread_create says. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *argument), void *argument);

#endif
