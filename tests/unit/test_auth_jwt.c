/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_auth_jwt.c -- tokens of issuers and their keys, each verdict by itself; and what is
 * remembered of those who were let in. The tokens are made by libjose, here and nowhere else.
 */
#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h wants those before it. */
#include <cmocka.h>

#include "auth/jwks.h"
#include "auth/jwt.h"
#include "auth/known.h"

#define NOW_S INT64_C(1700000000)
#define NOW_MS (NOW_S * 1000)
#define SKEW_MS 60000

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"k\"}"
#define CLAIMS(more) "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"ackd\",\"exp\":1700000600" more "}"

/* A key pair, "kid" k. */
static json_t *make_key(const char *algorithm)
{
    json_t *key = json_pack("{ss ss}", "alg", algorithm, "kid", "k");

    assert_true(jose_jwk_gen(NULL, key));
    return key;
}

/* The pair that most tests share. */
static json_t *the_key(void)
{
    static json_t *key;

    if (key == NULL)
        key = make_key("ES256");
    return key;
}

static struct jwks *keys_of(json_t *key)
{
    json_t *set = json_pack("{s[O]}", "keys", key);
    char *text = json_dumps(set, 0);
    struct error error = ERROR_NONE;
    struct jwks *keys = NULL;

    (void)!jwks_read(slice_of_string(text), "keys", &keys, &error);
    free(text);
    json_decref(set);
    return keys;
}

/* A compact token of these texts, signed. */
static char *sign(const char *header, const char *claims, const json_t *key)
{
    json_t *protected = jose_b64_enc(header, strlen(header));
    json_t *jws = json_pack("{so}", "payload", jose_b64_enc(claims, strlen(claims)));
    json_t *signature = json_pack("{so}", "protected", protected);
    char *token = NULL;

    assert_true(jose_jws_sig(NULL, jws, signature, key));
    assert_true(asprintf(&token, "%s.%s.%s", json_string_value(json_object_get(jws, "protected")),
                         json_string_value(json_object_get(jws, "payload")),
                         json_string_value(json_object_get(jws, "signature"))) > 0);
    json_decref(signature);
    json_decref(jws);
    return token;
}

static enum jwt_verdict check_text(const char *text, const struct jwks *keys)
{
    struct jwt jwt;
    int64_t until_ms;
    enum jwt_verdict verdict = jwt_read(&jwt, slice_of_string(text));

    if (verdict == JWT_OK) {
        const json_t *key = jwks_find(keys, jwt.key_id, jwt.algorithm);

        verdict = key == NULL                 ? JWT_UNKNOWN_KEY
                  : !jwt_is_signed(&jwt, key) ? JWT_SIGNATURE
                                              : jwt_check(&jwt, "ackd", SKEW_MS, NOW_MS, &until_ms);
    }
    jwt_deinit(&jwt);
    return verdict;
}

static enum jwt_verdict check(const char *header, const char *claims)
{
    char *token = sign(header, claims, the_key());
    struct jwks *keys = keys_of(the_key());
    enum jwt_verdict verdict = check_text(token, keys);

    jwks_release(keys);
    free(token);
    return verdict;
}

static void test_each_algorithm_is_checked_by_a_key_of_its_own_type(void **state)
{
    (void)state;
    for (int made = 0; made < ALGORITHM_COUNT; made += 3) { /* RS, PS, ES */
        json_t *pair = make_key(algorithm_name((enum algorithm)made));
        struct jwks *keys = keys_of(pair);
        char header[64];
        char *token;

        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"k\"}",
                 algorithm_name((enum algorithm)made));
        token = sign(header, CLAIMS(""), pair);
        assert_int_equal(check_text(token, keys), JWT_OK);
        for (int asked = 0; asked < ALGORITHM_COUNT; asked++)
            assert_int_equal(jwks_find(keys, "k", (enum algorithm)asked) != NULL, asked == made);
        free(token);
        jwks_release(keys);
        json_decref(pair);
    }
}

static void test_a_key_that_names_no_algorithm_is_for_all_of_its_type(void **state)
{
    json_t *pair = make_key("RS256");
    struct jwks *keys;

    (void)state;
    assert_int_equal(json_object_del(pair, "alg"), 0);
    keys = keys_of(pair);
    for (int i = 0; i < ALGORITHM_COUNT; i++)
        assert_int_equal(jwks_find(keys, "k", (enum algorithm)i) != NULL, i < ALGORITHM_ES256);
    assert_null(jwks_find(keys, "K", ALGORITHM_RS256));
    jwks_release(keys);
    json_decref(pair);
}

