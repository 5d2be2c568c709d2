/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_request.h -- one request while it is being read, and what its head says.
 *
 * It exists from the request's first byte until the rpc layer has decoded it: an idle connection
 * and one that waits in a long poll have none.
 */
#ifndef ACKD_NET_HTTP_REQUEST_H
#define ACKD_NET_HTTP_REQUEST_H

#include "base/buffer.h"
#include "rpc/rpc.h"

#define HTTP_FIELD_NAME_KEPT 40 /* longer than every name that is looked for */

/* Fields that HTTP itself needs; those of RPC_HEADERS come before them in `fields`. */
#define HTTP_HEADERS(X)                                                                            \
    X(HOST, "host")                                                                                \
    X(TRANSFER_ENCODING, "transfer-encoding")                                                      \
    X(EXPECT, "expect")

enum http_header {
    HTTP_HEADER_FIRST = RPC_HEADER_COUNT - 1,
#define X(name, text) HTTP_HEADER_##name,
    HTTP_HEADERS(X)
#undef X
        HTTP_HEADER_COUNT
};

/* A piece of `text`, which moves while it grows. */
struct http_span {
    uint32_t begin;
    uint32_t size;
    bool present;
};

/* The same for every connection of a thread. */
struct http_limits {
    int64_t body_bytes_max;
    int64_t memory_bytes_max;        /* of all requests being read and served */
    _Atomic int64_t *memory_bytes;   /* what they take now: a counter */
    _Atomic int64_t *memory_refused; /* how often they would have taken too much: a counter */
    struct http_request **spare;     /* one that was dealt with, for the next; may be NULL */
    bool stops_at_heads;             /* before a body is read, somebody wants to see the head */
};

struct http_request {
    const struct http_limits *limits;
    struct buffer text; /* the target, then the values of the fields that matter */
    struct http_span target;
    struct http_span fields[HTTP_HEADER_COUNT];
    int field;                       /* being read; -1: one that does not matter */
    int field_count;                 /* all of them */
    char name[HTTP_FIELD_NAME_KEPT]; /* of the field being read, unless it is longer */
    size_t name_size;
    const char *verb;
    bool keep_alive;
    bool http_1_0;

    struct buffer body;      /* as far as it came in pieces */
    struct slice body_whole; /* borrowed from the read buffer, if it came in one */
    int64_t content_length;  /* -1: chunked */
    int64_t body_bytes;
    int64_t begun_ms;      /* uv_now at the first byte */
    int64_t body_begun_ms; /* and after the head */

    int refused_http; /* why it is refused; 0: it is not */
    struct error error;
};

/* NULL: no memory. */
struct http_request *http_request_new(const struct http_limits *limits, int64_t now_ms);
/* It becomes the spare one, if there is none. */
void http_request_free(struct http_request *self);
/* The end of the spare one. */
void http_request_discard(struct http_request *self);
struct slice http_request_field(const struct http_request *self, int header);
/* The path, and nothing of the query; an absolute target is cut to its path. */
struct slice http_request_path(const struct http_request *self);
struct slice http_request_body(const struct http_request *self);
/* Adds a piece of the body; refuses the request if there is no room for it. */
void http_request_append(struct http_request *self, struct slice piece);
/* Refuses a request whose body is large, or is going to be, while requests take much memory. The
 * small ones, acks and heartbeats among them, are always taken. */
void http_request_check_memory(struct http_request *self, int64_t body_bytes, int64_t more_bytes);
/* Marks the request as refused, the first reason counting. */
void http_request_refuse(struct http_request *self, int http_status, enum status status,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
