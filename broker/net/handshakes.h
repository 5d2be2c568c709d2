/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshakes.h -- the TLS handshakes of a loop: how many are under way, and what became of them.
 */
#ifndef ACKD_NET_HANDSHAKES_H
#define ACKD_NET_HANDSHAKES_H

#include "base/list.h"
#include "base/ration.h"
#include "net/net.h"

struct handshakes {
    const struct net_options *options;
    struct list oldest; /* of those under way, in the order in which they began */
    int64_t count;
    struct ration complaints; /* of failures that are logged */
};

void handshakes_init(struct handshakes *self, const struct net_options *options);
/* One begins. The link of the one that must end for it, or NULL. */
struct list *handshakes_begin(struct handshakes *self, struct list *link);
/* It is over. */
void handshakes_end(struct handshakes *self, struct list *link);
/* It is over, and has failed. */
void handshakes_fail(struct handshakes *self, struct list *link, const char *peer,
                     const char *reason, int64_t now_ms);

#endif
