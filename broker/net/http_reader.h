/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_reader.h -- bytes of a connection in, whole requests out, one at a time.
 */
#ifndef ACKD_NET_HTTP_READER_H
#define ACKD_NET_HTTP_READER_H

#include <llhttp.h>

#include "net/http_head.h"
#include "net/http_request.h"

#if LLHTTP_VERSION_MAJOR < 9
_Static_assert(LLHTTP_STRICT_MODE == 1, "llhttp 8 accepts smuggled requests unless strict");
#endif

#define HTTP_LINE_BYTES_MAX (8u << 10)
#define HTTP_HEAD_BYTES_MAX (16u << 10)
#define HTTP_FIELDS_MAX 64
#define HTTP_FIELD_NAME_MAX 256

enum http_event {
    HTTP_MORE,       /* all bytes were taken and the request is not whole yet */
    HTTP_CONTINUE,   /* the same, and the client waits for a "100 Continue" */
    HTTP_HEAD_WHOLE, /* the head is whole, and a body follows; only if limits->stops_at_heads */
    HTTP_WHOLE,      /* `request` is whole; the rest of the bytes belongs to the next one */
    HTTP_REFUSED     /* `request` says why; no further byte of this connection can be trusted */
};

struct http_reader {
    llhttp_t parser;
    struct http_head head;
    struct http_request *request; /* owned; NULL between requests */
    const struct http_limits *limits;
    int64_t body_raw_bytes; /* with the chunks' framing */
    uint8_t body_last;      /* the byte that came last of them */
    bool in_body;
    bool whole;
    bool wants_continue;
};

void http_reader_init(struct http_reader *self, const struct http_limits *limits);
void http_reader_deinit(struct http_reader *self);
/* Takes bytes from the front of *input, which must not be empty. The body of a whole request may
 * point into what was taken. */
enum http_event http_reader_feed(struct http_reader *self, struct slice *input, int64_t now_ms);
/* After HTTP_HEAD_WHOLE, with no byte of the body there: whether the client waits for a "100
 * Continue", which it is to be sent. */
bool http_reader_take_continue(struct http_reader *self);
/* The request has been dealt with: its memory goes, the next one may begin. */
void http_reader_next(struct http_reader *self);

#endif
