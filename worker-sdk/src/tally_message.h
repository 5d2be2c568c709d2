/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally_message.h -- what Queue and Dataset, and their plain structs, have in common: how many
 * tasks stand where, and what happened to them. The C types share nothing but the names of their
 * fields.
 */
#ifndef ACKD_SDK_TALLY_MESSAGE_H
#define ACKD_SDK_TALLY_MESSAGE_H

#include "ackd/v1/common.pb-c.h"

#define TALLY_FROM_MESSAGE(message, into)                                                          \
    do {                                                                                           \
        (into)->useful_lease_ms = (message)->useful_lease_ms;                                      \
        (into)->wasted_lease_ms = (message)->wasted_lease_ms;                                      \
        (into)->deliveries = (message)->deliveries;                                                \
        (into)->failures = (message)->failures;                                                    \
        (into)->preemptions = (message)->preemptions;                                              \
        (into)->losses = (message)->losses;                                                        \
        (into)->salvaged = (message)->salvaged;                                                    \
        if ((message)->counts == NULL)                                                             \
            break;                                                                                 \
        (into)->ready = (message)->counts->ready;                                                  \
        (into)->delayed = (message)->counts->delayed;                                              \
        (into)->leased = (message)->counts->leased;                                                \
        (into)->dead = (message)->counts->dead;                                                    \
        (into)->published = (message)->counts->published;                                          \
        (into)->done = (message)->counts->done;                                                    \
        (into)->purged = (message)->counts->purged;                                                \
    } while (0)

#endif
