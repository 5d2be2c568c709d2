/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_key.c -- keys sort as tasks are served, and read as what was written.
 */
#include <stdlib.h>

#include "base/map.h"
#include "core/key.h"
#include "core/limits.h"
#include "support/check.h"

static uint64_t draws;

static uint64_t draw(void)
{
    return hash_u64(++draws);
}

/* Numbers that share their upper bytes, so that every byte decides now and then. */
static uint64_t draw_near(void)
{
    uint64_t value = draw();

    return value >> value % 60;
}

static struct place draw_place(void)
{
    return (struct place){(uint32_t)draw_near(), (uint8_t)(draw() % PRIORITY_COUNT), draw_near()};
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static int compare_keys(struct key a, struct key b)
{
    return sign(slice_compare(key_slice(&a), key_slice(&b)));
}

/* Queue by queue; in a queue the highest priority first; in a priority as published. */
static int compare_places(struct place a, struct place b)
{
    if (a.queue != b.queue)
        return a.queue < b.queue ? -1 : 1;
    if (a.priority != b.priority)
        return a.priority > b.priority ? -1 : 1;
    return (a.seq > b.seq) - (a.seq < b.seq);
}

static void test_places_sort_in_service_order(void **state)
{
    (void)state;
    for (int i = 0; i < 50000; i++) {
        struct place a = draw_place();
        struct place b = draw_place();
        struct place read;
        struct key key = key_of_place(a);

        if (i % 2 == 0)
            b.queue = a.queue;
        if (i % 4 == 0)
            b.priority = a.priority;
        assert_int_equal(compare_keys(key, key_of_place(b)), compare_places(a, b));
        assert_int_equal(key.size, PLACE_BYTES);
        assert_true(key_read_place(key_slice(&key), &read));
        assert_true(place_equal(read, a));
        assert_int_equal(compare_keys(key, key_of_seq(a.queue, a.priority, a.seq)), 0);
    }
}

static void test_due_keys_sort_by_time_first(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct place a = draw_place();
        struct place b = draw_place();
        int64_t a_ms = (int64_t)(draw_near() >> 1);
        int64_t b_ms = i % 3 == 0 ? a_ms : (int64_t)(draw_near() >> 1);
        int64_t read_ms;
        struct place read;
        struct key key = key_of_due(a_ms, a);
        int expected = a_ms != b_ms ? (a_ms < b_ms ? -1 : 1) : compare_places(a, b);

        assert_int_equal(compare_keys(key, key_of_due(b_ms, b)), expected);
        assert_true(key_read_due(key_slice(&key), &read_ms, &read));
        assert_int_equal(read_ms, a_ms);
        assert_true(place_equal(read, a));
    }
}

static void test_chunks_lie_under_their_task_in_order(void **state)
{
    struct place place = draw_place();
    struct key task = key_of_place(place);
    struct key after = key_after_prefix(key_slice(&task));
    struct key last = task;

    (void)state;
    for (uint32_t index = 0; index < 1000; index++) {
        struct key key = key_of_chunk(place, CHUNK_BODY, index);

        assert_int_equal(compare_keys(last, key), -1);
        assert_int_equal(compare_keys(key, after), -1);
        assert_true(slice_starts_with(key_slice(&key), key_slice(&task)));
        last = key;
    }
    last = key_of_chunk(place, CHUNK_CHECKPOINT, UINT32_MAX);
    assert_int_equal(compare_keys(last, key_of_chunk(place, CHUNK_RESULT, 0)), -1);
}

static void test_names_sort_as_their_bytes_within_a_queue(void **state)
{
    static const char *const names[] = {"", "a", "a0", "aa", "b", "\xff", "\xff\xff"};
    struct key after = key_after_queue(5);
    struct key next = key_of_name(6, SLICE_EMPTY);

    (void)state;
    for (size_t i = 0; i + 1 < sizeof names / sizeof names[0]; i++) {
        struct key key = key_of_name(5, slice_of_string(names[i]));
        uint32_t queue;

        assert_int_equal(compare_keys(key, key_of_name(5, slice_of_string(names[i + 1]))), -1);
        assert_int_equal(compare_keys(key, after), -1);
        assert_true(key_read_queue(key_slice(&key), &queue));
        assert_int_equal(queue, 5);
    }
    assert_true(compare_keys(after, next) <= 0);
}

