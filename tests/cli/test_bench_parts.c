/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bench_parts.c -- the load generator's arithmetic: percentiles, medians, and protobuf by
 * hand.
 */
#include <math.h>

#include "check.h"
#include "cli/bench/figures.h"
#include "cli/bench/histogram.h"
#include "cli/bench/wire.h"

static void test_percentiles_are_within_a_bucket_of_the_truth(void **state)
{
    static struct histogram histogram;

    (void)state;
    for (int64_t ns = 1; ns <= 1000000; ns++)
        histogram_add(&histogram, ns);
    assert_int_equal(histogram.count, 1000000);
    for (double part = 0.001; part < 1; part += 0.007) {
        double truth = part * 1e6;
        double found = (double)histogram_percentile_ns(&histogram, part);

        assert_true(found >= truth - 1 && found <= truth * 1.016 + 1);
    }
    assert_int_equal(histogram_percentile_ns(&histogram, 1), 1000000);
    histogram_clear(&histogram);
    assert_int_equal(histogram_percentile_ns(&histogram, 0.5), 0);
}

static void test_one_slow_request_among_many_is_the_worst_and_not_the_median(void **state)
{
    static struct histogram histogram;

    (void)state;
    for (int i = 0; i < 999; i++)
        histogram_add(&histogram, 100);
    histogram_add(&histogram, INT64_C(5000000000));
    assert_int_equal(histogram_percentile_ns(&histogram, 0.5), 100);
    assert_int_equal(histogram_percentile_ns(&histogram, 0.999), 100);
    assert_int_equal(histogram_percentile_ns(&histogram, 0.9999), INT64_C(5000000000));
    assert_int_equal(histogram.max_ns, INT64_C(5000000000));
}

static void test_any_duration_has_a_bucket(void **state)
{
    static const int64_t durations[] = {-1, 0, 1, 63, 64, 65, 127, 128, INT64_MAX - 1, INT64_MAX};
    static struct histogram histogram;

    (void)state;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        histogram_clear(&histogram);
        histogram_add(&histogram, durations[i]);
        assert_int_equal(histogram_percentile_ns(&histogram, 1),
                         durations[i] < 0 ? 0 : durations[i]);
    }
}

static void test_the_median_of_rounds_is_of_those_that_have_the_figure(void **state)
{
    struct figures rounds[4] = {0};
    struct figures median;

    (void)state;
    figures_set(&rounds[0], FIGURE_RATE, 5);
    figures_set(&rounds[1], FIGURE_RATE, 100);
    figures_set(&rounds[2], FIGURE_RATE, 7);
    figures_median(&median, rounds, 4);
    assert_true(fabs(figures_get(&median, FIGURE_RATE) - 7) < 1e-9);
    assert_false(median.all[FIGURE_DISK].known);
    figures_set(&rounds[3], FIGURE_RATE, 9);
    figures_median(&median, rounds, 4);
    assert_true(fabs(figures_get(&median, FIGURE_RATE) - 8) < 1e-9);
}

static void test_fields_come_in_their_order_with_their_values(void **state)
{
    /* 1: 300; 2: "ab"; 3: fixed32; 4: fixed64; 16: 1 */
    static const uint8_t bytes[] = {0x08, 0xAC, 0x02, 0x12, 2, 'a', 'b', 0x1D, 1, 2,    3, 4,
                                    0x21, 1,    2,    3,    4, 5,   6,   7,    8, 0x80, 1, 1};
    struct slice message = slice_of(bytes, sizeof bytes);
    struct wire_field field;

    (void)state;
    assert_true(wire_next(&message, &field));
    assert_int_equal(field.number, 1);
    assert_int_equal(field.value, 300);
    assert_true(wire_next(&message, &field));
    assert_int_equal(field.number, 2);
    assert_true(slice_equal(field.bytes, slice_of_string("ab")));
    assert_true(wire_next(&message, &field));
    assert_int_equal(field.bytes.size, 4);
    assert_true(wire_next(&message, &field));
    assert_int_equal(field.bytes.size, 8);
    assert_true(wire_next(&message, &field));
    assert_int_equal(field.number, 16);
    assert_false(wire_next(&message, &field));
    assert_false(wire_is_broken(message));
    assert_int_equal(wire_number(slice_of(bytes, sizeof bytes), 16), 1);
    assert_int_equal(wire_number(slice_of(bytes, sizeof bytes), 5), 0);
}

static void test_a_message_cut_anywhere_within_a_field_is_broken(void **state)
{
    static const uint8_t bytes[] = {0x12, 3, 'a', 'b', 'c'};

    (void)state;
    for (size_t size = 1; size < sizeof bytes; size++) {
        struct slice message = slice_of(bytes, size);
        struct wire_field field;

        while (wire_next(&message, &field))
            continue;
        assert_true(wire_is_broken(message));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles_are_within_a_bucket_of_the_truth),
        cmocka_unit_test(test_one_slow_request_among_many_is_the_worst_and_not_the_median),
        cmocka_unit_test(test_any_duration_has_a_bucket),
        cmocka_unit_test(test_the_median_of_rounds_is_of_those_that_have_the_figure),
        cmocka_unit_test(test_fields_come_in_their_order_with_their_values),
        cmocka_unit_test(test_a_message_cut_anywhere_within_a_field_is_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
