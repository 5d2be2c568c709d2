/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_token.c -- lease tokens and the broker's own IDs: what was written is read, and nothing
 * that was not.
 */
#include <stdio.h>

#include "base/map.h"
#include "core/limits.h"
#include "core/token.h"
#include "support/check.h"

static uint64_t draws;

static uint64_t draw(void)
{
    return hash_u64(++draws);
}

static struct lease_token draw_token(void)
{
    return (struct lease_token){
        .place = {(uint32_t)draw(), (uint8_t)(draw() % PRIORITY_COUNT), draw()},
        .fence = (uint32_t)draw(),
        .seal = (uint32_t)draw(),
    };
}

static bool same(const struct lease_token *a, const struct lease_token *b)
{
    return place_equal(a->place, b->place) && a->fence == b->fence &&
           (uint32_t)a->seal == (uint32_t)b->seal;
}

static void test_a_token_reads_as_what_was_written(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct lease_token token = draw_token();
        struct lease_token read;
        char text[TOKEN_BYTES_MAX];
        size_t size = token_write(&token, text);

        assert_int_equal(size, strlen(text));
        assert_true(size < TOKEN_BYTES_MAX);
        assert_true(token_read(slice_of(text, size), &read));
        assert_true(same(&token, &read));
    }
}

/* One token, one text, but for the two alphabets of base64. */
static bool is_twin(char a, char b)
{
    return a == b || (a == '-' && b == '+') || (a == '_' && b == '/');
}

static void test_a_token_with_one_character_changed_is_none(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct lease_token token = draw_token();
        char text[TOKEN_BYTES_MAX];
        size_t size = token_write(&token, text);

        for (size_t at = 0; at < size; at++) {
            char kept = text[at];

            for (int c = 0; c < 256; c++) {
                struct lease_token read;

                text[at] = (char)c;
                assert_int_equal(token_read(slice_of(text, size), &read), is_twin(kept, (char)c));
            }
            text[at] = kept;
        }
    }
}

static void test_a_token_cut_short_or_made_longer_is_refused(void **state)
{
    struct lease_token token = draw_token();
    struct lease_token read;
    char text[2 * TOKEN_BYTES_MAX];
    size_t size = token_write(&token, text);

    (void)state;
    for (size_t cut = 0; cut < size; cut++)
        assert_false(token_read(slice_of(text, cut), &read));
    memset(text + size, 'A', sizeof text - size);
    for (size_t longer = size + 1; longer <= sizeof text; longer++)
        assert_false(token_read(slice_of(text, longer), &read));
    assert_false(token_read(SLICE_EMPTY, &read));
}

static void test_random_text_is_no_token(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[TOKEN_BYTES_MAX];
        size_t size = draw() % sizeof text;
        struct lease_token read;

        for (size_t k = 0; k < size; k++)
            text[k] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[draw() % 64];
        assert_false(token_read(slice_of(text, size), &read));
    }
}

static void test_the_seal_ties_a_token_to_one_queue(void **state)
{
    (void)state;
    assert_true(token_seal(1, 1000) == token_seal(1, 1000));
    for (uint32_t i = 2; i < 1000; i++) {
        assert_true((uint32_t)token_seal(i, 1000) != (uint32_t)token_seal(1, 1000));
        assert_true((uint32_t)token_seal(1, 1000 + i) != (uint32_t)token_seal(1, 1000));
    }
}

/* ---- made IDs ---- */

static void test_a_made_id_reads_as_its_place(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct place place = {(uint32_t)draw(), (uint8_t)(draw() % PRIORITY_COUNT),
                              draw() >> i % 64};
        int64_t created_ms = (int64_t)(draw() >> 20);
        char text[MADE_ID_BYTES_MAX];
        size_t size = made_id_write(place, created_ms, text);
        struct place read;

        assert_int_equal(size, strlen(text));
        assert_true(made_id_is(slice_of(text, size)));
        assert_true(made_id_read(slice_of(text, size), place.queue, created_ms, &read));
        assert_true(place_equal(place, read));
        assert_false(made_id_read(slice_of(text, size), place.queue, created_ms + 1, &read));
    }
}

static void test_the_longest_made_id_fits(void **state)
{
    struct place place = {UINT32_MAX, PRIORITY_MAX, UINT64_MAX};
    char text[MADE_ID_BYTES_MAX];
    struct place read;
    size_t size = made_id_write(place, INT64_MAX, text);

    (void)state;
    assert_true(made_id_read(slice_of(text, size), place.queue, INT64_MAX, &read));
    assert_true(place_equal(place, read));
}

/* One place has one name: nothing else leads to a task of the broker's own ID. */
static void test_nothing_but_the_very_text_is_a_made_id(void **state)
{
    static const char *const others[] = {
        "@0.0.05",
        "@0.0. 5",
        "@0.0.+5",
        "@0.00.5",
        "@0.0.5 ",
        "@0.0.-5",
        "@0. 0.5",
        "@0.10.5",
        "@0.-1.5",
        "@0.0.",
        "@0.0",
        "@0.",
        "@0",
        "@",
        "",
        "0.0.5",
        "@00.0.5",
        "@1.0.5",
        "@0.0.5.",
        "@0.0.0x5",
        "@0.0.18446744073709551616",
        "@0.4294967296.5",
    };
    struct place read;

    (void)state;
    assert_true(made_id_read(slice_of_string("@0.0.5"), 1, 0, &read));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (made_id_read(slice_of_string(others[i]), 1, 0, &read))
            fail_msg("\"%s\" is taken for a made ID", others[i]);
    assert_false(made_id_read(slice_of("@0.0.5\0x", 8), 1, 0, &read));
    assert_false(made_id_read(slice_of("@0.0.5\0", 7), 1, 0, &read));
}

static void test_made_ids_mutated_at_random_lead_nowhere_else(void **state)
{
    struct place place = {7, 3, 123456};
    char text[MADE_ID_BYTES_MAX];
    size_t size = made_id_write(place, 1700000000000, text);

    (void)state;
    for (size_t at = 0; at < size; at++) {
        char kept = text[at];

        for (int c = 0; c < 256; c++) {
            struct place read;
            char again[MADE_ID_BYTES_MAX];

            text[at] = (char)c;
            if (!made_id_read(slice_of(text, size), 7, 1700000000000, &read))
                continue;
            assert_int_equal(made_id_write(read, 1700000000000, again), size);
            assert_memory_equal(again, text, size);
        }
        text[at] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_reads_as_what_was_written),
        cmocka_unit_test(test_a_token_with_one_character_changed_is_none),
        cmocka_unit_test(test_a_token_cut_short_or_made_longer_is_refused),
        cmocka_unit_test(test_random_text_is_no_token),
        cmocka_unit_test(test_the_seal_ties_a_token_to_one_queue),
        cmocka_unit_test(test_a_made_id_reads_as_its_place),
        cmocka_unit_test(test_the_longest_made_id_fits),
        cmocka_unit_test(test_nothing_but_the_very_text_is_a_made_id),
        cmocka_unit_test(test_made_ids_mutated_at_random_lead_nowhere_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