static void test_the_key_after_a_queue_ends_it_exactly(void **state)
{
    static const uint32_t queues[] = {0, 1, 255, 256, 0x00ffffff, 0x04000000, 0xfffffffe};

    (void)state;
    for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++) {
        struct key end = key_after_queue(queues[i]);
        struct place last = {queues[i], 0, UINT64_MAX};
        struct place first = {queues[i] + 1, PRIORITY_MAX, 0};

        assert_int_equal(compare_keys(key_of_chunk(last, CHUNK_RESULT, UINT32_MAX), end), -1);
        assert_true(compare_keys(end, key_of_place(first)) <= 0);
        assert_true(compare_keys(end, key_of_queue(queues[i] + 1)) <= 0);
    }
    assert_int_equal(key_after_queue(UINT32_MAX).size, 0); /* to the table's end */
}

static void test_the_key_after_a_key_is_the_next_there_is(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct key key = key_of_place(draw_place());
        struct key after = key_after(key_slice(&key));
        struct key prefix = key_after_prefix(key_slice(&key));

        assert_int_equal(compare_keys(key, after), -1);
        assert_int_equal(after.size, key.size + 1);
        assert_int_equal(after.data[key.size], 0); /* nothing fits between */
        if (prefix.size > 0)
            assert_int_equal(compare_keys(after, prefix), -1);
    }
}

static void test_bytes_of_another_form_are_refused(void **state)
{
    struct key place = key_of_place((struct place){1, 9, 1});
    struct key due = key_of_due(1, (struct place){1, 9, 1});
    struct place read;
    int64_t due_ms;
    uint32_t queue;
    uint64_t session;

    (void)state;
    for (size_t size = 0; size < due.size; size++) {
        assert_int_equal(key_read_place(slice_of(due.data, size), &read), size == PLACE_BYTES);
        assert_false(key_read_due(slice_of(due.data, size), &due_ms, &read));
        assert_int_equal(key_read_queue(slice_of(due.data, size), &queue), size >= 4);
        assert_int_equal(key_read_session(slice_of(due.data, size), &session), size == 8);
    }
    place.data[4] = PRIORITY_MAX + 1;
    assert_false(key_read_place(key_slice(&place), &read));
    due.data[12] = 0xff;
    assert_false(key_read_due(key_slice(&due), &due_ms, &read));
    due = key_of_due(INT64_MAX, (struct place){1, 9, 1});
    assert_true(key_read_due(key_slice(&due), &due_ms, &read));
    due.data[0] |= 0x80; /* before the epoch, yet behind all others */
    assert_false(key_read_due(key_slice(&due), &due_ms, &read));
}

static void test_the_longest_id_fits_a_key(void **state)
{
    uint8_t id[TASK_ID_BYTES_MAX];
    struct key key;

    (void)state;
    memset(id, 'x', sizeof id);
    key = key_of_name(1, slice_of(id, sizeof id));
    key = key_after(key_slice(&key));
    assert_true(key.size <= KEY_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_sort_in_service_order),
        cmocka_unit_test(test_due_keys_sort_by_time_first),
        cmocka_unit_test(test_chunks_lie_under_their_task_in_order),
        cmocka_unit_test(test_names_sort_as_their_bytes_within_a_queue),
        cmocka_unit_test(test_the_key_after_a_queue_ends_it_exactly),
        cmocka_unit_test(test_the_key_after_a_key_is_the_next_there_is),
        cmocka_unit_test(test_bytes_of_another_form_are_refused),
        cmocka_unit_test(test_the_longest_id_fits_a_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
