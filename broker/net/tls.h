/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h -- one TLS session: a socket's bytes in and plaintext out, and the other way round.
 */
#ifndef ACKD_NET_TLS_H
#define ACKD_NET_TLS_H

#include "base/buffer.h"
#include "net/tls_context.h"

/* Of a record: what one call of tls_write seals at most. */
#define TLS_WRITE_MAX ((size_t)64 << 10)

enum tls_event {
    TLS_MORE,  /* all input was taken; more of it is needed */
    TLS_DONE,  /* the handshake is over; or the reader's room is full, and there may be more */
    TLS_ENDED, /* the client has said that it sends no more */
    TLS_FAILED /* `failure` says why; nothing further can be read or written */
};

struct tls {
    SSL *ssl;
    struct slice input;   /* not taken yet; borrowed */
    struct buffer output; /* for the socket: its owner sends and consumes it */
    bool failed;
    char failure[160];
};

/* False: no memory. */
bool tls_init(struct tls *self, struct tls_context *context);
void tls_deinit(struct tls *self);

/* What came; `input` must stay until a call says TLS_MORE. Each call may add to `output`. */
void tls_feed(struct tls *self, struct slice input);
enum tls_event tls_handshake(struct tls *self);
enum tls_event tls_read(struct tls *self, uint8_t *at, size_t room, size_t *ret_size);
/* Adds the bytes, sealed, to `output`: TLS_WRITE_MAX at most. False: TLS_FAILED. */
bool tls_write(struct tls *self, struct slice plain);
/* Says that nothing more will come, where that can still be said. */
void tls_end(struct tls *self);

/* The client's certificate, which was verified; NULL: it has none. */
const X509 *tls_client_certificate(const struct tls *self);

#endif
