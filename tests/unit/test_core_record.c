/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records, tokens, made IDs and keys: what is written is read again, and nothing else is.
 */
#include <stdlib.h>
#include <string.h>

#include "core/record.h"
#include "core/token.h"
#include "support/check.h"

static const struct place place = {5, 3, 77};
static uint8_t value[2048];

typedef enum status reader(struct slice key, struct slice bytes);

/* Every flipped bit, every cut, and another record's key are found out. */
static void check_damage(struct key key, size_t size, reader *read)
{
    struct key other = key;
    uint8_t *exact = malloc(size); /* so that reading past the end is seen */

    assert_non_null(exact);
    memcpy(exact, value, size);
    assert_int_equal(read(key_slice(&key), slice_of(exact, size)), STATUS_OK);
    for (size_t bit = 0; bit < size * 8; bit++) {
        exact[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(read(key_slice(&key), slice_of(exact, size)), STATUS_CORRUPT);
        exact[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *shorter = malloc(cut + 1);

        memcpy(shorter, exact, cut);
        assert_int_equal(read(key_slice(&key), slice_of(shorter, cut)), STATUS_CORRUPT);
        free(shorter);
    }
    other.data[other.size - 1] ^= 1;
    assert_int_equal(read(key_slice(&other), slice_of(exact, size)), STATUS_CORRUPT);
    free(exact);
}

static struct task_record task_read;
static enum status read_task(struct slice key, struct slice bytes)
{
    return task_record_read(key, bytes, &task_read);
}

static void test_a_task_record_is_read_as_written_or_refused(void **state)
{
    struct task_record record = {.published_ms = -5,
                                 .dataset = 9,
                                 .attributes_size = 2,
                                 .body_size = 5,
                                 .id = slice_of_string("row-1"),
                                 .body = slice_of_string("abcde")};
    struct key key = key_of_place(place);

    (void)state;
    task_record_write(&record, key_slice(&key), value);
    check_damage(key, task_record_size(&record), read_task);
    assert_int_equal(read_task(key_slice(&key), slice_of(value, task_record_size(&record))),
                     STATUS_OK);
    assert_int_equal(task_read.published_ms, -5);
    assert_int_equal(task_read.dataset, 9);
    assert_int_equal(task_read.attributes_size, 2);
    assert_true(slice_equal(task_read.id, record.id));
    assert_true(slice_equal(task_read.body, record.body));
}

static struct active_record active_read;
static enum status read_active(struct slice key, struct slice bytes)
{
    return active_record_read(key, bytes, &active_read);
}

static void test_an_active_record_is_read_as_written_or_refused(void **state)
{
    struct active_record record = {
        .task = {.state = TASK_LEASED,
                 .fence = 4,
                 .deliveries = 4,
                 .failures = 1,
                 .preemptions = 2,
                 .losses = 3,
                 .has_checkpoint = true,
                 .session = UINT64_MAX,
                 .published_ms = 10,
                 .at_ms = 20,
                 .leased_ms = 30},
        .dataset = 9,
        .has_id = true,
        .has_chunks = true,
        .error = slice_of_string("out of memory"),
    };
    struct key key = key_of_place(place);

    (void)state;
    active_record_write(&record, key_slice(&key), value);
    check_damage(key, active_record_size(&record), read_active);
    assert_int_equal(read_active(key_slice(&key), slice_of(value, active_record_size(&record))),
                     STATUS_OK);
    assert_memory_equal(&active_read.task, &record.task, sizeof record.task);
    assert_true(active_read.has_id && active_read.has_chunks);
    assert_true(slice_equal(active_read.error, record.error));
}

static struct id_record id_read;
static enum status read_id(struct slice key, struct slice bytes)
{
    return id_record_read(key, bytes, &id_read);
}

static void test_an_id_record_is_read_as_written_or_refused(void **state)
{
    struct id_record record = {true, 9, UINT64_MAX, 123, 7};
    struct key key = key_of_name(5, slice_of_string("row-1"));

    (void)state;
    id_record_write(&record, key_slice(&key), value);
    check_damage(key, ID_RECORD_SIZE, read_id);
    assert_int_equal(read_id(key_slice(&key), slice_of(value, ID_RECORD_SIZE)), STATUS_OK);
    assert_true(id_read.done);
    assert_int_equal(id_read.seq, UINT64_MAX);
    assert_int_equal(id_read.done_ms, 123);
}

static struct blob_record blob_read;
static enum status read_result(struct slice key, struct slice bytes)
{
    return blob_record_read(key, bytes, RECORD_RESULT, &blob_read);
}

static void test_a_result_is_read_as_written_or_refused(void **state)
{
    struct blob_record record = {.type = RECORD_RESULT,
                                 .stored_ms = 55,
                                 .dataset = 1,
                                 .fence = 2,
                                 .priority = 3,
                                 .seq = 4,
                                 .size = 6,
                                 .data = slice_of_string("result")};
    struct key key = key_of_name(5, slice_of_string("row-1"));

    (void)state;
    blob_record_write(&record, key_slice(&key), value);
    check_damage(key, blob_record_size(&record), read_result);
    assert_int_equal(blob_record_read(key_slice(&key), slice_of(value, blob_record_size(&record)),
                                      RECORD_CHECKPOINT, &blob_read),
                     STATUS_CORRUPT);
}

static struct queue_record queue_read;
static enum status read_queue(struct slice key, struct slice bytes)
{
    return queue_record_read(key, bytes, &queue_read);
}

static void test_a_queue_record_is_read_as_written_or_refused(void **state)
{
    struct queue_record record = {.config = queue_config_default(),
                                  .tally = {.ready = 1, .wasted_ms = 2},
                                  .created_ms = 3,
                                  .paused = true,
                                  .next_seq = 4,
                                  .next_dataset = 5,
                                  .cursor = {[9] = 6},
                                  .fresh = {[0] = 7},
                                  .returned = {[5] = 8},
                                  .name = slice_of_string("pages")};
    struct key key = key_of_queue(5);

    (void)state;
    queue_record_write(&record, key_slice(&key), value);
    check_damage(key, queue_record_size(&record), read_queue);
    assert_int_equal(read_queue(key_slice(&key), slice_of(value, queue_record_size(&record))),
                     STATUS_OK);
    assert_true(queue_config_equal(&queue_read.config, &record.config));
    assert_memory_equal(&queue_read.tally, &record.tally, sizeof record.tally);
    assert_memory_equal(queue_read.cursor, record.cursor, sizeof record.cursor);
    assert_memory_equal(queue_read.returned, record.returned, sizeof record.returned);
    assert_true(queue_read.paused && !queue_read.deleting);
    assert_true(slice_equal(queue_read.name, record.name));
}

static void test_a_record_of_another_type_is_refused(void **state)
{
    struct dead_record record = {DEAD_LOSSES, 5, 6};
    struct session_record session;
    struct key key = key_of_place(place);

    (void)state;
    dead_record_write(&record, key_slice(&key), value);
    assert_int_equal(
        session_record_read(key_slice(&key), slice_of(value, DEAD_RECORD_SIZE), &session),
        STATUS_CORRUPT);
}

static void test_attributes_are_read_in_order_and_no_further(void **state)
{
    struct attribute one = {slice_of_string("model"), slice_of_string("lstm")};
    struct attribute two = {slice_of_string("x"), SLICE_EMPTY};
    struct attribute read;
    uint8_t *end = attribute_write(&two, attribute_write(&one, value));
    struct slice body = slice_of(value, (size_t)(end - value));

    (void)state;
    assert_int_equal(body.size, attribute_size(&one) + attribute_size(&two));
    assert_true(attribute_read(&body, &read));
    assert_true(slice_equal(read.key, one.key) && slice_equal(read.value, one.value));
    assert_true(attribute_read(&body, &read));
    assert_true(slice_equal(read.key, two.key) && read.value.size == 0);
    assert_false(attribute_read(&body, &read));
}

static void test_a_lease_token_survives_and_any_other_text_is_none(void **state)
{
    struct lease_token token = {place, 9, (uint32_t)token_seal(5, 1234)};
    struct lease_token read;
    char text[TOKEN_BYTES_MAX];
    size_t size = token_write(&token, text);

    (void)state;
    assert_true(token_read(slice_of(text, size), &read));
    assert_true(place_equal(read.place, place));
    assert_int_equal(read.fence, 9);
    assert_int_equal(read.seal, token.seal);
    for (size_t i = 0; i < size; i++) {
        char kept = text[i];

        for (int c = 1; c < 256; c++) {
            text[i] = (char)c;
            if (text[i] != kept && token_read(slice_of(text, size), &read))
                fail_msg("character %zu changed to %d is taken", i, c);
        }
        text[i] = kept;
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_false(token_read(slice_of(text, cut), &read));
    assert_int_not_equal(token_seal(5, 1234), token_seal(5, 1235));
}

static void test_a_made_id_has_one_text_and_belongs_to_one_queue(void **state)
{
    static const char *const others[] = {"@ya.3.077", "@ya.3.77 ", "@ya.+3.77", "@ya.3.77.",
                                         "@ya. 3.77", "@yb.3.77",  "@.3.77",    "@ya.10.77",
                                         "@",         "ya.3.77",   "@ya.3",     "@YA.3.77"};
    struct place read;
    char text[MADE_ID_BYTES_MAX];

    (void)state;
    made_id_write(place, 1234, text);
    assert_string_equal(text, "@ya.3.77");
    assert_true(made_id_read(slice_of_string(text), 5, 1234, &read));
    assert_true(place_equal(read, place));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(made_id_read(slice_of_string(others[i]), 5, 1234, &read));
    made_id_write((struct place){1, 9, UINT64_MAX}, INT64_MAX, text);
    assert_true(made_id_read(slice_of_string(text), 1, INT64_MAX, &read));
}

static int order(struct key a, struct key b)
{
    int result = slice_compare(key_slice(&a), key_slice(&b));

    return (result > 0) - (result < 0);
}

static void test_keys_sort_in_service_order(void **state)
{
    (void)state;
    assert_int_equal(order(key_of_seq(1, 9, 500), key_of_seq(1, 8, 1)), -1);
    assert_int_equal(order(key_of_seq(1, 0, 255), key_of_seq(1, 0, 256)), -1);
    assert_int_equal(order(key_of_seq(1, 0, UINT64_MAX), key_of_seq(2, 9, 0)), -1);
    assert_int_equal(order(key_of_due(255, place), key_of_due(256, place)), -1);
    assert_int_equal(order(key_of_seq(1, 0, UINT64_MAX), key_after_queue(1)), -1);
    assert_int_equal(order(key_after_queue(1), key_of_seq(2, 9, 0)), -1);
    assert_int_equal(key_after_queue(UINT32_MAX).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_record_is_read_as_written_or_refused),
        cmocka_unit_test(test_an_active_record_is_read_as_written_or_refused),
        cmocka_unit_test(test_an_id_record_is_read_as_written_or_refused),
        cmocka_unit_test(test_a_result_is_read_as_written_or_refused),
        cmocka_unit_test(test_a_queue_record_is_read_as_written_or_refused),
        cmocka_unit_test(test_a_record_of_another_type_is_refused),
        cmocka_unit_test(test_attributes_are_read_in_order_and_no_further),
        cmocka_unit_test(test_a_lease_token_survives_and_any_other_text_is_none),
        cmocka_unit_test(test_a_made_id_has_one_text_and_belongs_to_one_queue),
        cmocka_unit_test(test_keys_sort_in_service_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
