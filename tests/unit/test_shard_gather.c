/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_gather.c -- shard/gather.h: for whom a batch stays open, for how long, and for whom no
 * more.
 */
#include "shard/gather.h"
#include "support/check.h"

enum { COMMIT_NS = 300000, WORK_NS = 50000 };

/* A batch that answered `answered` calls ended now, at 0. */
static void end_batch(struct gather *gather, size_t answered, size_t waiting)
{
    struct gather_batch last = {
        .answered = answered,
        .waiting = waiting,
        .begun_ns = -COMMIT_NS - WORK_NS,
        .commit_ns = COMMIT_NS,
    };

    gather_end(gather);
    gather_begin(gather, &last);
}

/* The next batch takes so many calls, as they come. Returns how many it was open for. */
static size_t take(struct gather *gather, size_t calls)
{
    size_t wanted = gather->wanted;

    while (calls > 0 && gather_next(gather) > 0) {
        size_t some = gather_next(gather) < calls ? gather_next(gather) : calls;

        gather_take(gather, some);
        calls -= some;
    }
    return wanted;
}

static void test_a_lone_caller_never_waits(void **state)
{
    struct gather gather = {0};

    (void)state;
    end_batch(&gather, 1, 0);
    assert_int_equal(gather_next(&gather), 0);
    end_batch(&gather, 0, 5);
    assert_int_equal(gather_next(&gather), 0);
}

static void test_two_groups_that_take_turns_become_one(void **state)
{
    struct gather gather = {0};

    (void)state;
    end_batch(&gather, 2, 2);
    assert_int_equal(take(&gather, 4), 4);
    end_batch(&gather, 4, 0);
    assert_int_equal(take(&gather, 4), 4);
    end_batch(&gather, 4, 0);
    assert_int_equal(take(&gather, 4), 4);
}

static void test_what_came_runs_while_the_others_are_on_their_way(void **state)
{
    struct gather gather = {0};

    (void)state;
    end_batch(&gather, 60, 4);
    assert_int_equal(gather_next(&gather), 32);
    gather_take(&gather, 20);
    assert_int_equal(gather_next(&gather), 32);
    gather_take(&gather, 40);
    assert_int_equal(gather_next(&gather), 4);
    gather_take(&gather, 9);
    assert_int_equal(gather_next(&gather), 0);
}

static void test_a_batch_of_long_work_begins_once_and_takes_no_more(void **state)
{
    struct gather gather = {0};
    struct gather_batch last = {
        .answered = 4, .begun_ns = -5000000 - COMMIT_NS, .commit_ns = COMMIT_NS};

    (void)state;
    gather_begin(&gather, &last);
    assert_int_equal(gather_next(&gather), 4);
    gather_take(&gather, 2);
    assert_int_equal(gather_next(&gather), 0);
}

static void test_a_batch_is_open_once(void **state)
{
    struct gather gather = {0};

    (void)state;
    end_batch(&gather, 4, 0);
    assert_int_equal(gather_next(&gather), 2);
    gather_end(&gather);
    assert_int_equal(gather_next(&gather), 0);
}

static void test_the_wait_has_an_end_however_long_a_batch_took(void **state)
{
    struct gather gather = {0};
    struct gather_batch last = {.answered = 4, .begun_ns = -INT64_C(60000000000)};

    (void)state;
    gather_begin(&gather, &last);
    assert_int_equal(gather_next(&gather), 4);
    assert_in_range(gather.until_ns, 1, 1000000);
}

static void test_the_wait_is_in_proportion_to_the_work_however_long_that_waited(void **state)
{
    struct gather gather = {0};
    struct gather_batch last = {
        .answered = 4, .begun_ns = -420000, .gather_ns = 400000, .commit_ns = 15000};

    (void)state;
    gather_begin(&gather, &last);
    assert_int_equal(gather.until_ns, 30000);
}

static void test_callers_who_do_not_come_back_are_waited_for_ever_more_rarely(void **state)
{
    struct gather gather = {0};
    int waits = 0;

    (void)state;
    for (int batch = 0; batch < 1000; batch++) {
        end_batch(&gather, 4, 0);
        waits += take(&gather, 1) > 0;
    }
    assert_in_range(waits, 2, 20);
}

static void test_callers_who_come_back_again_are_waited_for_again(void **state)
{
    struct gather gather = {0};
    int waits = 0;

    (void)state;
    for (int batch = 0; batch < 300; batch++)
        end_batch(&gather, 4, 0);
    for (int batch = 0; batch < 300; batch++) {
        end_batch(&gather, 4, 0);
        waits += take(&gather, 3) > 0;
    }
    assert_in_range(waits, 150, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lone_caller_never_waits),
        cmocka_unit_test(test_two_groups_that_take_turns_become_one),
        cmocka_unit_test(test_what_came_runs_while_the_others_are_on_their_way),
        cmocka_unit_test(test_a_batch_of_long_work_begins_once_and_takes_no_more),
        cmocka_unit_test(test_a_batch_is_open_once),
        cmocka_unit_test(test_the_wait_has_an_end_however_long_a_batch_took),
        cmocka_unit_test(test_the_wait_is_in_proportion_to_the_work_however_long_that_waited),
        cmocka_unit_test(test_callers_who_do_not_come_back_are_waited_for_ever_more_rarely),
        cmocka_unit_test(test_callers_who_come_back_again_are_waited_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
