/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_status.c -- the status table against the contract (proto/ackd/v1/common.proto), and
 * errors as sentences.
 */
#include <stdio.h>
#include <string.h>

#include "ackd/v1/common.pb-c.h"
#include "base/slice.h"
#include "base/status.h"
#include "support/check.h"

static const ProtobufCEnumDescriptor *const contract = &ackd__v1__status__descriptor;

static void test_the_table_and_the_contract_have_the_same_names_and_numbers(void **state)
{
    (void)state;
    assert_int_equal(contract->n_values, STATUS_COUNT);
    for (int number = 0; number < STATUS_COUNT; number++) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(contract, number);
        char name[64];

        assert_non_null(value);
        (void)snprintf(name, sizeof name, "STATUS_%s", status_name((enum status)number));
        assert_string_equal(name, value->name);
    }
}

/* https://connectrpc.com/docs/protocol, error codes; grpc/grpc doc/statuscodes.md */
static const struct {
    const char *connect;
    int http;
    int grpc;
} codes[] = {
    {"ok", 200, 0},
    {"canceled", 499, 1},
    {"invalid_argument", 400, 3},
    {"deadline_exceeded", 504, 4},
    {"not_found", 404, 5},
    {"already_exists", 409, 6},
    {"permission_denied", 403, 7},
    {"resource_exhausted", 429, 8},
    {"failed_precondition", 400, 9},
    {"unimplemented", 404, 12}, /* Connect itself has 501, and reads 404 as this code */
    {"internal", 500, 13},
    {"unavailable", 503, 14},
    {"data_loss", 500, 15},
    {"unauthenticated", 401, 16},
};

static void test_codes_are_those_of_connect_and_grpc(void **state)
{
    (void)state;
    for (int number = 0; number < STATUS_COUNT; number++) {
        enum status status = (enum status)number;
        bool own_http = status == STATUS_TOO_LARGE || status == STATUS_WRONG_METHOD;
        bool known = false;

        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
            if (strcmp(codes[i].connect, status_connect_code(status)) != 0)
                continue;
            known = true;
            assert_int_equal(status_grpc(status), codes[i].grpc);
            if (!own_http)
                assert_int_equal(status_http(status), codes[i].http);
        }
        if (!known)
            fail_msg("%s has an unknown code", status_name(status));
    }
    assert_int_equal(status_http(STATUS_TOO_LARGE), 413);
    assert_int_equal(status_http(STATUS_WRONG_METHOD), 405);
}

static void test_every_status_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < STATUS_COUNT; a++) {
        const char *sentence = status_sentence((enum status)a);

        assert_true(strlen(sentence) > 3);
        assert_true(sentence[strlen(sentence) - 1] != '.');
        for (int b = 0; b < a; b++)
            assert_string_not_equal(sentence, status_sentence((enum status)b));
    }
}

static void test_only_what_may_pass_by_itself_is_retryable(void **state)
{
    (void)state;
    assert_true(status_is_retryable(STATUS_UNAVAILABLE));
    assert_true(status_is_retryable(STATUS_STORE_FULL));
    assert_true(status_is_retryable(STATUS_TIMEOUT));
    assert_false(status_is_retryable(STATUS_OK));
    assert_false(status_is_retryable(STATUS_LEASE_LOST));
    assert_false(status_is_retryable(STATUS_DUPLICATE));
    assert_false(status_is_retryable(STATUS_INVALID));
}

static void test_numbers_from_outside_are_checked(void **state)
{
    enum status status = STATUS_INTERNAL;

    (void)state;
    assert_true(status_from_number(9, &status));
    assert_int_equal(status, STATUS_LEASE_LOST);
    assert_false(status_from_number(-1, &status));
    assert_false(status_from_number(STATUS_COUNT, &status));
    assert_false(status_from_number(INT32_MAX, &status));
    assert_int_equal(status, STATUS_LEASE_LOST);
    assert_string_equal(status_name((enum status)4711), "UNKNOWN");
    assert_int_equal(status_http((enum status)4711), 500);
}

static void test_an_error_says_what_where_and_how_much(void **state)
{
    struct error error = {.field = "old", .limit = 9};

    (void)state;
    assert_int_equal(error_set(&error, STATUS_INVALID, "queue %s is odd", "x"), STATUS_INVALID);
    assert_string_equal(error.message, "queue x is odd");
    assert_string_equal(error.field, "");
    assert_int_equal(error.limit, 0);
    assert_int_equal(error_limit(&error, STATUS_TOO_LARGE, "tasks[3].payload", 10, 11, "%d", 5),
                     STATUS_TOO_LARGE);
    assert_int_equal(error.status, STATUS_TOO_LARGE);
    assert_string_equal(error.field, "tasks[3].payload");
    assert_int_equal(error.limit, 10);
    assert_int_equal(error.value, 11);
    assert_string_equal(error.message, "5");
}

static void test_without_a_message_an_error_says_its_status_sentence(void **state)
{
    struct error error;

    (void)state;
    (void)error_set(&error, STATUS_LEASE_LOST, NULL);
    assert_string_equal(error.message, status_sentence(STATUS_LEASE_LOST));
    (void)error_limit(&error, STATUS_TOO_LARGE, NULL, 1, 2, NULL);
    assert_string_equal(error.message, status_sentence(STATUS_TOO_LARGE));
    assert_string_equal(error.field, "");
}

static void test_an_errors_texts_are_utf8_whatever_is_quoted_and_wherever_they_are_cut(void **state)
{
    struct error error;
    char many[1000] = "";

    (void)state;
    (void)error_set(&error, STATUS_INVALID, "bad \xff name \xc3(");
    assert_string_equal(error.message, "bad ? name ?(");
    for (size_t shift = 0; shift < 4; shift++) {
        memset(many, 'a', shift);
        for (size_t i = shift; i + 3 < sizeof many; i += 3)
            memcpy(many + i, "\xe2\x82\xac", 4);
        (void)error_limit(&error, STATUS_INVALID, many, 1, 2, "%s", many);
        assert_int_equal(strlen(error.message), sizeof error.message - 1);
        assert_true(utf8_is_valid(slice_of_string(error.message)));
        assert_true(utf8_is_valid(slice_of_string(error.field)));
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_the_table_and_the_contract_have_the_same_names_and_numbers),
        cmocka_unit_test(test_codes_are_those_of_connect_and_grpc),
        cmocka_unit_test(test_every_status_has_a_sentence_of_its_own),
        cmocka_unit_test(test_only_what_may_pass_by_itself_is_retryable),
        cmocka_unit_test(test_numbers_from_outside_are_checked),
        cmocka_unit_test(test_an_error_says_what_where_and_how_much),
        cmocka_unit_test(test_without_a_message_an_error_says_its_status_sentence),
        cmocka_unit_test(
            test_an_errors_texts_are_utf8_whatever_is_quoted_and_wherever_they_are_cut),
    };

    return cmocka_run_group_tests_name("status", cases, NULL, NULL);
}
