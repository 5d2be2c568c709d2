/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_tls.c -- a connection's bytes on their way through TLS, and its handshake.
 *
 *   socket --> connection_receive_sealed --SHAKING--> tls_handshake
 *                                        \-else-----> tls_read --> connection_advance
 *
 * What goes out leaves by the http_writer's tls_stream. Each call into TLS may have made output of
 * its own, so each path from here ends in a flush.
 *
 * A client that does not speak TLS at all is told so in plain text, a failed handshake ends with
 * TLS's alert; either is a last reply (C4).
 */
#include "base/assert.h"
#include "net/connection_parts.h"
#include "net/loop.h"

#define TLS_RECORD_HANDSHAKE 22 /* the first byte that a TLS client sends */

static void fail_handshake(struct connection *self, const char *reason);
static void shake_hands(struct connection *self);
static void refuse_plaintext(struct connection *self);
static void read_sealed(struct connection *self);

bool connection_seal(struct connection *self)
{
    struct loop *loop = self->loop;
    struct list *pushed;

    self->tls = tls_stream_new(loop->options->tls, (uv_stream_t *)&self->tcp);
    if (self->tls == NULL)
        return false;
    http_writer_seal(&self->writer, self->tls);
    connection_enter(self, CONNECTION_SHAKING);
    pushed = handshakes_begin(&loop->handshakes, &self->handshake);
    if (pushed != NULL) {
        struct connection *oldest = CONTAINER_OF(pushed, struct connection, handshake);

        fail_handshake(oldest, "too many are under way, and it was the oldest");
        connection_close(oldest);
    }
    return true;
}

static const char *why_it_ends(const struct connection *self)
{
    int64_t took_ms = loop_now_ms(self->loop) - self->since_ms;

    if (self->loop->phase >= LOOP_DRAINING)
        return "the broker stops";
    return took_ms >= self->loop->options->handshake_timeout_ms ? "it took too long"
                                                                : "the client left";
}

/* An open session is ended properly, so that the client can tell a whole stream from a cut one. */
void connection_leave_tls(struct connection *self)
{
    if (self->state == CONNECTION_SHAKING)
        fail_handshake(self, why_it_ends(self));
    else if (self->state != CONNECTION_LINGERING)
        tls_stream_end(self->tls);
}

/* Leaves CONNECTION_SHAKING; the caller says where to by what it does next. */
static void fail_handshake(struct connection *self, const char *reason)
{
    ASSERT(self->state == CONNECTION_SHAKING);
    handshakes_fail(&self->loop->handshakes, &self->handshake, self->peer.address, reason,
                    loop_now_ms(self->loop));
    connection_enter(self, CONNECTION_LINGERING);
}

/* Whether what the client sends is still looked at. */
static bool is_heard(const struct connection *self)
{
    return self->state != CONNECTION_CLOSED && self->state != CONNECTION_LINGERING;
}

void connection_receive_sealed(struct connection *self, struct slice input)
{
    if (!is_heard(self))
        return;
    if (!self->sealed && input.data[0] != TLS_RECORD_HANDSHAKE) {
        refuse_plaintext(self);
        return;
    }
    self->sealed = true;
    tls_feed(&self->tls->tls, input);
    if (self->state == CONNECTION_SHAKING)
        shake_hands(self);
    if (is_heard(self) && self->state != CONNECTION_SHAKING) /* C8 */
        read_sealed(self);
}

/* TLS would call it garbage; whoever speaks HTTP here shall read why that does not work. */
static void refuse_plaintext(struct connection *self)
{
    static char reply[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                          "Content-Length: 42\r\nConnection: close\r\n\r\n"
                          "this port speaks TLS: use an https:// URL\n";
    uv_buf_t bytes = uv_buf_init(reply, sizeof reply - 1);

    fail_handshake(self, "the client does not speak TLS: its URL must begin with https://");
    (void)uv_try_write((uv_stream_t *)&self->tcp, &bytes, 1);
    connection_linger(self);
    connection_settle(self);
}

static void finish_handshake(struct connection *self)
{
    const X509 *certificate = tls_client_certificate(&self->tls->tls);

    handshakes_end(&self->loop->handshakes, &self->handshake);
    connection_enter(self, CONNECTION_READING);
    if (certificate != NULL && !peer_identify(&self->peer, certificate))
        connection_close(self);
}

static void shake_hands(struct connection *self)
{
    enum tls_event event = tls_handshake(&self->tls->tls);

    if (event == TLS_DONE) {
        finish_handshake(self);
        return;
    }
    if (event != TLS_MORE)
        fail_handshake(self, self->tls->tls.failure);
    if (tls_stream_flush(self->tls) != 0) /* our part of it, or the alert */
        connection_close(self);
    else if (event != TLS_MORE)
        connection_linger(self);
    connection_settle(self);
}

/* Opens what came, as much at a time as the loop's buffer holds. */
static void read_sealed(struct connection *self)
{
    uint8_t *at = self->loop->open_buffer;
    enum tls_event event;
    size_t size;

    do {
        event = tls_read(&self->tls->tls, at, LOOP_OPEN_BYTES, &size);
        connection_advance(self, slice_of(at, size));
    } while (event == TLS_DONE && is_heard(self));
    if (!is_heard(self))
        return;
    if (event == TLS_ENDED)
        connection_ended(self);
    else if (event == TLS_FAILED)
        connection_close(self);
}
