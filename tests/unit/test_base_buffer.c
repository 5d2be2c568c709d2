/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_buffer.c -- base/buffer.h.
 */
#include "base/buffer.h"
#include "support/check.h"

static void test_appends_add_up(void **state)
{
    struct buffer buffer = BUFFER_EMPTY;

    (void)state;
    buffer_append_string(&buffer, "one ");
    buffer_append(&buffer, slice_of("two", 3));
    buffer_append(&buffer, SLICE_EMPTY);
    buffer_append_printf(&buffer, " %03d %s", 3, "four");
    assert_string_equal(buffer_string(&buffer), "one two 003 four");
    assert_int_equal(buffer.size, strlen("one two 003 four"));
    assert_true(slice_equal(buffer_view(&buffer), slice_of_string("one two 003 four")));
    assert_false(buffer.failed);
    buffer_deinit(&buffer);
    assert_null(buffer.data);
}

static void test_an_empty_buffer_is_an_empty_text(void **state)
{
    struct buffer buffer = BUFFER_EMPTY;

    (void)state;
    assert_string_equal(buffer_string(&buffer), "");
    assert_int_equal(buffer.size, 0);
    buffer_deinit(&buffer);
}

static void test_it_grows_to_what_is_appended(void **state)
{
    struct buffer buffer = BUFFER_EMPTY;

    (void)state;
    for (uint32_t i = 0; i < 100000; i++)
        buffer_append(&buffer, slice_of(&i, sizeof i));
    assert_int_equal(buffer.size, 400000);
    for (uint32_t i = 0; i < 100000; i++)
        assert_memory_equal(buffer.data + 4 * (size_t)i, &i, sizeof i);
    buffer_deinit(&buffer);
}

static void test_consuming_drops_from_the_front(void **state)
{
    struct buffer buffer = BUFFER_EMPTY;

    (void)state;
    buffer_append_string(&buffer, "head and tail");
    buffer_consume(&buffer, 0);
    buffer_consume(&buffer, 9);
    assert_string_equal(buffer_string(&buffer), "tail");
    buffer_consume(&buffer, 4);
    assert_int_equal(buffer.size, 0);
    buffer_deinit(&buffer);
}

static void test_what_finds_no_memory_is_not_half_appended_and_is_remembered(void **state)
{
    struct buffer buffer = BUFFER_EMPTY;

    (void)state;
    buffer_append_string(&buffer, "kept");
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 2));
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 100));
    assert_true(buffer.failed);
    assert_string_equal(buffer_string(&buffer), "kept");
    buffer_clear(&buffer, 1000);
    assert_false(buffer.failed);
    buffer_deinit(&buffer);
}

static void test_clearing_keeps_memory_up_to_what_is_asked(void **state)
{
    struct buffer buffer = BUFFER_EMPTY;
    uint8_t *memory;

    (void)state;
    buffer_append_string(&buffer, "some");
    memory = buffer.data;
    buffer_clear(&buffer, 4096);
    assert_int_equal(buffer.size, 0);
    assert_ptr_equal(buffer.data, memory);
    assert_non_null(buffer_reserve(&buffer, 10000));
    buffer_clear(&buffer, 4096);
    assert_null(buffer.data);
    assert_int_equal(buffer.capacity, 0);
    buffer_deinit(&buffer);
}

static void test_reserved_room_is_where_the_next_bytes_go(void **state)
{
    struct buffer buffer = BUFFER_EMPTY;
    uint8_t *at;

    (void)state;
    buffer_append_string(&buffer, "ab");
    at = buffer_reserve(&buffer, 2);
    assert_non_null(at);
    memcpy(at, "cd", 2);
    buffer.size += 2;
    assert_string_equal(buffer_string(&buffer), "abcd");
    buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_appends_add_up),
        cmocka_unit_test(test_an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(test_it_grows_to_what_is_appended),
        cmocka_unit_test(test_consuming_drops_from_the_front),
        cmocka_unit_test(test_what_finds_no_memory_is_not_half_appended_and_is_remembered),
        cmocka_unit_test(test_clearing_keeps_memory_up_to_what_is_asked),
        cmocka_unit_test(test_reserved_room_is_where_the_next_bytes_go),
    };

    return cmocka_run_group_tests_name("buffer", cases, NULL, NULL);
}
