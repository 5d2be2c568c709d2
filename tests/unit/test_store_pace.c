/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_pace.c -- a copy keeps its pace, hurries when that costs too much, and gives up in
 * time.
 */
#include "store/lmdb/pace.h"
#include "support/check.h"

#define MIB (UINT64_C(1) << 20)
#define S INT64_C(1000000000)

static void test_a_copy_waits_until_its_pace_has_come_so_far(void **state)
{
    struct pace pace = pace_of(10 * MIB, 100 * MIB, 1000 * MIB);

    (void)state;
    assert_int_equal(pace_wait_ns(&pace, 10 * MIB, 0, 0), S);
    assert_int_equal(pace_wait_ns(&pace, 10 * MIB, 0, S / 4), 3 * S / 4);
    assert_int_equal(pace_wait_ns(&pace, 10 * MIB, 0, 2 * S), 0);
}

static void test_without_a_rate_a_copy_never_waits(void **state)
{
    struct pace pace = pace_of(0, 100 * MIB, 1000 * MIB);

    (void)state;
    assert_int_equal(pace_wait_ns(&pace, 100 * MIB, 0, 0), 0);
}

static void test_a_copy_hurries_once_the_store_has_grown_by_a_quarter_of_it(void **state)
{
    struct pace pace = pace_of(MIB, 100 * MIB, 1000 * MIB);

    (void)state;
    assert_int_equal(pace_wait_ns(&pace, MIB, 24 * MIB, 0), S);
    assert_int_equal(pace_wait_ns(&pace, MIB, 25 * MIB, 0), 0);
}

static void test_with_little_room_a_copy_hurries_before_it_gives_up(void **state)
{
    struct pace pace = pace_of(MIB, 100 * MIB, 16 * MIB);

    (void)state;
    assert_int_equal(pace_wait_ns(&pace, MIB, 1 * MIB, 0), S);
    assert_int_equal(pace_wait_ns(&pace, MIB, 2 * MIB, 0), 0);
    assert_false(pace_gives_up(&pace, 4 * MIB));
    assert_true(pace_gives_up(&pace, 4 * MIB + 4096));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_waits_until_its_pace_has_come_so_far),
        cmocka_unit_test(test_without_a_rate_a_copy_never_waits),
        cmocka_unit_test(test_a_copy_hurries_once_the_store_has_grown_by_a_quarter_of_it),
        cmocka_unit_test(test_with_little_room_a_copy_hurries_before_it_gives_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
