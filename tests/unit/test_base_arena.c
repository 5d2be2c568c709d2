/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_arena.c -- base/arena.h: alignment, the bound, what a reset keeps.
 */
#include <string.h>

#include "base/arena.h"
#include "base/budget.h"
#include "support/check.h"

static void test_memory_is_aligned_zeroed_and_apart(void **state)
{
    struct arena arena;
    uint8_t *blocks[200];

    (void)state;
    arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * i;

        blocks[i] = arena_alloc(&arena, size);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(blocks[i][at], 0);
        memset(blocks[i], (int)i, size);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t at = 0; at < i * i; at++)
            assert_int_equal(blocks[i][at], (uint8_t)i);
    }
    arena_deinit(&arena);
}

static void test_past_the_bound_there_is_no_memory_until_a_reset(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1000);
    assert_null(arena_alloc(&arena, 1001));
    assert_non_null(arena_alloc(&arena, 600));
    assert_null(arena_alloc(&arena, 600));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 7));
    assert_non_null(arena_alloc(&arena, 300));
    assert_true(arena.used_bytes <= 1000);
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_non_null(arena_alloc(&arena, 600));
    arena_deinit(&arena);
}

static void test_the_bound_may_be_moved_and_what_is_allocated_stays(void **state)
{
    struct arena arena;
    char *text;

    (void)state;
    arena_init(&arena, 64);
    text = arena_string(&arena, slice_of_string("kept"));
    assert_null(arena_alloc(&arena, 64));
    arena_set_max(&arena, 128);
    assert_non_null(arena_alloc(&arena, 64));
    arena_set_max(&arena, 0);
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, 0));
    assert_string_equal(text, "kept");
    arena_deinit(&arena);
}

static void test_a_size_of_zero_gives_a_valid_pointer(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1000);
    assert_non_null(arena_alloc(&arena, 0));
    assert_ptr_not_equal(arena_alloc(&arena, 0), arena_alloc(&arena, 0));
    arena_deinit(&arena);
}

static void test_a_reset_keeps_one_ordinary_block_whatever_was_allocated(void **state)
{
    struct arena arena;
    void *first;

    (void)state;
    arena_init(&arena, SIZE_MAX);
    first = arena_alloc(&arena, 16);
    for (int round = 0; round < 3; round++) {
        (void)arena_alloc(&arena, 5 << 20); /* a block of its own */
        for (int i = 0; i < 1000; i++)
            assert_non_null(arena_alloc(&arena, 500));
        arena_reset(&arena);
        assert_ptr_equal(arena_alloc(&arena, 16), first);
    }
    arena_deinit(&arena);
    arena_init(&arena, SIZE_MAX);
    assert_non_null(arena_alloc(&arena, 5 << 20)); /* the very first is large */
    assert_non_null(arena_alloc(&arena, 16));
    arena_reset(&arena);
    arena_deinit(&arena);
}

static void test_a_large_object_does_not_end_the_block_that_serves_small_ones(void **state)
{
    struct arena arena;
    uint8_t *before;

    (void)state;
    arena_init(&arena, SIZE_MAX);
    before = arena_alloc(&arena, 16);
    (void)arena_alloc(&arena, 100000);
    assert_ptr_equal(arena_alloc(&arena, 16), before + 16);
    arena_deinit(&arena);
}

static void test_an_array_too_large_to_count_is_refused(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, SIZE_MAX);
    assert_null(arena_alloc_array(&arena, SIZE_MAX / 2, 3));
    assert_null(ARENA_ARRAY(&arena, SIZE_MAX / 4, uint64_t));
    assert_non_null(ARENA_ARRAY(&arena, 10, uint64_t));
    assert_non_null(ARENA_ARRAY(&arena, 0, uint64_t));
    arena_deinit(&arena);
}

static void test_strings_and_slices_are_copied(void **state)
{
    struct arena arena;
    char text[] = "some text";
    char *string;
    struct slice copy;

    (void)state;
    arena_init(&arena, 1000);
    string = arena_string(&arena, slice_of(text, 4));
    copy = arena_copy(&arena, slice_of_string(text));
    memset(text, 'x', sizeof text);
    assert_string_equal(string, "some");
    assert_true(slice_equal(copy, slice_of_string("some text")));
    assert_string_equal(arena_string(&arena, SLICE_EMPTY), "");
    assert_int_equal(arena_copy(&arena, SLICE_EMPTY).size, 0);
    assert_string_equal(arena_printf(&arena, "%d of %s", 3, "many"), "3 of many");
    arena_set_max(&arena, 0);
    assert_null(arena_copy(&arena, slice_of_string("more")).data);
    assert_null(arena_printf(&arena, "more"));
    assert_null(arena_string(&arena, slice_of_string("more")));
    arena_deinit(&arena);
}

enum { BUDGET = 256 << 10, LARGE = 100 << 10 };

static void test_arenas_share_a_budget(void **state)
{
    struct budget budget;
    struct arena arenas[2];

    (void)state;
    budget_init(&budget, BUDGET);
    for (int i = 0; i < 2; i++) {
        arena_init(&arenas[i], SIZE_MAX);
        arena_set_budget(&arenas[i], &budget);
        assert_non_null(arena_alloc(&arenas[i], 100));
    }
    assert_int_equal(budget_used(&budget), 0); /* first blocks are free of charge */
    assert_non_null(arena_alloc(&arenas[0], LARGE));
    assert_non_null(arena_alloc(&arenas[1], LARGE));
    assert_null(arena_alloc(&arenas[1], LARGE));
    assert_true(arenas[1].starved);
    assert_false(arenas[0].starved);
    assert_non_null(arena_alloc(&arenas[1], 100)); /* what it has already */
    arena_reset(&arenas[0]);
    assert_non_null(arena_alloc(&arenas[1], LARGE));
    arena_reset(&arenas[1]);
    assert_false(arenas[1].starved);
    assert_int_equal(budget_used(&budget), 0);
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
}

static void test_who_insists_is_charged_but_never_refused(void **state)
{
    struct budget budget;
    struct arena arena;

    (void)state;
    budget_init(&budget, BUDGET);
    arena_init(&arena, SIZE_MAX);
    arena_set_budget(&arena, &budget);
    arena_insist(&arena);
    for (int i = 0; i < 5; i++)
        assert_non_null(arena_alloc(&arena, LARGE));
    assert_true(budget_used(&budget) >= 5 * LARGE);
    arena_reset(&arena);
    assert_null(arena_alloc(&arena, 2 * BUDGET));
    arena_deinit(&arena);
    assert_int_equal(budget_used(&budget), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_memory_is_aligned_zeroed_and_apart),
        cmocka_unit_test(test_past_the_bound_there_is_no_memory_until_a_reset),
        cmocka_unit_test(test_the_bound_may_be_moved_and_what_is_allocated_stays),
        cmocka_unit_test(test_a_size_of_zero_gives_a_valid_pointer),
        cmocka_unit_test(test_a_reset_keeps_one_ordinary_block_whatever_was_allocated),
        cmocka_unit_test(test_a_large_object_does_not_end_the_block_that_serves_small_ones),
        cmocka_unit_test(test_an_array_too_large_to_count_is_refused),
        cmocka_unit_test(test_strings_and_slices_are_copied),
        cmocka_unit_test(test_arenas_share_a_budget),
        cmocka_unit_test(test_who_insists_is_charged_but_never_refused),
    };

    return cmocka_run_group_tests_name("arena", cases, NULL, NULL);
}
