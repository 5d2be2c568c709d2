/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake.h -- one TLS handshake that goes on whatever is wrong with the certificate, so that all
 * that is wrong can be told. Nothing is sent over it.
 */
#ifndef ACKD_CLI_DOCTOR_HANDSHAKE_H
#define ACKD_CLI_DOCTOR_HANDSHAKE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/url.h"

struct handshake {
    bool is_done; /* else `trouble` says why not, and nothing below is set */
    char trouble[512];
    char version[16]; /* "TLSv1.3" */
    char cipher[64];
    X509 *certificate;      /* the broker's; owned */
    int verified;           /* X509_V_OK, or what is wrong with the chain */
    int depth;              /* where: 0 is the broker's own certificate */
    bool is_for_name;       /* the certificate is for the URL's host */
    bool wants_certificate; /* it asks for a client's */
};

/* What to believe, and what to show; each may be NULL. */
struct handshake_files {
    const char *ca;
    const char *certificate;
    const char *key;
};

/* Blocks at most a few times `timeout_ms`. */
void handshake_make(struct handshake *self, const struct url *url,
                    const struct handshake_files *files, int64_t timeout_ms);
void handshake_deinit(struct handshake *self);

#endif
