/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_stream.h -- the way out of a TLS session: plaintext put, sealed as fast as the socket takes.
 */
#ifndef ACKD_NET_TLS_STREAM_H
#define ACKD_NET_TLS_STREAM_H

#include <uv.h>

#include "base/list.h"
#include "net/tls.h"

struct tls_stream {
    struct tls tls;
    uv_stream_t *stream;
    struct list parts;    /* plaintext that waits, in order */
    size_t parts_bytes;   /* of it */
    size_t held_bytes;    /* its memory */
    struct buffer flying; /* ciphertext that libuv writes */
    uv_write_t request;
    bool writing;                /* `request` is with libuv */
    int error;                   /* the first; nothing is written after it */
    uint64_t sealed_bytes;       /* ciphertext given to the socket or to libuv, ever */
    _Atomic int64_t *sent_bytes; /* counter */
    /* The socket has taken something of what it had not taken at once, or failed (status < 0). */
    void (*written)(struct tls_stream *self, int status);
    void *owner;
};

/* NULL: no memory. */
struct tls_stream *tls_stream_new(struct tls_context *context, uv_stream_t *stream);
/* After the socket is closed. NULL is nothing. */
void tls_stream_free(struct tls_stream *self);

/* Sends the data after what waits, and takes its memory. */
void tls_stream_put(struct tls_stream *self, struct buffer *data);
/* Sends what the session has to say by itself: handshakes, alerts. 0 or libuv's error. */
int tls_stream_flush(struct tls_stream *self);
/* Says goodbye, if nothing waits: what is put after it is lost. */
void tls_stream_end(struct tls_stream *self);

/* Bytes that the kernel has not taken, sealed or not yet. */
size_t tls_stream_pending_bytes(const struct tls_stream *self);
/* Their memory. */
size_t tls_stream_held_bytes(const struct tls_stream *self);
/* Ciphertext given to the kernel, ever. */
uint64_t tls_stream_sent_bytes(const struct tls_stream *self);

#endif
