/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc.h -- what a request means, once HTTP has been taken off it: the method table's faces.
 *
 * The net layer reads a request's head and body, fills in a `struct rpc_request` and calls
 * rpc_begin. The path leads to a method (Connect's unary protocol, connect.c) or to one of the
 * plain GETs (plain.c: health, metrics, the autoscalers' numbers). `done` is called exactly once,
 * on the same thread, perhaps before rpc_begin returns; the reply then lies in `reply`.
 *
 * Where callers must be known, the net layer asks rpc_admit as soon as a head is there, and reads
 * no body that would be refused whatever it says.
 *
 * Lifetimes: method, path, headers and body are borrowed until rpc_begin returns: a decoded
 * request refers to the arena alone. The request and its arena live until `done`. When the client
 * goes, rpc_cancel asks for an early end; `done` still comes.
 *
 * Threads: one `struct rpc` serves all net threads; a request belongs to one.
 */
#ifndef ACKD_RPC_RPC_H
#define ACKD_RPC_RPC_H

#include "auth/auth.h"
#include "base/arena.h"
#include "base/budget.h"
#include "base/buffer.h"
#include "base/traceparent.h"
#include "codec/codec.h"
#include "rpc/counters.h"
#include "rpc/method.h"
#include "rpc/quota.h"
#include "service/service.h"

/* The header fields that matter here; the net layer collects them by this table. Names in lower
 * case. */
#define RPC_HEADERS(X)                                                                             \
    X(CONTENT_TYPE, "content-type")                                                                \
    X(CONTENT_ENCODING, "content-encoding")                                                        \
    X(CONNECT_PROTOCOL_VERSION, "connect-protocol-version")                                        \
    X(CONNECT_TIMEOUT_MS, "connect-timeout-ms")                                                    \
    X(IF_NONE_MATCH, "if-none-match")                                                              \
    X(TRACEPARENT, TRACEPARENT_KEY)                                                                \
    X(AUTHORIZATION, "authorization")

enum rpc_header {
#define X(name, text) RPC_HEADER_##name,
    RPC_HEADERS(X)
#undef X
        RPC_HEADER_COUNT
};

struct audit;
struct logins;

struct rpc_options {
    struct service *service;
    struct counters *counters;
    const struct budget *calls_budget; /* of the requests' arenas; or NULL */
    struct auth *auth;                 /* NULL: everybody may do everything */
    struct quotas *quotas;             /* NULL: nobody's requests are bounded */
    struct logins *logins;             /* NULL: refusals are answered at once */
    struct audit *audit;               /* NULL: none is kept */
    const char *version;
    int64_t started_unix_ms;
    int64_t metrics_queues; /* in /metrics by themselves; and so many datasets */
};

struct rpc {
    struct rpc_options options;
};

/* Who is at the other end of the connection; lives as long as that does. */
struct rpc_peer {
    struct slice address; /* "10.1.2.3", without the port; empty: not known */
    struct slice home;    /* the same, but of IPv6 the /64: whose it is, for bounds */
    /* The verified client certificate's names, such as "URI:spiffe://example/worker" and
     * "DNS:worker.example"; none without one. */
    const struct slice *sans;
    size_t san_count;
    int64_t certificate_until_ms; /* Unix time at which it expires; 0 without one */
};

/* A request's head; borrowed. */
struct rpc_head {
    struct slice verb;
    struct slice path;
    const struct slice *headers; /* RPC_HEADER_COUNT */
    const struct rpc_peer *peer; /* NULL: not known */
    int64_t body_bytes;          /* as the head says; 0: none; -1: it does not say */
};

/* Who makes a request, once that was asked. */
struct rpc_caller {
    bool is_known;
    struct principal *principal; /* referenced; NULL: authentication is off */
    struct quota *quota;         /* its bounds; NULL: none */
    int64_t charged_bytes;       /* of the request's body, to the quota */
    int64_t retry_after_ms;      /* where it is refused for the moment */
    int64_t hold_ms;             /* how long the refusal is to be held back */
    bool waits;                  /* the quota counts the request among those that may */
};

struct rpc_request {
    /* Set by the net layer. */
    struct slice verb;                      /* "POST" */
    struct slice path;                      /* without the query */
    struct slice headers[RPC_HEADER_COUNT]; /* data NULL: not sent */
    struct slice body;
    const struct rpc_peer *peer; /* borrowed until rpc_begin returns; NULL: not known */
    struct arena *arena;
    struct mailbox *mailbox;
    void (*done)(struct rpc_request *self);
    struct rpc_caller caller;    /* as rpc_admit gave it; else rpc_begin asks */
    const struct error *refusal; /* of rpc_admit, borrowed until rpc_begin returns; NULL: none */

    /* Set by rpc_begin: how long the client waits; 0: as long as it takes. Past it the net layer
     * answers by itself (STATUS_TIMEOUT) and calls rpc_cancel. */
    int64_t timeout_ms;

    /* The reply, once `done` was called, to be sent after `hold_ms`. */
    int64_t hold_ms;
    int http_status;
    const char *content_type; /* NULL: no body */
    const char *header_line;  /* one more, such as "Allow: POST"; or NULL */
    struct buffer reply;      /* the net layer takes it */

    /* The rpc layer's own. */
    struct rpc *rpc;
    const struct method *method; /* NULL: not a method's path */
    enum codec codec;
    struct trace_id trace; /* of its traceparent */
    struct scope scope;    /* what the caller may, once that was looked at */
    struct service_call call;
    bool calling; /* the service has the call */
    /* For the audit log; NULL without one. */
    const char *address;
    const char *page; /* the path, where it is no method's */
};

void rpc_init(struct rpc *self, const struct rpc_options *options);
/* The largest body that is looked at. */
int64_t rpc_body_bytes_max(const struct rpc *self);
/* Whether rpc_admit has anything to decide; it does not change. */
bool rpc_admits(const struct rpc *self);
/* Of a head with a body behind it: true, the body is worth reading. False: rpc_begin is to be
 * called without it, and with the refusal if *ret_refusal is one. *ret_caller is the request's from
 * there on, or else for rpc_dismiss. */
bool rpc_admit(struct rpc *self, const struct rpc_head *head, struct rpc_caller *ret_caller,
               struct error *ret_refusal);
/* The request came to nothing, or its caller is to be asked again by rpc_begin. */
void rpc_dismiss(struct rpc *self, struct rpc_caller *caller);
/* It was given long ago: rpc_begin asks again who it is. */
void rpc_doubt(struct rpc_caller *caller);
void rpc_begin(struct rpc *self, struct rpc_request *request);
/* The client has gone or waits no longer. Not after `done`. */
void rpc_cancel(struct rpc_request *request);

/* Appends the JSON body of an error as Connect defines it. */
void rpc_error_body(const struct error *error, struct buffer *out);
/* The header line that goes with an error of this status: whom to be, when to try again; or NULL.
 */
const char *rpc_header_line(enum status status, int64_t retry_after_ms);

#endif
