/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addresses.h -- how many connections each address has, and how many one may have.
 *
 * Threads: any; one lock, taken twice a connection.
 */
#ifndef ACKD_NET_ADDRESSES_H
#define ACKD_NET_ADDRESSES_H

#include <pthread.h>

#include "base/ledger.h"

struct addresses {
    int64_t connections_max; /* of one address */
    pthread_mutex_t mutex;
    struct ledger ledger; /* mutex; an entry's users are its connections */
};

/* NULL: no memory. */
struct addresses *addresses_new(int64_t connections_max);
/* NULL is nothing. */
void addresses_free(struct addresses *self);
/* One connection more; NULL, and it is not counted, if the address has all that it may have, or
 * there is no memory. */
struct ledger_entry *addresses_enter(struct addresses *self, struct slice address);
void addresses_leave(struct addresses *self, struct ledger_entry *entry);

#endif
