/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errand.h -- a thread for one piece of long work, at most one at a time.
 *
 *   errand_init -> errand_start ... errand_start -> errand_stop -> errand_deinit
 *
 * Who starts an errand knows that the one before is done, or about to end: its thread is joined
 * first. Any thread may start or stop one, but not the errand's own.
 */
#ifndef ACKD_BASE_ERRAND_H
#define ACKD_BASE_ERRAND_H

#include <pthread.h>
#include <stdbool.h>

struct errand {
    pthread_mutex_t mutex; /* guards the rest */
    bool stopped;
    bool has_thread; /* to be joined */
    pthread_t thread;
};

void errand_init(struct errand *self);
/* Once it is stopped. */
void errand_deinit(struct errand *self);

/* False: it is stopped, or there is no thread to be had; nothing runs. */
bool errand_start(struct errand *self, void *(*run)(void *argument), void *argument);

/* Waits for the thread; no other is started. May be repeated. */
void errand_stop(struct errand *self);

#endif
