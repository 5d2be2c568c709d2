/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_history.c -- H1, H2: what a history keeps, what it leaves out, and what is no history.
 */
#include <stdio.h>
#include <string.h>

#include "core/history.h"
#include "support/check.h"

static struct attempt failed(uint32_t fence, const char *error)
{
    return (struct attempt){
        .end = ATTEMPT_FAILED,
        .fence = fence,
        .session = 7,
        .leased_ms = INT64_C(1700000000000) + fence,
        .ended_ms = INT64_C(1700000005000) + fence,
        .worker = slice_of_string("worker-1"),
        .pod = slice_of_string("pod-1"),
        .node = slice_of_string("node-1"),
        .error = slice_of_string(error),
    };
}

static size_t count_of(const struct history *history, struct attempt *ret_last)
{
    struct slice rest;
    size_t count = 0;

    (void)history_begin(history_slice(history), &rest);
    while (history_next(&rest, ret_last))
        count++;
    assert_int_equal(rest.size, 0);
    return count;
}

static void test_what_was_added_is_read_again(void **state)
{
    struct history history = {.size = 0};
    struct attempt attempt = failed(3, "no such file");
    struct attempt found;

    (void)state;
    attempt.dead_reason = DEAD_FAILURES;
    attempt.has_checkpoint = true;
    attempt.unstarted = true;
    attempt.session = UINT64_MAX;
    history_add(&history, &attempt);
    assert_true(history_is_whole(history_slice(&history)));
    assert_int_equal(count_of(&history, &found), 1);
    assert_int_equal(found.end, ATTEMPT_FAILED);
    assert_int_equal(found.dead_reason, DEAD_FAILURES);
    assert_true(found.has_checkpoint && found.unstarted);
    assert_int_equal(found.fence, 3);
    assert_true(found.session == UINT64_MAX);
    assert_int_equal(found.leased_ms, attempt.leased_ms);
    assert_int_equal(found.ended_ms, attempt.ended_ms);
    assert_true(slice_equal(found.worker, attempt.worker));
    assert_true(slice_equal(found.pod, attempt.pod));
    assert_true(slice_equal(found.node, attempt.node));
    assert_true(slice_equal(found.error, attempt.error));
}

static void test_an_attempt_without_words_is_short(void **state)
{
    struct history history = {.size = 0};
    struct attempt lost = {.end = ATTEMPT_LOST,
                           .fence = 1,
                           .session = 200,
                           .leased_ms = INT64_C(1800000000000),
                           .ended_ms = INT64_C(1800000015000)};

    (void)state;
    history_add(&history, &lost);
    assert_true(history.size <= 16); /* a hundred thousand of them are written at once */
}

static void test_H1_the_oldest_go_first_and_are_counted(void **state)
{
    struct history history = {.size = 0};
    struct attempt attempt;
    struct slice rest;

    (void)state;
    for (uint32_t fence = 1; fence <= 1000; fence++) {
        attempt = failed(fence, "");
        history_add(&history, &attempt);
    }
    assert_int_equal(count_of(&history, &attempt), HISTORY_ATTEMPTS_MAX);
    assert_int_equal(attempt.fence, 1000);
    assert_int_equal(history_begin(history_slice(&history), &rest), 1000 - HISTORY_ATTEMPTS_MAX);
    assert_true(history_next(&rest, &attempt));
    assert_int_equal(attempt.fence, 1000 - HISTORY_ATTEMPTS_MAX + 1);
}

static void test_H1_long_words_leave_room_for_fewer(void **state)
{
    struct history history = {.size = 0};
    struct attempt attempt;
    struct slice rest;
    char words[2000];
    size_t kept;

    (void)state;
    memset(words, 'e', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    for (uint32_t fence = 1; fence <= 50; fence++) {
        attempt = failed(fence, words);
        history_add(&history, &attempt);
        assert_true(history.size <= HISTORY_BYTES_MAX);
    }
    kept = count_of(&history, &attempt);
    assert_true(kept >= 5 && kept < HISTORY_ATTEMPTS_MAX);
    assert_int_equal(attempt.fence, 50);
    assert_int_equal(attempt.error.size, ATTEMPT_ERROR_BYTES_MAX);
    assert_int_equal(history_begin(history_slice(&history), &rest), 50 - kept);
}

static void test_H2_words_are_cut_between_characters(void **state)
{
    struct history history = {.size = 0};
    struct attempt attempt = failed(1, "");
    char words[600];

    (void)state;
    for (size_t i = 0; i < 598; i += 2)
        memcpy(words + i + 1, "\xc3\xa9", 2); /* each begins at an odd byte */
    words[0] = 'x';
    attempt.error = slice_of(words, 599);
    attempt.worker = slice_of(words, 599);
    history_add(&history, &attempt);
    assert_int_equal(count_of(&history, &attempt), 1);
    assert_int_equal(attempt.error.size, ATTEMPT_ERROR_BYTES_MAX - 1);
    assert_int_equal(attempt.worker.size, ATTEMPT_NAME_BYTES_MAX);
    assert_true(utf8_is_valid(attempt.error) && utf8_is_valid(attempt.worker));
}

static void test_no_prefix_of_a_history_ends_within_an_attempt(void **state)
{
    struct history history = {.size = 0};
    size_t ends = 0;

    (void)state;
    for (uint32_t fence = 1; fence <= 4; fence++) {
        struct attempt attempt = failed(fence, "words");

        history_add(&history, &attempt);
    }
    for (size_t size = 1; size <= history.size; size++)
        ends += history_is_whole(slice_of(history.bytes, size));
    assert_int_equal(ends, 5); /* none, and after each */
}

static void test_ends_and_reasons_that_nobody_knows_are_no_history(void **state)
{
    const uint8_t unknown_end[] = {0, ATTEMPT_END_COUNT, 1, 1, 1, 1, 0, 0, 0};
    const uint8_t goes_on[] = {0, ATTEMPT_GOES_ON, 1, 1, 1, 1, 0, 0, 0};
    const uint8_t known[] = {0, ATTEMPT_LOST, 1, 1, 1, 1, 0, 0, 0};
    const uint8_t unknown_reason[] = {0, ATTEMPT_LOST | 0x40, 1, 1, 1, 1, 0, 0, 0, 77};
    const uint8_t endless_number[] = {0,   ATTEMPT_LOST, 255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255,          255, 1,   1,   1,   0,   0,   0};

    (void)state;
    assert_true(history_is_whole(slice_of(known, sizeof known)));
    assert_false(history_is_whole(slice_of(unknown_end, sizeof unknown_end)));
    assert_false(history_is_whole(slice_of(goes_on, sizeof goes_on)));
    assert_false(history_is_whole(slice_of(unknown_reason, sizeof unknown_reason)));
    assert_false(history_is_whole(slice_of(endless_number, sizeof endless_number)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_added_is_read_again),
        cmocka_unit_test(test_an_attempt_without_words_is_short),
        cmocka_unit_test(test_H1_the_oldest_go_first_and_are_counted),
        cmocka_unit_test(test_H1_long_words_leave_room_for_fewer),
        cmocka_unit_test(test_H2_words_are_cut_between_characters),
        cmocka_unit_test(test_no_prefix_of_a_history_ends_within_an_attempt),
        cmocka_unit_test(test_ends_and_reasons_that_nobody_knows_are_no_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
