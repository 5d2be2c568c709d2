/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwks.h -- the public keys of an issuer, as it publishes them (RFC 7517).
 *
 * A key that can't be used here is left out, as the RFC wants: one without an ID, of another type,
 * for another use, too short, or not on its curve. Of each only its public numbers are kept.
 * Counted and never changed, so any thread may use a set that it holds.
 */
#ifndef ACKD_AUTH_JWKS_H
#define ACKD_AUTH_JWKS_H

#include <jansson.h>

#include "auth/algorithm.h"
#include "base/slice.h"
#include "base/status.h"

#define JWKS_BYTES_MAX ((size_t)1 << 20)
#define JWKS_KEYS_MAX 100
#define KEY_ID_BYTES_MAX 256
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

struct jwks;

/* `where` is the file or URL, for the sentence that refuses. */
enum status jwks_read(struct slice text, const char *where, struct jwks **ret_jwks,
                      struct error *error) MUST_USE;
struct jwks *jwks_ref(struct jwks *self);
/* NULL is nothing. */
void jwks_release(struct jwks *self);
size_t jwks_count(const struct jwks *self);
/* Whether both hold the same keys. NULL holds none. */
bool jwks_equal(const struct jwks *a, const struct jwks *b);
/* The key of that ID for that algorithm, borrowed; or NULL. */
const json_t *jwks_find(const struct jwks *self, const char *key_id, enum algorithm algorithm);

#endif
