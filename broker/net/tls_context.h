/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_context.h -- the broker's certificate, who may come with one, and reading both again.
 */
#ifndef ACKD_NET_TLS_CONTEXT_H
#define ACKD_NET_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "rpc/counters.h"

struct tls_options {
    const char *certificate_file; /* PEM: the broker's own first, then those up to the root */
    const char *key_file;         /* PEM, without a passphrase, not readable by everyone */
    const char *client_ca_file;   /* PEM: who signs clients' certificates; "": none is asked for */
    bool client_optional;         /* a client without one is let in, for a token to say who it is */
    struct counters *counters;
};

struct tls_context;

/* Reads the files. An error's sentence names the file and what to do. */
enum status tls_context_open(const struct tls_options *options, struct tls_context **ret_context,
                             struct error *error) MUST_USE;
/* Reads them again if they have changed, or in any case if `forced`. Broken ones change nothing
 * but for a line in the log. One thread at a time. */
void tls_context_refresh(struct tls_context *self, bool forced);
/* After every session is gone. NULL is nothing. */
void tls_context_close(struct tls_context *self);

/* A server's session under the certificate of this moment, or NULL. Any thread. */
SSL *tls_context_session(struct tls_context *self);

#endif
