/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h -- who is at the other end of a connection: its address, its certificate's names.
 */
#ifndef ACKD_NET_PEER_H
#define ACKD_NET_PEER_H

#include <openssl/x509.h>
#include <uv.h>

#include "rpc/rpc.h"

struct peer {
    struct rpc_peer rpc;
    char address[INET6_ADDRSTRLEN]; /* "" if it is not known */
    char network[INET6_ADDRSTRLEN]; /* of IPv6, the /64 */
    void *names;                    /* owned: what rpc.sans points to */
};

void peer_init(struct peer *self, const uv_tcp_t *tcp);
void peer_deinit(struct peer *self);
/* Takes the names of a certificate that was verified. False: no memory. */
bool peer_identify(struct peer *self, const X509 *certificate);

#endif
