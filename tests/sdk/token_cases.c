/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_cases.c -- the calls about who may call, against a broker that wants to know; run by
 * test_client.py with the operator's token.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client_fixture.h"

static const char *const GRANTS[] = {"publish:ocr-*", "read,work:ocr-*"};

/* A client that shows this secret; its token's file is gone when it has been read. */
static struct ackd_caller *caller_with(const char *secret, enum ackd_status expected)
{
    char path[] = "/tmp/ackd-token-XXXXXX";
    struct ackd_client_options options;
    struct ackd_caller *caller;
    struct ackd_client *other;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, secret, strlen(secret)), (int)strlen(secret));
    close(fd);
    ackd_client_options_init(&options);
    options.token_file = path;
    assert_int_equal(ackd_client_open(&options, &other, &error), ACKD_OK);
    assert_int_equal(ackd_client_whoami(other, &caller, &error), expected);
    ackd_client_close(other);
    unlink(path);
    return caller;
}

static struct ackd_issued_token *make_token(const char *name, int64_t expires_in_ms)
{
    struct ackd_issued_token *issued;

    assert_int_equal(
        ackd_client_create_token(client, name, GRANTS, 2, expires_in_ms, &issued, &error), ACKD_OK);
    return issued;
}

/* Whether the list has it; *ret_token: as it stands there. */
static bool is_listed(const struct ackd_token_list *list, const char *id,
                      struct ackd_token *ret_token)
{
    for (size_t i = 0; i < list->token_count; i++) {
        *ret_token = list->tokens[i];
        if (strcmp(ret_token->id, id) == 0)
            return true;
    }
    return false;
}

static void test_who_calls_is_told_with_its_grants_and_its_end(void **state)
{
    struct ackd_issued_token *issued = make_token("ingest", 3600000);
    struct ackd_caller *caller = caller_with(issued->secret, ACKD_OK);

    assert_int_equal(caller->kind, ACKD_CALLER_TOKEN);
    assert_string_equal(caller->name, "token:ingest");
    assert_int_equal(caller->grant_count, 2);
    assert_string_equal(caller->grants[0], "publish:ocr-*");
    assert_string_equal(caller->grants[1], "work,read:ocr-*");
    assert_int_equal(caller->expires_unix_ms, issued->token.expires_unix_ms);
    assert_true(caller->expires_unix_ms > caller->now_unix_ms);
    assert_string_equal(caller->version, ACKD_VERSION);
    ackd_caller_free(caller);
    ackd_issued_token_free(issued);
}

static void test_the_operators_token_does_not_end(void **state)
{
    struct ackd_caller *caller;

    assert_int_equal(ackd_client_whoami(client, &caller, &error), ACKD_OK);
    assert_int_equal(caller->expires_unix_ms, 0);
    assert_int_equal(caller->grant_count, 1);
    assert_string_equal(caller->grants[0], "admin:*");
    ackd_caller_free(caller);
}

static void test_a_rotated_token_has_two_secrets_and_the_first_ends_sooner(void **state)
{
    struct ackd_issued_token *first = make_token("rotates", 0);
    struct ackd_issued_token *second;
    struct ackd_caller *before;
    struct ackd_caller *after;

    assert_int_equal(ackd_client_rotate_token(client, first->token.id, 600000, &second, &error),
                     ACKD_OK);
    assert_string_equal(second->token.id, first->token.id);
    assert_string_not_equal(second->secret, first->secret);
    assert_true(second->token.previous_until_unix_ms > 0);
    before = caller_with(first->secret, ACKD_OK);
    after = caller_with(second->secret, ACKD_OK);
    assert_int_equal(before->expires_unix_ms, second->token.previous_until_unix_ms);
    assert_int_equal(after->expires_unix_ms, 0);
    assert_string_equal(before->name, after->name);
    assert_int_equal(before->grant_count, 2);
    ackd_caller_free(after);
    ackd_caller_free(before);
    ackd_issued_token_free(second);
    assert_int_equal(ackd_client_rotate_token(client, first->token.id, -1, &second, &error),
                     ACKD_OK);
    assert_in_range(second->token.previous_until_unix_ms - first->token.created_unix_ms, 3600000,
                    3660000);
    assert_null(caller_with(first->secret, ACKD_UNAUTHENTICATED)); /* the older of two ends */
    ackd_issued_token_free(second);
    ackd_issued_token_free(first);
}

static void test_tokens_are_listed_and_revoked(void **state)
{
    struct ackd_issued_token *issued = make_token("short", 60000);
    struct ackd_token_list *list;
    struct ackd_token token;

    assert_int_equal(ackd_client_list_tokens(client, &list, &error), ACKD_OK);
    assert_true(is_listed(list, issued->token.id, &token));
    assert_string_equal(token.name, "short");
    assert_int_equal(token.grant_count, 2);
    assert_string_equal(token.grants[0], GRANTS[0]);
    assert_int_equal(token.expires_unix_ms - token.created_unix_ms, 60000);
    assert_int_equal(token.last_used_unix_ms, 0);
    assert_false(token.from_file);
    ackd_token_list_free(list);
    assert_int_equal(ackd_client_revoke_token(client, issued->token.id, &error), ACKD_OK);
    assert_int_equal(ackd_client_list_tokens(client, &list, &error), ACKD_OK);
    assert_false(is_listed(list, issued->token.id, &token));
    ackd_token_list_free(list);
    assert_null(caller_with(issued->secret, ACKD_UNAUTHENTICATED));
    assert_int_equal(ackd_client_revoke_token(client, issued->token.id, &error), ACKD_NOT_FOUND);
    ackd_issued_token_free(issued);
}

static void test_what_is_wrong_with_a_new_token_is_named(void **state)
{
    static const char *const wrong[] = {"everything:*"};
    struct ackd_issued_token *issued;

    assert_int_equal(ackd_client_create_token(client, "", GRANTS, 2, 0, &issued, &error),
                     ACKD_INVALID);
    assert_string_equal(error.field, "name");
    assert_null(issued);
    assert_int_equal(ackd_client_create_token(client, "n", wrong, 1, 0, &issued, &error),
                     ACKD_INVALID);
    assert_int_equal(ackd_client_create_token(client, "n", GRANTS, 0, 0, &issued, &error),
                     ACKD_INVALID);
    assert_string_equal(error.field, "grants");
    assert_int_equal(ackd_client_create_token(client, "n", GRANTS, 1, 1, &issued, &error),
                     ACKD_INVALID);
    assert_string_equal(error.field, "expires_in_ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_calls_is_told_with_its_grants_and_its_end),
        cmocka_unit_test(test_the_operators_token_does_not_end),
        cmocka_unit_test(test_a_rotated_token_has_two_secrets_and_the_first_ends_sooner),
        cmocka_unit_test(test_tokens_are_listed_and_revoked),
        cmocka_unit_test(test_what_is_wrong_with_a_new_token_is_named),
    };

    return cmocka_run_group_tests_name("token", tests, open_client, close_client);
}
