/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_record.c -- every record reads as what was written, and nothing else does: each single
 * flipped bit, each cut, each byte too many, another key and another type are STATUS_CORRUPT.
 */
#include <stdlib.h>

#include "core/record.h"
#include "record_kinds.h"
#include "support/check.h"

#define ROUNDS 30

/* A record in memory of exactly its size, so that a sanitizer sees a step beyond. */
struct made {
    struct key key;
    uint8_t *value;
    size_t size;
    struct image image;
};

static struct made make(const struct record_kind *kind)
{
    static uint8_t buffer[2 * RECORD_BYTES_MAX];
    struct made made = {
        .key = key_of_place((struct place){(uint32_t)record_draw(), 3, record_draw()})};

    made.size = kind->write(key_slice(&made.key), buffer, &made.image);
    made.value = malloc(made.size);
    assert_non_null(made.value);
    memcpy(made.value, buffer, made.size);
    return made;
}

static enum status read_as(const struct record_kind *kind, struct slice key, const uint8_t *value,
                           size_t size)
{
    struct image image = {.size = 0};

    return kind->read(key, slice_of(value, size), &image);
}

static void test_every_record_reads_as_what_was_written(void **state)
{
    (void)state;
    for (size_t k = 0; k < record_kind_count; k++) {
        for (int i = 0; i < 10 * ROUNDS; i++) {
            struct made made = make(&record_kinds[k]);
            struct image image = {.size = 0};

            assert_int_equal(
                record_kinds[k].read(key_slice(&made.key), slice_of(made.value, made.size), &image),
                STATUS_OK);
            assert_int_equal(image.size, made.image.size);
            assert_memory_equal(image.data, made.image.data, image.size);
            free(made.value);
        }
    }
}

static void test_every_flipped_bit_is_seen(void **state)
{
    (void)state;
    for (size_t k = 0; k < record_kind_count; k++) {
        for (int i = 0; i < ROUNDS / 10; i++) {
            struct made made = make(&record_kinds[k]);

            for (size_t bit = 0; bit < made.size * 8; bit++) {
                made.value[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_equal(
                    read_as(&record_kinds[k], key_slice(&made.key), made.value, made.size),
                    STATUS_CORRUPT);
                made.value[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
            free(made.value);
        }
    }
}

static void test_a_record_cut_short_or_too_long_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < record_kind_count; k++) {
        struct made made = make(&record_kinds[k]);
        uint8_t *longer = calloc(1, made.size + 9);

        assert_non_null(longer);
        for (size_t size = 0; size < made.size; size++) {
            uint8_t *cut = malloc(size == 0 ? 1 : size);

            assert_non_null(cut);
            memcpy(cut, made.value, size);
            assert_int_equal(read_as(&record_kinds[k], key_slice(&made.key), cut, size),
                             STATUS_CORRUPT);
            free(cut);
        }
        memcpy(longer, made.value, made.size);
        for (size_t more = 1; more <= 9; more++)
            assert_int_equal(
                read_as(&record_kinds[k], key_slice(&made.key), longer, made.size + more),
                STATUS_CORRUPT);
        free(longer);
        free(made.value);
    }
}

static void test_a_record_in_the_wrong_place_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < record_kind_count; k++) {
        struct made made = make(&record_kinds[k]);

        for (size_t bit = 0; bit < made.key.size * 8; bit++) {
            struct key other = made.key;

            other.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(read_as(&record_kinds[k], key_slice(&other), made.value, made.size),
                             STATUS_CORRUPT);
        }
        free(made.value);
    }
}

static void test_a_record_of_another_type_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < record_kind_count; k++) {
        struct made made = make(&record_kinds[k]);

        for (size_t other = 0; other < record_kind_count; other++)
            if (other != k)
                assert_int_equal(
                    read_as(&record_kinds[other], key_slice(&made.key), made.value, made.size),
                    STATUS_CORRUPT);
        free(made.value);
    }
}

/* Seals bytes as a record would be sealed: a writer gone wrong, not a disk. */
static void seal(struct slice key, uint8_t *value, size_t size)
{
    uint32_t crc = crc32c(crc32c(0, key.data, key.size), value + 4, size - 4);

    memcpy(value, &crc, sizeof crc);
}

