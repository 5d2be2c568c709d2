/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h -- one request being served, with its memory, from rpc_begin to `done`.
 *
 * A call can't be called back once the service has it: when its client goes or its time is over,
 * the exchange is orphaned. It then lives on without its connection until `done` and is dropped
 * there.
 */
#ifndef ACKD_NET_EXCHANGE_H
#define ACKD_NET_EXCHANGE_H

#include "base/list.h"
#include "net/http_request.h"
#include "net/http_writer.h"
#include "rpc/rpc.h"

struct connection;
struct loop;

struct exchange {
    struct list link; /* in the loop's list of those in flight, or of spare ones */
    struct loop *loop;
    struct connection *connection; /* NULL: orphaned */
    struct arena arena;
    struct rpc_request request;
    int64_t counted_bytes; /* of this request, in counters.request_bytes */
    bool keep_alive;
    bool http_1_0;
    bool head_only;
};

/* A spare one, or a new one; NULL without memory. */
struct exchange *exchange_take(struct loop *loop);
/* Makes the rpc layer's request from what was read, which must stay until rpc_begin returns. */
void exchange_fill(struct exchange *self, struct connection *connection,
                   const struct http_request *http, void (*done)(struct rpc_request *request));
/* The values of the header fields that the rpc layer looks at. */
void exchange_fill_headers(const struct http_request *http,
                           struct slice ret_headers[RPC_HEADER_COUNT]);
/* The reply's head as the rpc layer and the request have it; the date is not set. */
struct http_reply exchange_reply(const struct exchange *self);
/* Gives it back. */
void exchange_release(struct exchange *self);
/* Its client has gone: asks for an early end of the call, and lets go of the connection. */
void exchange_orphan(struct exchange *self);
/* Frees the spare ones. */
void exchange_free_spare(struct loop *loop);

#endif
