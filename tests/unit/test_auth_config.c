/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_auth_config.c -- the file of --auth-config: what is taken, and what is refused where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h wants those before it. */
#include <cmocka.h>

#include "auth/auth_config.h"

#define SUBJECTS "\"subjects\":[{\"subject\":\"*\",\"grants\":[\"read:a\"]}]"
#define ISSUER(more)                                                                               \
    "{\"issuers\":[{\"issuer\":\"i\",\"audience\":\"a\",\"jwks_url\":\"https://i/k\"," SUBJECTS    \
    "" more "}]}"
#define SOURCE(source)                                                                             \
    "{\"issuers\":[{\"issuer\":\"i\",\"audience\":\"a\"," SUBJECTS "," source "}]}"
#define CERTIFICATE(members) "{\"certificates\":[{" members "}]}"

static enum status read(const char *text, struct auth_config **ret_config, struct error *error)
{
    *error = ERROR_NONE;
    return auth_config_read(slice_of_string(text), "auth.json", ret_config, error);
}

static struct auth_config *accept(const char *text)
{
    struct auth_config *config = NULL;
    struct error error;

    if (read(text, &config, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return config;
}

static void test_what_is_not_said_has_its_default(void **state)
{
    struct auth_config *config = accept(ISSUER(""));
    const struct issuer *issuer = auth_config_issuer(config, "i");

    (void)state;
    assert_non_null(issuer);
    assert_null(auth_config_issuer(config, "I"));
    assert_string_equal(issuer->jwks_url, "https://i/k");
    assert_null(issuer->jwks_file);
    assert_null(issuer->ca_file);
    assert_int_equal(issuer->algorithms, 1u << ALGORITHM_RS256 | 1u << ALGORITHM_ES256);
    assert_int_equal(issuer->clock_skew_ms, 60000);
    assert_int_equal(issuer->refresh_ms, 300000);
    auth_config_free(config);
}

static void test_what_is_said_is_taken(void **state)
{
    struct auth_config *config =
        accept(ISSUER(",\"ca_file\":\"/ca\",\"token_file\":\"/token\",\"clock_skew_s\":0,"
                      "\"refresh_s\":7,\"algorithms\":[\"PS512\"]"));
    const struct issuer *issuer = &config->issuers[0];

    (void)state;
    assert_string_equal(issuer->ca_file, "/ca");
    assert_string_equal(issuer->token_file, "/token");
    assert_int_equal(issuer->clock_skew_ms, 0);
    assert_int_equal(issuer->refresh_ms, 7000);
    assert_int_equal(issuer->algorithms, 1u << ALGORITHM_PS512);
    auth_config_free(config);
}

static void test_grants_of_all_patterns_that_match_add_up(void **state)
{
    struct auth_config *config =
        accept("{\"certificates\":[{\"san\":\"DNS:*\",\"grants\":[\"read:a\",\"work:b\"]},"
               "{\"san\":\"*:w.example\",\"grants\":[\"publish:c\"]},"
               "{\"san\":\"URI:*\",\"grants\":[\"admin:*\"]}]}");
    const struct mappings *mappings = &config->certificates;
    struct grant grants[4];

    (void)state;
    assert_int_equal(mappings_grants(mappings, slice_of_string("DNS:w.example"), NULL), 3);
    assert_int_equal(mappings_grants(mappings, slice_of_string("DNS:w.example"), grants), 3);
    assert_string_equal(grants[0].pattern, "a");
    assert_string_equal(grants[2].pattern, "c");
    assert_int_equal(mappings_grants(mappings, slice_of_string("dns:w.example"), NULL), 1);
    assert_int_equal(mappings_grants(mappings, slice_of_string("email:x"), NULL), 0);
    auth_config_free(config);
}

static void test_a_mistake_is_refused_where_it_stands(void **state)
{
    static const struct {
        const char *said; /* in the sentence */
        const char *text;
    } cases[] = {
        {"auth.json can't be read: ", ""},
        {"can't be read: ", "{\"issuers\": [}"},
        {"it is no JSON object", "[]"},
        {"auth.json: it names neither", "{}"},
        {"auth.json: \"issuer\" has no meaning", "{\"issuer\":[]}"},
        {"can't be read: line 1: duplicate", "{\"issuers\":[],\"issuers\":[]}"},
        {"issuers: it must be an array of 1 to 16", "{\"issuers\":{}}"},
        {"issuers: it must be an array of 1 to 16", "{\"issuers\":[]}"},
        {"issuers[0]: it must be an object", "{\"issuers\":[1]}"},
        {"issuers[0].issuer: it is missing", "{\"issuers\":[{}]}"},
        {"issuers[0].issuer: it must be a text of 1 to 255 bytes",
         "{\"issuers\":[{\"issuer\":\"\"}]}"},
        {"issuers[0].audience: it is missing", "{\"issuers\":[{\"issuer\":\"i\"}]}"},
        {"issuers[0].jwks_file: there must be", SOURCE("\"clock_skew_s\":1")},
        {"issuers[0].jwks_url: there must be",
         SOURCE("\"jwks_file\":\"/f\",\"jwks_url\":\"https://i\"")},
        {"issuers[0]: \"ca_file\" has no meaning",
         SOURCE("\"jwks_file\":\"/f\",\"ca_file\":\"/c\"")},
        {"issuers[0].jwks_url: it must be an https", SOURCE("\"jwks_url\":\"http://i/k\"")},
        {"issuers[0].algorithms: [1] must be one of RS256",
         ISSUER(",\"algorithms\":[\"RS256\",\"HS256\"]")},
        {"issuers[0].algorithms: [0] must be one of", ISSUER(",\"algorithms\":[\"none\"]")},
        {"issuers[0].algorithms: it must be an array", ISSUER(",\"algorithms\":[]")},
        {"issuers[0].clock_skew_s: it must be a whole number of 0 to 600",
         ISSUER(",\"clock_skew_s\":601")},
        {"issuers[0].clock_skew_s: it must", ISSUER(",\"clock_skew_s\":\"60\"")},
        {"issuers[0].refresh_s: it must be a whole number of 1 to 86400",
         ISSUER(",\"refresh_s\":0")},
        {"issuers[0].refresh_s: it must", ISSUER(",\"refresh_s\":1.5")},
        {"issuers[0]: \"algorithm\" has no meaning", ISSUER(",\"algorithm\":[]")},
        {"certificates[0].san: it is missing", CERTIFICATE("")},
        {"certificates[0].grants: it must be an array of 1 to 64", CERTIFICATE("\"san\":\"x\"")},
        {"certificates[0].grants: it must", CERTIFICATE("\"san\":\"x\",\"grants\":[]")},
        {"certificates[0].grants: [1] is no grant",
         CERTIFICATE("\"san\":\"x\",\"grants\":[\"read:a\",\"read\"]")},
        {"certificates[0].grants: [0] is no grant", CERTIFICATE("\"san\":\"x\",\"grants\":[7]")},
        {"certificates[0]: \"subject\" has no meaning",
         CERTIFICATE("\"subject\":\"x\",\"grants\":[\"read:a\"]")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct auth_config *config = NULL;
        struct error error;

        assert_int_equal(read(cases[i].text, &config, &error), STATUS_INVALID);
        assert_null(config);
        if (strncmp(error.message, "auth.json", 9) != 0 ||
            strstr(error.message, cases[i].said) == NULL)
            fail_msg("\"%s\" of %s", error.message, cases[i].text);
    }
}

static void test_an_issuer_is_named_once(void **state)
{
    struct auth_config *config = NULL;
    struct error error;

    (void)state;
    assert_int_equal(
        read("{\"issuers\":[{\"issuer\":\"i\",\"audience\":\"a\",\"jwks_file\":\"/f\"," SUBJECTS
             "},{\"issuer\":\"i\",\"audience\":\"b\",\"jwks_file\":\"/f\"," SUBJECTS "}]}",
             &config, &error),
        STATUS_INVALID);
    assert_non_null(strstr(error.message, "issuers[1].issuer"));
    assert_string_equal(error.field, "issuers[1].issuer");
}

static bool is_url_taken(const char *url)
{
    struct auth_config *config = NULL;
    struct error error;
    char text[400];
    bool taken;

    snprintf(text, sizeof text, SOURCE("\"jwks_url\":\"%s\""), url);
    taken = read(text, &config, &error) == STATUS_OK;
    auth_config_free(config);
    return taken;
}

static void test_keys_come_by_https_or_from_this_machine(void **state)
{
    static const char *const taken[] = {"https://i",         "https://i:1/k?v=1",
                                        "http://127.0.0.1",  "http://127.0.0.1:80/k",
                                        "http://[::1]:80/k", "http://localhost/k"};
    static const char *const refused[] = {"",
                                          "https://",
                                          "i",
                                          "/k",
                                          "http://i",
                                          "http://127.0.0.1.evil/k",
                                          "file:///k",
                                          "http://localhost.evil",
                                          "http://localhost@evil/k",
                                          "ftp://i",
                                          "https://user:pw@i/k",
                                          "https://i/a b",
                                          "HTTP://i",
                                          "http://127.0.0.1?x",
                                          "http://127.0.0.1#x"};

    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!is_url_taken(taken[i]))
            fail_msg("%s", taken[i]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (is_url_taken(refused[i]))
            fail_msg("%s", refused[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_said_has_its_default),
        cmocka_unit_test(test_what_is_said_is_taken),
        cmocka_unit_test(test_grants_of_all_patterns_that_match_add_up),
        cmocka_unit_test(test_a_mistake_is_refused_where_it_stands),
        cmocka_unit_test(test_an_issuer_is_named_once),
        cmocka_unit_test(test_keys_come_by_https_or_from_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
