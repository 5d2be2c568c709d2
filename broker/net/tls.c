/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c -- one TLS session: a socket's bytes in and plaintext out, and the other way round.
 *
 *   input --> bio_read --> SSL_read --> plaintext
 *   output <-- bio_write <-- SSL_write <-- plaintext
 *
 * OpenSSL gets a BIO of our own over `input` and `output`: no copy of what comes, and what goes
 * lies in a buffer that its owner bounds and empties. An idle session holds no buffer.
 *
 * OpenSSL keeps errors in a queue of the thread, so each call begins with an empty one and its
 * error is looked at before anything else. One thread a session.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>

#include "base/assert.h"

static int bio_read(BIO *bio, char *at, int room);
static int bio_write(BIO *bio, const char *data, int size);
static long bio_control(BIO *bio, int command, long number, void *pointer);

static BIO_METHOD *bio_method;
static pthread_once_t bio_method_once = PTHREAD_ONCE_INIT;

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ackd");
    if (bio_method == NULL)
        return;
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_control);
}

bool tls_init(struct tls *self, struct tls_context *context)
{
    BIO *bio;

    *self = (struct tls){.output = BUFFER_EMPTY};
    pthread_once(&bio_method_once, make_bio_method);
    bio = bio_method == NULL ? NULL : BIO_new(bio_method);
    self->ssl = bio == NULL ? NULL : tls_context_session(context);
    if (self->ssl == NULL) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, self);
    BIO_set_init(bio, 1);
    SSL_set_bio(self->ssl, bio, bio); /* takes the one reference */
    SSL_set_accept_state(self->ssl);
    return true;
}

void tls_deinit(struct tls *self)
{
    SSL_free(self->ssl);
    self->ssl = NULL;
    buffer_deinit(&self->output);
}

static int bio_read(BIO *bio, char *at, int room)
{
    struct tls *self = BIO_get_data(bio);
    size_t size = self->input.size < (size_t)room ? self->input.size : (size_t)room;

    BIO_clear_retry_flags(bio);
    if (size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(at, self->input.data, size);
    self->input = slice_of(self->input.data + size, self->input.size - size);
    return (int)size;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct tls *self = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buffer_append(&self->output, slice_of(data, (size_t)size));
    return self->output.failed ? -1 : size;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

void tls_feed(struct tls *self, struct slice input)
{
    ASSERT(self->input.size == 0);
    self->input = input;
}

/* What the certificate lacks says more than the handshake's "certificate verify failed". */
static void keep_failure(struct tls *self)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    long verdict = SSL_get_verify_result(self->ssl);

    self->failed = true;
    self->input = SLICE_EMPTY;
    if (self->output.failed)
        reason = "there is no memory";
    else if (verdict != X509_V_OK)
        reason = X509_verify_cert_error_string(verdict);
    snprintf(self->failure, sizeof self->failure, verdict != X509_V_OK ? "%s: %s" : "%.0s%s",
             "the client's certificate is refused", reason != NULL ? reason : "broken TLS");
}

/* What a call's result means, right after it. */
static enum tls_event event_of(struct tls *self, int code)
{
    int error = SSL_get_error(self->ssl, code);

    if (error == SSL_ERROR_WANT_READ)
        return TLS_MORE;
    if (error == SSL_ERROR_ZERO_RETURN)
        return TLS_ENDED;
    keep_failure(self);
    return TLS_FAILED;
}

enum tls_event tls_handshake(struct tls *self)
{
    int code;

    ASSERT(!self->failed);
    ERR_clear_error();
    code = SSL_do_handshake(self->ssl);
    return code == 1 ? TLS_DONE : event_of(self, code);
}

enum tls_event tls_read(struct tls *self, uint8_t *at, size_t room, size_t *ret_size)
{
    *ret_size = 0;
    if (self->failed)
        return TLS_FAILED;
    while (*ret_size < room) {
        size_t size = 0;
        int code;

        ERR_clear_error();
        code = SSL_read_ex(self->ssl, at + *ret_size, room - *ret_size, &size);
        if (code != 1)
            return event_of(self, code);
        *ret_size += size;
    }
    return TLS_DONE;
}

bool tls_write(struct tls *self, struct slice plain)
{
    ASSERT(plain.size <= TLS_WRITE_MAX);
    while (!self->failed && plain.size > 0) {
        size_t size = 0;
        int code;

        ERR_clear_error();
        code = SSL_write_ex(self->ssl, plain.data, plain.size, &size);
        if (code != 1)
            (void)event_of(self, code);
        if (code != 1)
            self->failed = true; /* nothing that it could wait for: `output` takes all */
        plain = slice_of(plain.data + size, plain.size - size);
    }
    return !self->failed;
}

void tls_end(struct tls *self)
{
    if (self->failed || !SSL_is_init_finished(self->ssl))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(self->ssl); /* 0: the client's own is not here yet, nor waited for */
}

const X509 *tls_client_certificate(const struct tls *self)
{
    if (SSL_get_verify_result(self->ssl) != X509_V_OK)
        return NULL;
    return SSL_get0_peer_certificate(self->ssl);
}
