/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.h -- sockets: listeners, threads, connections, HTTP/1.1. Knows no methods.
 *
 *   listener (thread 0) --accepted sockets--> loops, one a thread --> connections --> rpc_begin
 *
 * The end comes in steps, so that nothing in flight is lost: net_drain (no new connections, replies
 * say `Connection: close`), net_halt (from its return on no thread calls rpc_begin), then the
 * service is closed, which posts the last letters, and net_close delivers them and joins the
 * threads.
 */
#ifndef ACKD_NET_NET_H
#define ACKD_NET_NET_H

#include "base/status.h"
#include "net/addresses.h"
#include "net/tls_context.h"
#include "rpc/rpc.h"

#define NET_LISTEN_MAX 8

struct net_options {
    struct rpc *rpc;
    struct counters *counters;
    const char *const *listen; /* "127.0.0.1:7333", "[::1]:0": numeric; port 0: any free one */
    int listen_count;          /* 1 .. NET_LISTEN_MAX */
    bool loopback_only;        /* any other address is refused */
    int io_threads;            /* 1 .. 64 */
    int64_t connections_max;
    struct addresses *addresses; /* NULL: one may have them all; outlives the net threads */
    int64_t memory_bytes_max; /* of requests being read and served; past it large ones are refused.
                               * The same again of replies not taken; past it large ones drop */
    struct budget *calls_budget; /* of decoded requests and of replies being made; or NULL */
    int64_t header_timeout_ms;   /* from a request's first byte to its head's last */
    int64_t body_timeout_ms;     /* grace for a body; beyond it 1 KiB/s must come */
    int64_t idle_timeout_ms;     /* between requests */
    int64_t write_timeout_ms;    /* a reply of which nothing is taken; as long beyond 1 KiB/s */
    struct tls_context *tls;     /* NULL: in the clear; outlives the net threads */
    int64_t handshake_timeout_ms;
    int64_t handshakes_max; /* under way at once; one more ends the oldest */
};

struct net;

/* Binds, listens and starts the threads. On an error nothing is left. */
enum status net_open(const struct net_options *options, struct net **ret_net,
                     struct error *error) MUST_USE;
/* The address of listener `index` with its real port, such as "127.0.0.1:40113". */
const char *net_address(const struct net *self, int index);
/* Stops accepting, closes idle connections; the others end with their reply. */
void net_drain(struct net *self);
/* After net_drain: how many connections are left; net_drained_fd becomes readable at 0. */
int64_t net_connection_count(const struct net *self);
int net_drained_fd(const struct net *self);
/* When it returns, no thread begins another request. Replies still go out. */
void net_halt(struct net *self);
/* Delivers what has been posted, closes every connection, joins the threads. NULL is nothing. */
void net_close(struct net *self);

#endif
