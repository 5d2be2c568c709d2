/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal.h -- TLS of the load generator's links, and what a spawned broker needs to speak it.
 *
 * Nothing blocks but the handshake. What a read or write would wait for is EAGAIN, as of a socket:
 * a read that waits for room to write (a key update) comes again with the next event.
 */
#ifndef ACKD_CLI_BENCH_SEAL_H
#define ACKD_CLI_BENCH_SEAL_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "cli/cli.h"

/* Believes --ca-file, and shows --cert-file; NULL, told, if they can't be used. */
SSL_CTX *seal_context(const struct cli *cli);
/* Shakes hands on a connected, blocking socket and makes it non-blocking. NULL: the broker can't
 * be believed, or the handshake failed; errno is EPROTO. */
SSL *seal_open(SSL_CTX *context, int socket, const char *host);
void seal_close(SSL *ssl);
/* As recv and send with MSG_DONTWAIT. */
ssize_t seal_read(SSL *ssl, void *data, size_t size);
ssize_t seal_write(SSL *ssl, const void *data, size_t size);

/* Writes a certificate for 127.0.0.1 that has signed itself, for a week, and its key. */
bool seal_make_identity(const char *certificate_path, const char *key_path);

#endif
