/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_errand.c -- base/errand.h: one thread at a time, and none that is left behind.
 */
#include <sched.h>
#include <stdatomic.h>

#include "base/errand.h"
#include "support/check.h"

#define ERRANDS 50
#define YIELDS 200 /* so many others could have begun meanwhile */

struct work {
    atomic_int running;
    atomic_int overlaps;
    int done; /* of the errands' threads, one after another */
};

static void *work_slowly(void *argument)
{
    struct work *work = argument;

    if (atomic_fetch_add(&work->running, 1) != 0)
        atomic_fetch_add(&work->overlaps, 1);
    for (int i = 0; i < YIELDS; i++)
        sched_yield();
    work->done++;
    atomic_fetch_sub(&work->running, 1);
    return NULL;
}

static void test_the_next_errand_waits_for_the_one_before(void **state)
{
    struct work work = {.done = 0};
    struct errand errand;

    (void)state;
    errand_init(&errand);
    for (int i = 0; i < ERRANDS; i++)
        assert_true(errand_start(&errand, work_slowly, &work));
    errand_stop(&errand);
    errand_deinit(&errand);
    assert_int_equal(work.done, ERRANDS);
    assert_int_equal(work.overlaps, 0);
}

static void test_once_stopped_it_has_ended_and_no_other_is_started(void **state)
{
    struct work work = {.done = 0};
    struct errand errand;

    (void)state;
    errand_init(&errand);
    assert_true(errand_start(&errand, work_slowly, &work));
    errand_stop(&errand);
    assert_int_equal(work.done, 1);
    assert_false(errand_start(&errand, work_slowly, &work));
    errand_stop(&errand);
    assert_int_equal(work.done, 1);
    errand_deinit(&errand);
}

static void test_one_that_was_never_started_is_stopped_at_once(void **state)
{
    struct errand errand;

    (void)state;
    errand_init(&errand);
    errand_stop(&errand);
    errand_deinit(&errand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_next_errand_waits_for_the_one_before),
        cmocka_unit_test(test_once_stopped_it_has_ended_and_no_other_is_started),
        cmocka_unit_test(test_one_that_was_never_started_is_stopped_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
