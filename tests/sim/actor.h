/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor.h -- a client process: it wakes up by itself, sends calls, and hears what became of them.
 *
 * An actor hears of each call exactly once, unless its life ended before. A call without an answer
 * within its patience ends as STATUS_TIMEOUT: whether it was carried out is unknown.
 */
#ifndef ACKD_TESTS_SIM_ACTOR_H
#define ACKD_TESTS_SIM_ACTOR_H

#include "base/status.h"
#include "rpc/method.h"
#include "schedule.h"

struct sim;
struct actor;

struct actor_kind {
    void (*wake)(struct sim *sim, struct actor *self);
    /* `reply` is set for STATUS_OK and holds during the call. */
    void (*hear)(struct sim *sim, struct actor *self, int tag, enum status status,
                 const ProtobufCMessage *reply);
};

struct actor {
    struct event alarm;
    const struct actor_kind *kind;
    char name[16];
    unsigned life; /* grows when the process dies */
    int calls;     /* in flight */
};

#endif
