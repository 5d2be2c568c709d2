/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_traceparent.c -- what W3C Trace Context counts as a traceparent, and what not.
 */
#include "base/traceparent.h"
#include "support/check.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void test_a_well_formed_one_tells_its_trace(void **state)
{
    static const char *const texts[] = {
        "00-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-00",
        "cc-" TRACE "-" PARENT "-01",
        "cc-" TRACE "-" PARENT "-01-what-the-future-brings",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(traceparent_trace_id(slice_of_string(texts[i])).text, TRACE);
}

static void test_anything_else_is_none(void **state)
{
    static const char *const texts[] = {
        "",
        "00",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-0g",
        "00-" TRACE "-" PARENT "-01-more",
        "00-" TRACE "-" PARENT "-01 ",
        "0-" TRACE "-" PARENT "-011",
        "ff-" TRACE "-" PARENT "-01",
        "cc-" TRACE "-" PARENT "-01.more",
        "cc-" TRACE "-" PARENT "-01-mo\nre",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00_" TRACE "_" PARENT "_01",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(traceparent_is_valid(slice_of_string(texts[i])));
        assert_string_equal(traceparent_trace_id(slice_of_string(texts[i])).text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_well_formed_one_tells_its_trace),
        cmocka_unit_test(test_anything_else_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
