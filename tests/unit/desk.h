/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk.h -- a mailbox that can be waited for: the test's thread sits at it and opens the letters.
 *
 * Whoever opens a letter counts it in `answered`. A wait that takes a minute aborts the test.
 */
#ifndef ACKD_TESTS_UNIT_DESK_H
#define ACKD_TESTS_UNIT_DESK_H

#include <pthread.h>
#include <stdbool.h>

#include "shard/mailbox.h"

#define DESK_TIMEOUT_S 60

struct desk {
    struct mailbox mailbox;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool woken;   /* guarded by mutex */
    int answered; /* the owner's thread only */
};

void desk_init(struct desk *self);
void desk_deinit(struct desk *self);
/* Opens letters until so many have been answered in all. */
void desk_wait(struct desk *self, int answers);

#endif
