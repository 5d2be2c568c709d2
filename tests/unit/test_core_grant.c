/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_grant.c -- who may do what on which queues.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h wants those before it. */
#include <cmocka.h>

#include "core/grant.h"

static struct scope scope_of(const char *text, uint8_t rights, struct grant *grant)
{
    assert_true(grant_read(slice_of_string(text), grant));
    return (struct scope){grant, 1, rights};
}

static bool covers(const char *text, uint8_t rights, const char *queue)
{
    struct grant grant;
    struct scope scope = scope_of(text, rights, &grant);

    return scope_covers(&scope, slice_of_string(queue));
}

static void test_a_pattern_matches_what_it_should_and_no_more(void **state)
{
    static const struct {
        const char *pattern;
        const char *name;
        bool matches;
    } cases[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a", "ab", false},
        {"a", "", false},
        {"*", "", true},
        {"*", "anything", true},
        {"a*", "a", true},
        {"a*", "abc", true},
        {"a*", "ba", false},
        {"*a", "a", true},
        {"*a", "bca", true},
        {"*a", "ab", false},
        {"a*b", "ab", true},
        {"a*b", "acccb", true},
        {"a*b", "acccbd", false},
        {"a*b*c", "abc", true},
        {"a*b*c", "axbxbxc", true},
        {"a*b*c", "acb", false},
        {"**", "x", true},
        {"a**b", "ab", true},
        {"a.b", "axb", false},
        {"ocr-*", "ocr", false},
        {"ocr-*", "ocr-", true},
        {"*x*", "axb", true},
        {"*aab", "aaaaaab", true},
        {"*aab", "aaaaaac", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64] = "read:";

        strcat(text, cases[i].pattern);
        if (covers(text, RIGHT_READ, cases[i].name) != cases[i].matches)
            fail_msg("%s on \"%s\"", cases[i].pattern, cases[i].name);
    }
}

static void test_a_hard_pattern_takes_no_long_time(void **state)
{
    (void)state;
    assert_false(
        covers("read:*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", RIGHT_READ,
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void test_admin_includes_the_other_rights_and_no_other_does(void **state)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } rights[] = {{"publish", RIGHT_PUBLISH},
                  {"work", RIGHT_WORK},
                  {"read", RIGHT_READ},
                  {"admin", RIGHT_ADMIN}};

    (void)state;
    for (size_t given = 0; given < 4; given++) {
        for (size_t needed = 0; needed < 4; needed++) {
            char text[32];

            strcat(strcpy(text, rights[given].name), ":q");
            assert_int_equal(covers(text, rights[needed].bit, "q"), given == needed || given == 3);
        }
    }
}

static void test_the_whole_broker_takes_all_queues(void **state)
{
    struct grant grant;
    struct scope some = scope_of("read:a*", RIGHT_READ, &grant);

    (void)state;
    assert_false(scope_covers_all(&some));
    assert_true(scope_covers_some(&some));
    some.rights = RIGHT_WORK;
    assert_false(scope_covers_some(&some));
    some = scope_of("read:*", RIGHT_READ, &grant);
    assert_true(scope_covers_all(&some));
    some.count = 0;
    assert_false(scope_covers_all(&some) || scope_covers_some(&some));
    assert_true(scope_covers_all(NULL) && scope_covers(NULL, slice_of_string("q")));
}

static void test_a_grant_is_written_as_it_was_read(void **state)
{
    static const char *const texts[] = {"read:a", "publish,work:ocr-*", "admin:*",
                                        "publish,work,read,admin:a.b_c-*"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[GRANT_TEXT_BYTES_MAX];
        struct grant grant;

        assert_true(grant_read(slice_of_string(texts[i]), &grant));
        grant_write(&grant, text);
        assert_string_equal(text, texts[i]);
    }
}

static void test_what_is_no_grant_is_refused(void **state)
{
    static const char *const texts[] = {"",        "read",     ":",       "read:",  ":a",
                                        "read,:a", ",read:a",  "write:a", "read:A", "read:a b",
                                        "READ:a",  "read:a:b", "read: a"};
    struct grant grant;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (grant_read(slice_of_string(texts[i]), &grant))
            fail_msg("%s", texts[i]);
    assert_false(grant_read(slice_of("read:a\0b", 8), &grant));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pattern_matches_what_it_should_and_no_more),
        cmocka_unit_test(test_a_hard_pattern_takes_no_long_time),
        cmocka_unit_test(test_admin_includes_the_other_rights_and_no_other_does),
        cmocka_unit_test(test_the_whole_broker_takes_all_queues),
        cmocka_unit_test(test_a_grant_is_written_as_it_was_read),
        cmocka_unit_test(test_what_is_no_grant_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
