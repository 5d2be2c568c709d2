/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.h -- tokens as texts, `ackd_<keyid>_<secret>`, and what is kept of them.
 *
 * The keyid names the token and is no secret; the secret is 256 random bits, so that its SHA-256
 * can't be guessed backwards and needs no slow hash. Only the hash is kept, of the whole text.
 * What was a secret is wiped before its memory is given back.
 */
#ifndef ACKD_AUTH_SECRET_H
#define ACKD_AUTH_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SECRET_PREFIX "ackd_"
#define SECRET_KEY_BYTES 12    /* of the keyid */
#define SECRET_SECRET_BYTES 43 /* of the secret: base64url of 32 bytes */
#define SECRET_TEXT_BYTES (5 + SECRET_KEY_BYTES + 1 + SECRET_SECRET_BYTES)
#define SECRET_HASH_BYTES 32

struct secret_key {
    char text[SECRET_KEY_BYTES + 1];
};

struct secret_hash {
    uint8_t bytes[SECRET_HASH_BYTES];
};

/* A new keyid. False: the machine gives no randomness. */
bool secret_make_key(struct secret_key *ret_key);
/* A new secret for that keyid, as the text that its holder sends, with its NUL. */
bool secret_make(const struct secret_key *key, char ret_text[SECRET_TEXT_BYTES + 1]);
/* False if the text has not a token's form. */
bool secret_read(struct slice text, struct secret_key *ret_key);
/* SHA-256. */
struct secret_hash secret_hash(struct slice text);
/* In a time that tells nothing of where they differ. */
bool secret_equal(const struct secret_hash *a, const struct secret_hash *b);
void secret_wipe(void *memory, size_t size);

#endif
