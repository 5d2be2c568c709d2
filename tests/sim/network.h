/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.h -- between the actors and the broker: messages as bytes, which may be lost, late,
 * doubled, or overtake one another, as the weather has it.
 *
 *   actor --call--> request --...--> broker_receive        (lost; twice; late)
 *         <--hear-- reply   <--...-- network_reply         (lost; late: nobody waits any more)
 *
 * A client that waits no longer hangs up, and the broker hears of it a little later.
 */
#ifndef ACKD_TESTS_SIM_NETWORK_H
#define ACKD_TESTS_SIM_NETWORK_H

#include "actor.h"

/* One call, from its sending to the last trace of it. Lives as long as the simulation. */
struct exchange {
    struct event patience;
    struct event hang_up;
    struct actor *actor;
    unsigned life; /* of the actor that sent it */
    int tag;       /* the actor's own */
    enum method_number method;
    struct slice request;
    bool over; /* the client has heard, or waits no longer */
};

void network_call(struct sim *sim, struct actor *actor, int tag, enum method_number method,
                  const ProtobufCMessage *request, int64_t patience_ms);
/* The broker has answered. `reply` is copied. */
void network_reply(struct sim *sim, struct exchange *exchange, enum status status,
                   struct slice reply);

#endif
