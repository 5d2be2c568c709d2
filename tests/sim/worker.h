/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h -- a worker process of some temper: honest, slow, dying, a zombie, one that repeats
 * itself, one that gives everything back.
 *
 *   (no session) --open--> idle --lease--> busy --ack, nack, checkpoint, renew--> idle
 *         ^                                 |
 *         +--- session lost, or death ------+
 *
 * In the calm all workers are honest.
 */
#ifndef ACKD_TESTS_SIM_WORKER_H
#define ACKD_TESTS_SIM_WORKER_H

#include "actor.h"
#include "core/token.h"

enum { HANDS_MAX = 4, OLD_LEASES_MAX = 12 };

/* A task that was leased. */
struct hand {
    char token[TOKEN_BYTES_MAX];
    int task;
    unsigned result; /* that it has; 0: none yet */
};

struct temper;

struct worker {
    struct actor actor;
    struct event beat; /* heartbeats */
    int index;
    const struct temper *temper;
    int queue;
    bool has_session;
    char session[20];
    int64_t session_ms;
    int surplus; /* heartbeats that told of more leases than it has */
    struct hand hands[HANDS_MAX];
    int hand_count;
    struct hand olds[OLD_LEASES_MAX]; /* a ring: leases it had before */
    int old_count;
    int carried; /* hands whose ack is on its way */
    int tries;
};

void worker_init(struct sim *sim, int index);

#endif
