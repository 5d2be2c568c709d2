/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt.c -- what decides who gets in: tokens of strangers, key sets of issuers, the config's text.
 *
 * Input: which of them (1 byte), then its text.
 *
 *   W1  No bytes are a token that a key has signed which signed none; and none that is over is
 * good. W2  Of a key set only sound keys are kept, at most JWKS_KEYS_MAX, and each is found for the
 *       algorithms of its own type alone.
 *   W3  A config that is read is within its bounds, and one that is refused says where.
 */
#include "auth/jwt.h"

#include "auth/auth_config.h"
#include "auth/json_text.h"
#include "auth/jwks.h"
#include "fuzz.h"

#define NOW_MS INT64_C(1700000000000)
#define SKEW_MS 60000

/* The example of RFC 7515, appendix A.3: its private key made no token that is tried here. */
static const char keys_text[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"1\","
                                "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static const json_t *a_key(void)
{
    static struct jwks *keys;
    struct error error = ERROR_NONE;

    if (keys == NULL)
        CHECK(jwks_read(slice_of_string(keys_text), "keys", &keys, &error) == STATUS_OK);
    return jwks_find(keys, "1", ALGORITHM_ES256);
}

static void try_token(struct slice text) /* W1 */
{
    struct jwt jwt;
    int64_t until_ms = 0;

    if (jwt_read(&jwt, text) == JWT_OK) {
        CHECK(jwt.algorithm < ALGORITHM_COUNT && jwt.key_id != NULL && jwt.issuer != NULL);
        CHECK(!jwt_is_signed(&jwt, a_key()));
        if (jwt_check(&jwt, "ackd", SKEW_MS, NOW_MS, &until_ms) == JWT_OK)
            CHECK(NOW_MS < until_ms && jwt_subject(&jwt) != NULL);
    }
    jwt_deinit(&jwt);
}

static void try_keys(struct slice text) /* W2 */
{
    struct error error = ERROR_NONE;
    struct jwks *keys = NULL;

    if (jwks_read(text, "keys", &keys, &error) != STATUS_OK) {
        CHECK(keys == NULL && *error.message != '\0');
        return;
    }
    CHECK(jwks_count(keys) >= 1 && jwks_count(keys) <= JWKS_KEYS_MAX && jwks_equal(keys, keys));
    for (int i = 0; i < ALGORITHM_COUNT; i++) {
        const json_t *key = jwks_find(keys, "1", (enum algorithm)i);

        CHECK(key == NULL || (json_object_get(key, "d") == NULL &&
                              algorithm_takes((enum algorithm)i, json_text_member(key, "kty"),
                                              json_text_member(key, "crv"))));
    }
    jwks_release(keys);
}

static void check_mappings(const struct mappings *mappings)
{
    CHECK(mappings->count <= MAPPINGS_MAX);
    for (size_t i = 0; i < mappings->count; i++)
        CHECK(*mappings->items[i].pattern != '\0' && mappings->items[i].grant_count >= 1 &&
              mappings->items[i].grant_count <= GRANTS_MAX);
}

static void try_config(struct slice text) /* W3 */
{
    struct error error = ERROR_NONE;
    struct auth_config *config = NULL;

    if (auth_config_read(text, "config", &config, &error) != STATUS_OK) {
        CHECK(config == NULL && strncmp(error.message, "config", 6) == 0);
        return;
    }
    check_mappings(&config->certificates);
    CHECK(config->issuer_count <= ISSUERS_MAX);
    for (size_t i = 0; i < config->issuer_count; i++) {
        const struct issuer *issuer = &config->issuers[i];

        CHECK((issuer->jwks_file == NULL) != (issuer->jwks_url == NULL));
        CHECK(issuer->algorithms != 0 && issuer->clock_skew_ms <= CLOCK_SKEW_S_MAX * 1000);
        CHECK(auth_config_issuer(config, issuer->name) == issuer);
        check_mappings(&issuer->subjects);
    }
    auth_config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(struct slice text) = {try_token, try_keys, try_config};
    struct slice input = slice_of(data, size);
    uint8_t way = take_u8(&input) % 3;
    uint8_t *copy = exact_copy(input);

    ways[way](slice_of(copy, input.size));
    free(copy);
    return 0;
}
