/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate.h -- certificates in PEM files, and when they end.
 */
#ifndef ACKD_CLI_DOCTOR_CERTIFICATE_H
#define ACKD_CLI_DOCTOR_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* All certificates of the file, in its order; NULL: it can't be read, or has none. */
STACK_OF(X509) * certificates_read(const char *path);
void certificates_free(STACK_OF(X509) * self);

/* How long it lives yet; below 0: it has ended. */
int64_t certificate_left_ms(const X509 *self);
/* It lives, but so little that it should have been renewed: less than `soon_ms`, and less than a
 * third of its whole life. */
bool certificate_ends_soon(const X509 *self, int64_t soon_ms);
/* Whose it is, for people: its common name, or else the whole subject. */
void certificate_append_name(const X509 *self, struct buffer *out);
/* The names that it is for, such as "DNS:ackd, IP Address:127.0.0.1". */
void certificate_append_sans(const X509 *self, struct buffer *out);

#endif
