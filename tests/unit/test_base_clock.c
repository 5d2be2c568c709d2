/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_clock.c -- base/clock.h. That setting the machine's clock changes nothing can't be
 * tested without setting it; that both clocks agree and time never goes back can.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "support/check.h"

static void test_the_clock_starts_at_the_wall_clock_and_never_goes_back(void **state)
{
    struct clock clock = clock_real();
    int64_t last_ms = clock_now_ms(&clock);

    (void)state;
    assert_true(llabs(last_ms - clock_wall_ms()) < 60000);
    for (int i = 0; i < 100000; i++) {
        int64_t now_ms = clock_now_ms(&clock);

        assert_true(now_ms >= last_ms);
        last_ms = now_ms;
    }
}

static int64_t fixed_now(void *context)
{
    return *(int64_t *)context;
}

static void test_a_clock_of_ones_own_says_what_it_is_told(void **state)
{
    int64_t now_ms = 5;
    struct clock clock = {.now_ms = fixed_now, .context = &now_ms};

    (void)state;
    assert_int_equal(clock_now_ms(&clock), 5);
    now_ms = 7;
    assert_int_equal(clock_now_ms(&clock), 7);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_the_clock_starts_at_the_wall_clock_and_never_goes_back),
        cmocka_unit_test(test_a_clock_of_ones_own_says_what_it_is_told),
    };

    return cmocka_run_group_tests_name("clock", cases, NULL, NULL);
}
