/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.h -- one client's socket: requests in, one at a time, replies out, in order.
 */
#ifndef ACKD_NET_CONNECTION_H
#define ACKD_NET_CONNECTION_H

#include <uv.h>

#include "base/heap.h"
#include "base/list.h"
#include "net/exchange.h"
#include "net/http_reader.h"
#include "net/http_writer.h"
#include "net/peer.h"
#include "net/uptake.h"

enum connection_state {
    CONNECTION_SHAKING,   /* hands, for TLS */
    CONNECTION_READING,   /* between requests or within one; `waiting` is empty */
    CONNECTION_CALLING,   /* `exchange` is being served */
    CONNECTION_HOLDING,   /* `exchange` was, and its reply is held back */
    CONNECTION_FLUSHING,  /* replies wait for the client to take them */
    CONNECTION_ENDING,    /* the last reply is on its way */
    CONNECTION_LINGERING, /* it is out; what still comes is thrown away */
    CONNECTION_CLOSED     /* libuv closes the handle */
};

struct connection {
    struct list link; /* in loop->connections */
    struct loop *loop;
    uv_tcp_t tcp;
    struct heap_node deadline;
    struct peer peer;
    struct ledger_entry *address; /* in options->addresses; NULL: not counted there */
    struct tls_stream *tls;       /* owned; NULL: in the clear */
    struct list handshake;        /* in loop->handshakes; CONNECTION_SHAKING only */
    struct http_reader reader;
    struct http_writer writer;
    struct buffer waiting;     /* input that came while it could not be dealt with */
    struct rpc_caller caller;  /* of the request whose body is being read */
    struct exchange *exchange; /* CONNECTION_CALLING and _HOLDING only */
    struct list held;          /* in loop->held; CONNECTION_HOLDING only */
    enum connection_state state;
    int64_t since_ms;     /* in this state */
    size_t unsent_bytes;  /* of replies, when last looked at */
    size_t held_bytes;    /* the memory that they take: counted in counters.reply_bytes */
    struct uptake uptake; /* of them */
    bool advancing;       /* connection_advance is on the stack */
    bool reading;         /* libuv reads */
    bool peer_closed;     /* the client sends no more */
    bool sealed;          /* TLS has begun: its first byte was one */
};

/* Takes the socket over, which is closed if that fails. */
void connection_open(struct loop *loop, int socket);
/* Ends at once; the memory goes when libuv is done with it. */
void connection_close(struct connection *self);
/* The broker stops: ends now if idle, else with the reply that it works on. */
void connection_drain(struct connection *self);
/* For timeouts_init. */
void connection_expired(struct heap_node *node);

static inline struct connection *connection_of(struct list *link)
{
    return CONTAINER_OF(link, struct connection, link);
}

#endif