static void test_lengths_and_numbers_are_doubted_even_under_a_right_checksum(void **state)
{
    (void)state;
    for (size_t k = 0; k < record_kind_count; k++) {
        for (int i = 0; i < 20 * ROUNDS; i++) {
            struct made made = make(&record_kinds[k]);
            struct image image = {.size = 0};

            made.value[6 + record_draw() % (made.size - 6)] = (uint8_t)record_draw();
            made.size = 6 + record_draw() % (made.size - 5);
            seal(key_slice(&made.key), made.value, made.size);
            /* Refused or read: the sanitizer watches that nothing beyond is touched. */
            if (record_kinds[k].read(key_slice(&made.key), slice_of(made.value, made.size),
                                     &image) == STATUS_OK)
                assert_true(image.size > 0);
            free(made.value);
        }
    }
}

static void test_states_that_are_none_are_refused(void **state)
{
    struct key key = key_of_place((struct place){1, 2, 3});
    struct active_record record = {.task = {.state = TASK_READY}};
    struct dead_record dead = {.reason = DEAD_EXPIRED};
    uint8_t value[256];
    size_t size = active_record_size(&record);

    (void)state;
    active_record_write(&record, key_slice(&key), value);
    for (int state_byte = 0; state_byte < 256; state_byte++) {
        value[6] = (uint8_t)state_byte;
        seal(key_slice(&key), value, size);
        assert_int_equal(active_record_read(key_slice(&key), slice_of(value, size), &record),
                         state_byte > TASK_NONE && state_byte < TASK_STATE_COUNT ? STATUS_OK
                                                                                 : STATUS_CORRUPT);
    }
    dead_record_write(&dead, key_slice(&key), value);
    for (int reason = 0; reason < 256; reason++) {
        value[6] = (uint8_t)reason;
        seal(key_slice(&key), value, DEAD_RECORD_SIZE);
        assert_int_equal(
            dead_record_read(key_slice(&key), slice_of(value, DEAD_RECORD_SIZE), &dead),
            reason > DEAD_NOT && reason <= DEAD_CORRUPT ? STATUS_OK : STATUS_CORRUPT);
    }
}

/* ---- attributes ---- */

static void test_attributes_read_in_order(void **state)
{
    uint8_t body[20 * (4 + 50)];
    struct attribute attributes[20];
    struct attribute read;
    struct slice left;
    uint8_t *at = body;

    (void)state;
    for (int i = 0; i < 20; i++) {
        attributes[i] = (struct attribute){record_draw_bytes(25), record_draw_bytes(25)};
        at = attribute_write(&attributes[i], at);
    }
    left = slice_of(body, (size_t)(at - body));
    for (int i = 0; i < 20; i++) {
        assert_true(attribute_read(&left, &read));
        assert_true(slice_equal(read.key, attributes[i].key));
        assert_true(slice_equal(read.value, attributes[i].value));
    }
    assert_int_equal(left.size, 0);
    assert_false(attribute_read(&left, &read));
}

static void test_broken_attributes_end_the_reading(void **state)
{
    struct attribute attribute = {slice_of_string("key"), slice_of_string("value")};
    uint8_t body[12];
    struct attribute read;

    (void)state;
    assert_int_equal(attribute_write(&attribute, body) - body, attribute_size(&attribute));
    for (size_t size = 0; size < sizeof body; size++) {
        uint8_t *cut = malloc(size == 0 ? 1 : size);
        struct slice left = slice_of(cut, size);

        assert_non_null(cut);
        memcpy(cut, body, size);
        assert_false(attribute_read(&left, &read));
        free(cut);
    }
    body[1] = 0xff; /* a key longer than all there is */
    assert_false(attribute_read(&(struct slice){body, sizeof body}, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_reads_as_what_was_written),
        cmocka_unit_test(test_every_flipped_bit_is_seen),
        cmocka_unit_test(test_a_record_cut_short_or_too_long_is_refused),
        cmocka_unit_test(test_a_record_in_the_wrong_place_is_refused),
        cmocka_unit_test(test_a_record_of_another_type_is_refused),
        cmocka_unit_test(test_lengths_and_numbers_are_doubted_even_under_a_right_checksum),
        cmocka_unit_test(test_states_that_are_none_are_refused),
        cmocka_unit_test(test_attributes_read_in_order),
        cmocka_unit_test(test_broken_attributes_end_the_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
