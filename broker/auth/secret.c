/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.c -- tokens as texts, and what is kept of them.
 */
#include "auth/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"

#define KEY_ALPHABET "abcdefghijklmnopqrstuvwxyz234567" /* 5 bits each */

bool secret_make_key(struct secret_key *ret_key)
{
    uint8_t random[SECRET_KEY_BYTES];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    for (size_t i = 0; i < SECRET_KEY_BYTES; i++)
        ret_key->text[i] = KEY_ALPHABET[random[i] & 31];
    ret_key->text[SECRET_KEY_BYTES] = '\0';
    return true;
}

bool secret_make(const struct secret_key *key, char ret_text[SECRET_TEXT_BYTES + 1])
{
    uint8_t random[32];
    char *at = ret_text;

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    memcpy(at, SECRET_PREFIX, strlen(SECRET_PREFIX));
    at += strlen(SECRET_PREFIX);
    memcpy(at, key->text, SECRET_KEY_BYTES);
    at += SECRET_KEY_BYTES;
    *at++ = '_';
    ASSERT(base64url_encode(slice_of(random, sizeof random), at) == SECRET_SECRET_BYTES);
    secret_wipe(random, sizeof random);
    return true;
}

static bool is_key_char(char c)
{
    return c != '\0' && strchr(KEY_ALPHABET, c) != NULL;
}

static bool is_secret_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool secret_read(struct slice text, struct secret_key *ret_key)
{
    const char *key = (const char *)text.data + strlen(SECRET_PREFIX);
    const char *secret = key + SECRET_KEY_BYTES + 1;

    if (text.size != SECRET_TEXT_BYTES ||
        !slice_starts_with(text, slice_of_string(SECRET_PREFIX)) || secret[-1] != '_')
        return false;
    for (size_t i = 0; i < SECRET_KEY_BYTES; i++)
        if (!is_key_char(key[i]))
            return false;
    for (size_t i = 0; i < SECRET_SECRET_BYTES; i++)
        if (!is_secret_char(secret[i]))
            return false;
    memcpy(ret_key->text, key, SECRET_KEY_BYTES);
    ret_key->text[SECRET_KEY_BYTES] = '\0';
    return true;
}

struct secret_hash secret_hash(struct slice text)
{
    struct secret_hash hash;
    unsigned size = 0;
    int done = EVP_Digest(text.data, text.size, hash.bytes, &size, EVP_sha256(), NULL);

    ASSERT(done == 1 && size == sizeof hash.bytes);
    return hash;
}

bool secret_equal(const struct secret_hash *a, const struct secret_hash *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void secret_wipe(void *memory, size_t size)
{
    OPENSSL_cleanse(memory, size);
}