static void test_claims_are_judged_one_by_one(void **state)
{
    static const struct {
        enum jwt_verdict verdict;
        const char *claims;
    } cases[] = {
        {JWT_OK, CLAIMS("")},
        {JWT_OK, CLAIMS(",\"nbf\":1700000059,\"iat\":1700000059.5")},
        {JWT_NO_ISSUER, "{\"sub\":\"s\",\"aud\":\"ackd\",\"exp\":1700000600}"},
        {JWT_NO_ISSUER, "{\"iss\":1}"},
        {JWT_AUDIENCE, "{\"iss\":\"i\",\"sub\":\"s\",\"exp\":1700000600}"},
        {JWT_AUDIENCE, "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":[\"x\"],\"exp\":1700000600}"},
        {JWT_SUBJECT, "{\"iss\":\"i\",\"aud\":\"ackd\",\"exp\":1700000600}"},
        {JWT_SUBJECT, "{\"iss\":\"i\",\"sub\":\"\\u0007\",\"aud\":\"ackd\",\"exp\":1700000600}"},
        {JWT_TIMES, "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"ackd\"}"},
        {JWT_TIMES, "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"ackd\",\"exp\":\"1700000600\"}"},
        {JWT_TIMES, CLAIMS(",\"nbf\":-1")},
        {JWT_TIMES, CLAIMS(",\"iat\":1e12")},
        {JWT_NOT_YET, CLAIMS(",\"nbf\":1700000061")},
        {JWT_NOT_YET, CLAIMS(",\"iat\":1700000061")},
        {JWT_EXPIRED, "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"ackd\",\"exp\":1699999940}"},
        {JWT_OK, "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"ackd\",\"exp\":1699999941}"},
        {JWT_NOT_JSON, "{\"iss\":\"i\",\"iss\":\"j\"}"},
        {JWT_NOT_JSON, "[]"},
        {JWT_NOT_JSON, "{\"iss\":\"i\\u0000\"}"},
        {JWT_NOT_JSON, "{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum jwt_verdict verdict = check(HEADER, cases[i].claims);

        if (verdict != cases[i].verdict)
            fail_msg("%s: %s", cases[i].claims, jwt_sentence(verdict));
    }
}

static void test_headers_are_judged_one_by_one(void **state)
{
    static const struct {
        enum jwt_verdict verdict;
        const char *header;
    } cases[] = {
        {JWT_OK, "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"JWT\",\"jku\":\"https://evil\"}"},
        {JWT_CRITICAL, "{\"alg\":\"ES256\",\"kid\":\"k\",\"crit\":[\"exp\"]}"},
        {JWT_NO_KEY_ID, "{\"alg\":\"ES256\"}"},
        {JWT_NO_KEY_ID, "{\"alg\":\"ES256\",\"kid\":1}"},
        {JWT_UNKNOWN_KEY, "{\"alg\":\"ES256\",\"kid\":\"other\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum jwt_verdict verdict = check(cases[i].header, CLAIMS(""));

        if (verdict != cases[i].verdict)
            fail_msg("%s: %s", cases[i].header, jwt_sentence(verdict));
    }
}

/* A token's text with another header, the signature as it was. */
static enum jwt_verdict check_with_header(const char *header)
{
    struct jwks *keys = keys_of(the_key());
    char *token = sign(HEADER, CLAIMS(""), the_key());
    json_t *other = jose_b64_enc(header, strlen(header));
    enum jwt_verdict verdict;
    char *text = NULL;

    assert_true(asprintf(&text, "%s%s", json_string_value(other), strchr(token, '.')) > 0);
    verdict = check_text(text, keys);
    free(text);
    free(token);
    json_decref(other);
    jwks_release(keys);
    return verdict;
}

static void test_algorithms_that_are_no_signature_by_a_key_pair_are_none(void **state)
{
    static const char *const names[] = {"none", "None", "HS256", "HS512", "ES256K", "EdDSA", ""};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char header[64];

        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"k\"}", names[i]);
        assert_int_equal(check_with_header(header), JWT_NO_ALGORITHM);
    }
    assert_int_equal(check_with_header("{\"kid\":\"k\"}"), JWT_NO_ALGORITHM);
    assert_int_equal(check_with_header("{\"alg\":[],\"kid\":\"k\"}"), JWT_NO_ALGORITHM);
    assert_int_equal(check_with_header("{\"alg\":\"RS256\",\"kid\":\"k\"}"), JWT_UNKNOWN_KEY);
    assert_int_equal(check_with_header("{\"alg\":\"ES384\",\"kid\":\"k\"}"), JWT_UNKNOWN_KEY);
    assert_int_equal(check_with_header("{\"kid\":\"k\",\"alg\":\"ES256\"}"), JWT_SIGNATURE);
}

static void test_any_byte_that_is_altered_spoils_it(void **state)
{
    struct jwks *keys = keys_of(the_key());
    char *token = sign(HEADER, CLAIMS(""), the_key());
    size_t size = strlen(token);

    (void)state;
    for (size_t i = 0; i + 1 < size; i += 3) { /* of the last character some bits do not count */
        char kept = token[i];

        token[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(check_text(token, keys), JWT_OK);
        token[i] = kept;
    }
    assert_int_equal(check_text(token, keys), JWT_OK);
    free(token);
    jwks_release(keys);
}

static void test_a_text_that_is_not_three_parts_is_none(void **state)
{
    static const char *const texts[] = {"",       ".",      "..",      "...",    "a",
                                        "a.b",    "a.b.",   ".b.c",    "a..c",   "a.b.c.d",
                                        "a.b.c=", "a.b .c", "a.b\n.c", "a+b.c.d"};
    struct jwt jwt;
    char *large = calloc(1, JWT_BYTES_MAX + 2);

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(check_text(texts[i], NULL), JWT_NOT_COMPACT);
    assert_int_equal(check_text("a.b.c", NULL), JWT_NOT_JSON);
    assert_non_null(large);
    memset(large, 'a', JWT_BYTES_MAX + 1);
    assert_int_equal(jwt_read(&jwt, slice_of(large, JWT_BYTES_MAX + 1)), JWT_TOO_LARGE);
    jwt_deinit(&jwt);
    assert_int_equal(jwt_read(&jwt, slice_of(large, JWT_BYTES_MAX)), JWT_NOT_COMPACT);
    jwt_deinit(&jwt);
    free(large);
}

static void test_another_key_of_the_same_id_did_not_sign_it(void **state)
{
    json_t *other = make_key("ES256");
    struct jwks *keys = keys_of(other);
    char *token = sign(HEADER, CLAIMS(""), the_key());

    (void)state;
    assert_int_equal(check_text(token, keys), JWT_SIGNATURE);
    free(token);
    jwks_release(keys);
    json_decref(other);
}

/* Whether the key is kept once a member is another; NULL: missing. */
static bool is_kept(const char *member, json_t *value)
{
    json_t *changed = json_copy(the_key());
    struct jwks *keys;
    bool kept;

    if (value == NULL)
        json_object_del(changed, member);
    else
        json_object_set_new(changed, member, value);
    keys = keys_of(changed);
    kept = jwks_count(keys) == 1;
    jwks_release(keys);
    json_decref(changed);
    return kept;
}

/* An RSA key of that many bits; that its number has no two factors is nobody's to find out. */
static bool is_rsa_kept(size_t bits, const char *exponent)
{
    uint8_t number[2048];
    struct jwks *keys;
    json_t *key;
    bool kept;

    assert_true(bits / 8 <= sizeof number);
    memset(number, 0xc1, sizeof number);
    key = json_pack("{ss ss ss so}", "kty", "RSA", "kid", "k", "e", exponent, "n",
                    jose_b64_enc(number, bits / 8));
    keys = keys_of(key);
    kept = jwks_count(keys) == 1;
    jwks_release(keys);
    json_decref(key);
    return kept;
}

static void test_rsa_keys_have_their_bounds(void **state)
{
    (void)state;
    assert_true(is_rsa_kept(2048, "AQAB") && is_rsa_kept(8192, "AQAB") && is_rsa_kept(3072, "Aw"));
    assert_false(is_rsa_kept(1024, "AQAB") || is_rsa_kept(2040, "AQAB"));
    assert_false(is_rsa_kept(8200, "AQAB") || is_rsa_kept(16384, "AQAB"));
    assert_false(is_rsa_kept(2048, "AQ") || is_rsa_kept(2048, "AQAA") || is_rsa_kept(2048, "AA"));
    assert_false(is_rsa_kept(2048, "AQAAAAAAAAAB")); /* 65 bits */
}

static void test_keys_that_can_not_be_used_are_left_out(void **state)
{
    (void)state;
    assert_true(is_kept("use", json_string("sig")));
    assert_false(is_kept("use", json_string("enc")));
    assert_true(is_kept("key_ops", json_pack("[s]", "verify")));
    assert_false(is_kept("key_ops", json_pack("[s]", "sign")));
    assert_false(is_kept("kid", NULL));
    assert_false(is_kept("kid", json_integer(1)));
    assert_false(is_kept("alg", json_integer(1)));
    assert_false(is_kept("kty", json_string("oct")));
    assert_false(is_kept("kty", json_string("RSA")));
    assert_false(is_kept("crv", json_string("P-384")));
    assert_false(is_kept("crv", json_string("secp256k1")));
    assert_false(is_kept("x", json_string("AAAA"))); /* off the curve */
    assert_false(is_kept("y", NULL));
}

static void test_of_a_private_key_only_the_public_numbers_are_kept(void **state)
{
    struct jwks *keys = keys_of(the_key());

    (void)state;
    assert_non_null(json_object_get(the_key(), "d"));
    assert_null(json_object_get(jwks_find(keys, "k", ALGORITHM_ES256), "d"));
    jwks_release(keys);
}

static enum status read_set(const char *text, struct error *error)
{
    struct jwks *keys = NULL;
    enum status status = jwks_read(slice_of_string(text), "URL", &keys, error);

    jwks_release(keys);
    return status;
}

static void test_a_set_without_keys_or_with_too_many_is_refused(void **state)
{
    static const char *const texts[] = {
        "", "{", "[]", "{}", "{\"keys\":1}", "{\"keys\":[]}", "{\"keys\":[1,{}]}"};
    json_t *many = json_array();
    json_t *set = json_pack("{so}", "keys", many);
    struct error error = ERROR_NONE;
    char *text;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(read_set(texts[i], &error), STATUS_INVALID);
        assert_memory_equal(error.message, "URL", 3);
    }
    for (int i = 0; i <= JWKS_KEYS_MAX; i++)
        json_array_append(many, the_key());
    text = json_dumps(set, 0);
    assert_int_equal(read_set(text, &error), STATUS_INVALID);
    assert_int_equal(error.limit, JWKS_KEYS_MAX);
    free(text);
    json_decref(set);
}

/* ---- what is remembered ---- */

static struct secret_hash hash_of(int number)
{
    return secret_hash(slice_of(&number, sizeof number));
}

static bool remembers(struct known *known, int number, int64_t now_ms)
{
    struct secret_hash hash = hash_of(number);
    struct principal *principal = known_find(known, &hash, now_ms);

    principal_release(principal);
    return principal != NULL;
}

static void add(struct known *known, int number, int64_t until_ms, uint64_t age)
{
    struct secret_hash hash = hash_of(number);
    struct principal *principal = principal_new(PRINCIPAL_JWT, "s", NULL, 0);

    known_add(known, &hash, principal, until_ms, age);
    principal_release(principal);
}

static void test_a_caller_is_remembered_until_its_end(void **state)
{
    struct known known;

    (void)state;
    known_init(&known);
    add(&known, 1, 1000, known_age(&known));
    assert_true(remembers(&known, 1, 999));
    assert_false(remembers(&known, 2, 999));
    assert_false(remembers(&known, 1, 1000));
    assert_int_equal(known_count(&known), 0);
    known_deinit(&known);
}

static void test_what_was_checked_before_a_change_is_not_remembered_after_it(void **state)
{
    struct known known;
    uint64_t age;

    (void)state;
    known_init(&known);
    age = known_age(&known);
    add(&known, 1, 1000, age);
    known_forget(&known);
    assert_false(remembers(&known, 1, 0));
    add(&known, 1, 1000, age); /* was under way meanwhile */
    assert_false(remembers(&known, 1, 0));
    add(&known, 1, 1000, known_age(&known));
    assert_true(remembers(&known, 1, 0));
    known_deinit(&known);
}

static void test_the_first_leaves_when_there_are_too_many(void **state)
{
    struct known known;

    (void)state;
    known_init(&known);
    for (int i = 0; i <= KNOWN_MAX; i++)
        add(&known, i, 1000, 0);
    assert_int_equal(known_count(&known), KNOWN_MAX);
    assert_false(remembers(&known, 0, 0));
    assert_true(remembers(&known, 1, 0) && remembers(&known, KNOWN_MAX, 0));
    known_deinit(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_algorithm_is_checked_by_a_key_of_its_own_type),
        cmocka_unit_test(test_a_key_that_names_no_algorithm_is_for_all_of_its_type),
        cmocka_unit_test(test_claims_are_judged_one_by_one),
        cmocka_unit_test(test_headers_are_judged_one_by_one),
        cmocka_unit_test(test_algorithms_that_are_no_signature_by_a_key_pair_are_none),
        cmocka_unit_test(test_any_byte_that_is_altered_spoils_it),
        cmocka_unit_test(test_a_text_that_is_not_three_parts_is_none),
        cmocka_unit_test(test_another_key_of_the_same_id_did_not_sign_it),
        cmocka_unit_test(test_rsa_keys_have_their_bounds),
        cmocka_unit_test(test_keys_that_can_not_be_used_are_left_out),
        cmocka_unit_test(test_of_a_private_key_only_the_public_numbers_are_kept),
        cmocka_unit_test(test_a_set_without_keys_or_with_too_many_is_refused),
        cmocka_unit_test(test_a_caller_is_remembered_until_its_end),
        cmocka_unit_test(test_what_was_checked_before_a_change_is_not_remembered_after_it),
        cmocka_unit_test(test_the_first_leaves_when_there_are_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
