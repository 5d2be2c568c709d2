/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwks.c -- the public keys of an issuer.
 */
#include "auth/jwks.h"

#include <jose/openssl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "auth/json_text.h"
#include "auth/quiet_jose.h"
#include "base/assert.h"

#define EXPONENT_BITS_MAX 64 /* more would only cost time */

struct jwks_key {
    const char *id;
    const char *algorithm; /* NULL: any that takes it */
    json_t *numbers;       /* "kty" and the public numbers, all that a signature's check takes */
};

struct jwks {
    atomic_int references;
    json_t *root; /* owns the texts */
    size_t count;
    struct jwks_key keys[JWKS_KEYS_MAX];
};

static bool read_key(const json_t *json, struct jwks_key *ret_key);

static enum status refuse(const char *where, const char *why, struct error *error)
{
    return error_set(error, STATUS_INVALID, "%.160s holds no keys that can be used: %s", where,
                     why);
}

enum status jwks_read(struct slice text, const char *where, struct jwks **ret_jwks,
                      struct error *error)
{
    struct jwks *self = calloc(1, sizeof *self);
    char reason[100];
    const json_t *array;
    const json_t *item;
    size_t index;

    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for the keys of %.160s", where);
    atomic_init(&self->references, 1);
    self->root = json_text_read(text, reason, sizeof reason);
    array = json_object_get(self->root, "keys");
    json_array_foreach(array, index, item)
    {
        if (index < JWKS_KEYS_MAX && read_key(item, &self->keys[self->count]))
            self->count++;
    }
    if (self->count > 0 && json_array_size(array) <= JWKS_KEYS_MAX) {
        *ret_jwks = self;
        return STATUS_OK;
    }
    if (json_array_size(array) > JWKS_KEYS_MAX)
        error_limit(error, STATUS_INVALID, "keys", JWKS_KEYS_MAX, (int64_t)json_array_size(array),
                    "%.160s holds %zu keys, and at most %d are read", where, json_array_size(array),
                    JWKS_KEYS_MAX);
    else
        (void)!refuse(where,
                      self->root == NULL ? reason
                      : json_is_array(array)
                          ? "none has a \"kid\" and is a public key for signatures, RSA of 2048 to "
                            "8192 bits or EC on P-256, P-384 or P-521"
                          : "there is no array \"keys\"",
                      error);
    jwks_release(self);
    return error->status;
}

struct jwks *jwks_ref(struct jwks *self)
{
    atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
    return self;
}

void jwks_release(struct jwks *self)
{
    if (self == NULL)
        return;
    if (atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < self->count; i++)
        json_decref(self->keys[i].numbers);
    json_decref(self->root);
    free(self);
}

size_t jwks_count(const struct jwks *self)
{
    return self == NULL ? 0 : self->count;
}

bool jwks_equal(const struct jwks *a, const struct jwks *b)
{
    if (jwks_count(a) != jwks_count(b))
        return false;
    for (size_t i = 0; i < jwks_count(a); i++) {
        if (!json_text_equal(a->keys[i].id, b->keys[i].id) ||
            !json_text_equal(a->keys[i].algorithm, b->keys[i].algorithm) ||
            !json_equal(a->keys[i].numbers, b->keys[i].numbers))
            return false;
    }
    return true;
}

const json_t *jwks_find(const struct jwks *self, const char *key_id, enum algorithm algorithm)
{
    for (size_t i = 0; i < jwks_count(self); i++) {
        const struct jwks_key *key = &self->keys[i];

        if (strcmp(key->id, key_id) == 0 &&
            (key->algorithm == NULL || strcmp(key->algorithm, algorithm_name(algorithm)) == 0) &&
            algorithm_takes(algorithm, json_text_member(key->numbers, "kty"),
                            json_text_member(key->numbers, "crv")))
            return key->numbers;
    }
    return NULL;
}

/* ---- one key ---- */

/* A key may say what it is for, in one way or the other. */
static bool is_for_signatures(const json_t *json)
{
    const json_t *use = json_object_get(json, "use");
    const json_t *operations = json_object_get(json, "key_ops");
    const json_t *item;
    size_t index;

    if (use != NULL && !json_text_equal(json_string_value(use), "sig"))
        return false;
    if (operations == NULL)
        return true;
    json_array_foreach(operations, index, item)
    {
        if (json_text_equal(json_string_value(item), "verify"))
            return true;
    }
    return false;
}

/* The members that make a public key; NULL: one is missing. */
static json_t *numbers_of(const json_t *json)
{
    const char *type = json_text_member(json, "kty");

    if (json_text_equal(type, "RSA"))
        return json_pack("{ss ss ss}", "kty", type, "n", json_text_member(json, "n"), "e",
                         json_text_member(json, "e"));
    if (json_text_equal(type, "EC"))
        return json_pack("{ss ss ss ss}", "kty", type, "crv", json_text_member(json, "crv"), "x",
                         json_text_member(json, "x"), "y", json_text_member(json, "y"));
    return NULL;
}

static bool is_sound_rsa(EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    BIGNUM *exponent = NULL;
    bool sound = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
                 BN_num_bits(exponent) <= EXPONENT_BITS_MAX && BN_is_odd(exponent) &&
                 !BN_is_one(exponent);

    BN_free(exponent);
    return sound && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
}

/* Whether OpenSSL can make a key of the numbers, which for EC means a point on the curve. */
static bool is_sound(const json_t *numbers)
{
    jose_cfg_auto_t *config = quiet_jose();
    EVP_PKEY *key = config == NULL ? NULL : jose_openssl_jwk_to_EVP_PKEY(config, numbers);
    bool sound = key != NULL && (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC || is_sound_rsa(key));

    EVP_PKEY_free(key);
    ERR_clear_error();
    return sound;
}

static bool read_key(const json_t *json, struct jwks_key *ret_key)
{
    const char *id = json_text_member(json, "kid");
    const json_t *algorithm = json_object_get(json, "alg");

    if (id == NULL || strlen(id) > KEY_ID_BYTES_MAX || !is_for_signatures(json) ||
        (algorithm != NULL && !json_is_string(algorithm)))
        return false;
    *ret_key = (struct jwks_key){id, json_string_value(algorithm), numbers_of(json)};
    if (ret_key->numbers != NULL && is_sound(ret_key->numbers))
        return true;
    json_decref(ret_key->numbers);
    return false;
}
