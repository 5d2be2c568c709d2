/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_gather.c -- shard/gather.h: who is waited for, how long, and who no more.
 */
#include "shard/gather.h"
#include "support/check.h"

enum { COMMIT_NS = 300000 };

/* What the batch after one that answered `answered` calls waits for; 0: nothing. */
static size_t wanted_after(struct gather *gather, size_t answered, size_t waiting)
{
    size_t calls;
    int64_t most_ns;

    gather_batch_ended(gather, answered, waiting, COMMIT_NS);
    if (!gather_wants(gather, &calls, &most_ns))
        return 0;
    assert_in_range(most_ns, 1, COMMIT_NS);
    return calls;
}

static void test_a_lone_caller_never_waits(void **state)
{
    struct gather gather = {0};

    (void)state;
    assert_int_equal(wanted_after(&gather, 1, 0), 0);
    assert_int_equal(wanted_after(&gather, 0, 5), 0);
}

static void test_two_groups_that_take_turns_become_one(void **state)
{
    struct gather gather = {0};

    (void)state;
    assert_int_equal(wanted_after(&gather, 2, 2), 4);
    gather_waited(&gather, 4);
    assert_int_equal(wanted_after(&gather, 4, 0), 4);
    gather_waited(&gather, 4);
    assert_int_equal(wanted_after(&gather, 4, 0), 4);
}

static void test_a_batch_is_waited_for_once(void **state)
{
    struct gather gather = {0};
    size_t calls;
    int64_t most_ns;

    (void)state;
    assert_int_equal(wanted_after(&gather, 4, 0), 4);
    gather_waited(&gather, 4);
    assert_false(gather_wants(&gather, &calls, &most_ns));
}

static void test_the_wait_has_an_end_however_long_a_batch_took(void **state)
{
    struct gather gather = {0};
    size_t calls;
    int64_t most_ns;

    (void)state;
    gather_batch_ended(&gather, 4, 0, INT64_C(60000000000));
    assert_true(gather_wants(&gather, &calls, &most_ns));
    assert_in_range(most_ns, 1, 1000000);
}

static void test_callers_who_do_not_come_back_are_waited_for_ever_more_rarely(void **state)
{
    struct gather gather = {0};
    int waits = 0;

    (void)state;
    for (int batch = 0; batch < 1000; batch++) {
        if (wanted_after(&gather, 4, 0) == 0)
            continue;
        gather_waited(&gather, 1);
        waits++;
    }
    assert_in_range(waits, 2, 20);
}

static void test_callers_who_come_back_again_are_waited_for_again(void **state)
{
    struct gather gather = {0};
    int waits = 0;

    (void)state;
    for (int batch = 0; batch < 300; batch++) {
        if (wanted_after(&gather, 4, 0) > 0)
            gather_waited(&gather, 0);
    }
    for (int batch = 0; batch < 300; batch++) {
        if (wanted_after(&gather, 4, 0) == 0)
            continue;
        gather_waited(&gather, 3);
        waits++;
    }
    assert_in_range(waits, 150, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lone_caller_never_waits),
        cmocka_unit_test(test_two_groups_that_take_turns_become_one),
        cmocka_unit_test(test_a_batch_is_waited_for_once),
        cmocka_unit_test(test_the_wait_has_an_end_however_long_a_batch_took),
        cmocka_unit_test(test_callers_who_do_not_come_back_are_waited_for_ever_more_rarely),
        cmocka_unit_test(test_callers_who_come_back_again_are_waited_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
