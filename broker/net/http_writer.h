/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_writer.h -- replies of a connection on their way out, in order.
 *
 * What is put is gathered until http_writer_flush, so that the replies to pipelined requests leave
 * in one write. A flush tries to write at once; the rest goes to libuv, in memory of its own.
 */
#ifndef ACKD_NET_HTTP_WRITER_H
#define ACKD_NET_HTTP_WRITER_H

#include <uv.h>

#include "base/buffer.h"
#include "net/tls_stream.h"

struct http_writer {
    uv_stream_t *stream;
    struct tls_stream *tls; /* what is put leaves through it; NULL: in the clear */
    struct buffer gathered;
    size_t writes;               /* given to libuv and not done */
    size_t held_bytes;           /* their memory */
    uint64_t put_bytes;          /* ever; with what is pending, how much was taken */
    int error;                   /* the first that a write met; nothing is written after it */
    _Atomic int64_t *sent_bytes; /* counter */
    /* A write was done, or failed (status < 0). */
    void (*written)(struct http_writer *self, int status);
};

struct http_reply {
    int http_status;
    const char *content_type; /* NULL: no body */
    const char *header_line;  /* one more, or NULL */
    const char *date;         /* as HTTP writes it */
    bool keep_alive;
    bool http_1_0;  /* its clients must be told of keep-alive */
    bool head_only; /* the request was HEAD */
};

void http_writer_init(struct http_writer *self, uv_stream_t *stream);
/* Before anything is put. The stream stays the caller's. */
void http_writer_seal(struct http_writer *self, struct tls_stream *tls);
void http_writer_deinit(struct http_writer *self);
/* Puts a reply. Takes the memory of a large body; a small one's stays the caller's. */
void http_writer_reply(struct http_writer *self, const struct http_reply *reply,
                       struct buffer *body);
void http_writer_continue(struct http_writer *self);
/* 0 or libuv's error. */
int http_writer_flush(struct http_writer *self);
/* Bytes not yet taken by the kernel. */
size_t http_writer_pending_bytes(const struct http_writer *self);
/* The memory of the replies, which stays whole until a write is done. */
size_t http_writer_held_bytes(const struct http_writer *self);
/* Bytes that the client's machine has taken, ever, as they are on the wire: neither pending nor
 * with our kernel. */
uint64_t http_writer_taken_bytes(const struct http_writer *self);

#endif
