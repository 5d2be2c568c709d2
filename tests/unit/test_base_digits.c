/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_digits.c -- numbers as text, held against printf's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digits.h"
#include "support/check.h"

/* Around every power of two and of ten. */
static uint64_t number_at(size_t i)
{
    static const uint64_t offsets[] = {0, 1, UINT64_MAX};
    uint64_t tens = 1;

    if (i < 64 * 3)
        return (UINT64_C(1) << i / 3) + offsets[i % 3];
    for (size_t k = 64 * 3; k + 3 <= i; k += 3)
        tens *= 10;
    return tens + offsets[i % 3];
}
#define NUMBERS (64 * 3 + 20 * 3)

static void test_decimals_are_what_printf_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        char text[DIGITS_10_MAX + 1];
        char expected[32];

        *digits_write_10(number_at(i), text) = '\0';
        snprintf(expected, sizeof expected, "%" PRIu64, number_at(i));
        assert_string_equal(text, expected);
    }
}

static void test_base_36_is_what_strtoull_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        char text[DIGITS_36_MAX + 1];

        *digits_write_36(number_at(i), text) = '\0';
        assert_int_equal(strtoull(text, NULL, 36), number_at(i));
        assert_true(number_at(i) == 0 || text[0] != '0');
    }
}

static void test_hexadecimals_have_sixteen_digits_and_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        char text[DIGITS_16 + 1];
        char expected[32];
        uint64_t back = 77;

        *digits_write_16(number_at(i), text) = '\0';
        snprintf(expected, sizeof expected, "%016" PRIx64, number_at(i));
        assert_string_equal(text, expected);
        assert_true(digits_read_16(slice_of_string(text), &back));
        assert_int_equal(back, number_at(i));
    }
}

static void test_a_hexadecimal_has_one_text(void **state)
{
    static const char *const others[] = {
        "",
        "1",
        "000000000000001",
        "00000000000000001",
        "00000000000000AB",
        "00000000000000g0",
        " 000000000000001",
        "0x00000000000001",
        "-000000000000001",
        "000000000000000:",
        "000000000000000/",
        "000000000000000`",
    };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (digits_read_16(slice_of_string(others[i]), &value))
            fail_msg("\"%s\" was taken", others[i]);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_decimals_are_what_printf_writes),
        cmocka_unit_test(test_base_36_is_what_strtoull_reads),
        cmocka_unit_test(test_hexadecimals_have_sixteen_digits_and_come_back),
        cmocka_unit_test(test_a_hexadecimal_has_one_text),
    };

    return cmocka_run_group_tests_name("digits", cases, NULL, NULL);
}
