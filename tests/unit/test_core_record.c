/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_record.c -- every record reads as what was written, and nothing else does: each single
 * flipped bit, each cut, each byte too many, another key and another type are STATUS_CORRUPT.
 *
 * A `kind` below is one type of record: it writes a random one, and reads it into a struct that
 * holds no pointer, so that structs can be compared.
 */
#include <stdlib.h>

#include "base/map.h"
#include "core/record.h"
#include "support/check.h"

#define ROUNDS 30
#define BYTES_MAX 8192

static uint64_t draws;

static uint64_t draw(void)
{
    return hash_u64(++draws);
}

static uint8_t noise[BYTES_MAX];

static struct slice draw_bytes(size_t size_max)
{
    size_t size = draw() % (size_max + 1);

    return slice_of(noise + draw() % (BYTES_MAX - size), size);
}

/* A record that was read: its numbers and bytes one after the other. */
struct image {
    size_t size;
    uint8_t data[BYTES_MAX];
};

static void add(struct image *self, const void *data, size_t size)
{
    assert_true(self->size + size <= sizeof self->data);
    if (size > 0)
        memcpy(self->data + self->size, data, size);
    self->size += size;
}

static void add_number(struct image *self, uint64_t value)
{
    add(self, &value, sizeof value);
}

static void add_bytes(struct image *self, struct slice bytes)
{
    add_number(self, bytes.size);
    add(self, bytes.data, bytes.size);
}

struct kind {
    const char *name;
    /* Writes a random record into `value` and its image; returns its size. */
    size_t (*write)(struct slice key, uint8_t *value, struct image *image);
    enum status (*read)(struct slice key, struct slice value, struct image *image);
};

/* ---- task ---- */

static void image_task(const struct task_record *record, struct image *image)
{
    add_number(image, (uint64_t)record->published_ms);
    add_number(image, record->dataset);
    add_number(image, record->attributes_size);
    add_number(image, record->body_size);
    add_bytes(image, record->id);
    add_bytes(image, record->body);
}

static size_t write_task(struct slice key, uint8_t *value, struct image *image)
{
    struct task_record record = {.published_ms = (int64_t)draw(), .dataset = (uint32_t)draw()};

    record.id = draw_bytes(TASK_ID_BYTES_MAX);
    record.body = draw_bytes(RECORD_INLINE_MAX);
    record.body_size = (uint32_t)record.body.size;
    if (draw() % 4 == 0) { /* in chunks */
        record.body = SLICE_EMPTY;
        record.body_size = RECORD_INLINE_MAX + 1 + (uint32_t)(draw() % 1000000);
    }
    record.attributes_size = (uint32_t)(draw() % (record.body_size + 1));
    task_record_write(&record, key, value);
    image_task(&record, image);
    return task_record_size(&record);
}

static enum status read_task(struct slice key, struct slice value, struct image *image)
{
    struct task_record record;
    enum status status = task_record_read(key, value, &record);

    if (status == STATUS_OK)
        image_task(&record, image);
    return status;
}

/* ---- active ---- */

static void image_active(const struct active_record *record, struct image *image)
{
    const struct task *task = &record->task;

    add_number(image, task->state);
    add_number(image, task->dead_reason);
    add_number(image, task->has_checkpoint);
    add_number(image, task->fence);
    add_number(image, task->done_fence);
    add_number(image, task->failures);
    add_number(image, task->preemptions);
    add_number(image, task->losses);
    add_number(image, task->deliveries);
    add_number(image, task->session);
    add_number(image, (uint64_t)task->published_ms);
    add_number(image, (uint64_t)task->at_ms);
    add_number(image, (uint64_t)task->leased_ms);
    add_number(image, record->dataset);
    add_number(image, record->has_id);
    add_number(image, record->has_chunks);
    add_bytes(image, record->error);
}

static size_t write_active(struct slice key, uint8_t *value, struct image *image)
{
    struct active_record record = {
        .task = {.state = (enum task_state)(1 + draw() % (TASK_STATE_COUNT - 1)),
                 .dead_reason = (enum dead_reason)(draw() % (DEAD_CORRUPT + 1)),
                 .has_checkpoint = draw() % 2,
                 .fence = (uint32_t)draw(),
                 .done_fence = (uint32_t)draw(),
                 .failures = (uint32_t)draw(),
                 .preemptions = (uint32_t)draw(),
                 .losses = (uint32_t)draw(),
                 .deliveries = (uint32_t)draw(),
                 .session = draw(),
                 .published_ms = (int64_t)draw(),
                 .at_ms = (int64_t)draw(),
                 .leased_ms = (int64_t)draw()},
        .dataset = (uint32_t)draw(),
        .has_id = draw() % 2,
        .has_chunks = draw() % 2,
        .error = draw_bytes(ERROR_TEXT_BYTES_MAX / 8),
    };

    active_record_write(&record, key, value);
    image_active(&record, image);
    return active_record_size(&record);
}

static enum status read_active(struct slice key, struct slice value, struct image *image)
{
    struct active_record record;
    enum status status = active_record_read(key, value, &record);

    if (status == STATUS_OK)
        image_active(&record, image);
    return status;
}

/* ---- id ---- */

static void image_id(const struct id_record *record, struct image *image)
{
    add_number(image, record->done);
    add_number(image, record->priority);
    add_number(image, record->seq);
    add_number(image, (uint64_t)record->done_ms);
    add_number(image, record->fence);
}

static size_t write_id(struct slice key, uint8_t *value, struct image *image)
{
    struct id_record record = {.done = draw() % 2,
                               .priority = (uint8_t)(draw() % PRIORITY_COUNT),
                               .seq = draw(),
                               .done_ms = (int64_t)draw(),
                               .fence = (uint32_t)draw()};

    id_record_write(&record, key, value);
    image_id(&record, image);
    return ID_RECORD_SIZE;
}

static enum status read_id(struct slice key, struct slice value, struct image *image)
{
    struct id_record record;
    enum status status = id_record_read(key, value, &record);

    if (status == STATUS_OK)
        image_id(&record, image);
    return status;
}

/* ---- result and checkpoint ---- */

static void image_blob(const struct blob_record *record, struct image *image)
{
    add_number(image, record->type);
    add_number(image, (uint64_t)record->stored_ms);
    add_number(image, record->dataset);
    add_number(image, record->fence);
    add_number(image, record->priority);
    add_number(image, record->seq);
    add_number(image, record->size);
    add_bytes(image, record->data);
}

static size_t write_blob(struct slice key, uint8_t *value, struct image *image,
                         enum record_type type)
{
    struct blob_record record = {.type = type,
                                 .stored_ms = (int64_t)draw(),
                                 .dataset = (uint32_t)draw(),
                                 .fence = (uint32_t)draw(),
                                 .priority = (uint8_t)(draw() % PRIORITY_COUNT),
                                 .seq = draw(),
                                 .data = draw_bytes(RECORD_INLINE_MAX)};

    record.size = (uint32_t)record.data.size;
    if (draw() % 4 == 0) {
        record.data = SLICE_EMPTY;
        record.size = RECORD_INLINE_MAX + 1 + (uint32_t)(draw() % 1000000);
    }
    blob_record_write(&record, key, value);
    image_blob(&record, image);
    return blob_record_size(&record);
}

static enum status read_blob(struct slice key, struct slice value, struct image *image,
                             enum record_type type)
{
    struct blob_record record;
    enum status status = blob_record_read(key, value, type, &record);

    if (status == STATUS_OK)
        image_blob(&record, image);
    return status;
}

static size_t write_result(struct slice key, uint8_t *value, struct image *image)
{
    return write_blob(key, value, image, RECORD_RESULT);
}

static enum status read_result(struct slice key, struct slice value, struct image *image)
{
    return read_blob(key, value, image, RECORD_RESULT);
}

static size_t write_checkpoint(struct slice key, uint8_t *value, struct image *image)
{
    return write_blob(key, value, image, RECORD_CHECKPOINT);
}

static enum status read_checkpoint(struct slice key, struct slice value, struct image *image)
{
    return read_blob(key, value, image, RECORD_CHECKPOINT);
}

/* ---- chunk, dead, dataset, session, meta, queue ---- */

static size_t write_chunk(struct slice key, uint8_t *value, struct image *image)
{
    struct slice data = draw_bytes(CHUNK_BYTES);

    chunk_record_write(data, key, value);
    add_bytes(image, data);
    return chunk_record_size(data);
}

static enum status read_chunk(struct slice key, struct slice value, struct image *image)
{
    struct slice data;
    enum status status = chunk_record_read(key, value, &data);

    if (status == STATUS_OK)
        add_bytes(image, data);
    return status;
}

static void image_dead(const struct dead_record *record, struct image *image)
{
    add_number(image, record->reason);
    add_number(image, (uint64_t)record->dead_ms);
    add_number(image, record->dataset);
}

static size_t write_dead(struct slice key, uint8_t *value, struct image *image)
{
    struct dead_record record = {(enum dead_reason)(1 + draw() % DEAD_CORRUPT), (int64_t)draw(),
                                 (uint32_t)draw()};

    dead_record_write(&record, key, value);
    image_dead(&record, image);
    return DEAD_RECORD_SIZE;
}

static enum status read_dead(struct slice key, struct slice value, struct image *image)
{
    struct dead_record record;
    enum status status = dead_record_read(key, value, &record);

    if (status == STATUS_OK)
        image_dead(&record, image);
    return status;
}

static void draw_numbers(void *numbers, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(int64_t)) {
        int64_t number = (int64_t)draw();

        memcpy((char *)numbers + i, &number, sizeof number);
    }
}

static void image_queue(const struct queue_record *record, struct image *image)
{
    add(image, &record->config, sizeof record->config);
    add(image, &record->tally, sizeof record->tally);
    add_number(image, (uint64_t)record->created_ms);
    add_number(image, record->paused);
    add_number(image, record->deleting);
    add_number(image, record->next_seq);
    add_number(image, record->next_dataset);
    add(image, record->cursor, sizeof record->cursor);
    add(image, record->fresh, sizeof record->fresh);
    add(image, record->returned, sizeof record->returned);
    add_bytes(image, record->name);
}

static size_t write_queue(struct slice key, uint8_t *value, struct image *image)
{
    struct queue_record record = {.created_ms = (int64_t)draw(),
                                  .paused = draw() % 2,
                                  .deleting = draw() % 2,
                                  .next_seq = draw(),
                                  .next_dataset = (uint32_t)draw(),
                                  .name = draw_bytes(QUEUE_NAME_BYTES_MAX)};

    draw_numbers(&record.config, sizeof record.config);
    draw_numbers(&record.tally, sizeof record.tally);
    draw_numbers(record.cursor, sizeof record.cursor);
    draw_numbers(record.fresh, sizeof record.fresh);
    draw_numbers(record.returned, sizeof record.returned);
    queue_record_write(&record, key, value);
    image_queue(&record, image);
    return queue_record_size(&record);
}

static enum status read_queue(struct slice key, struct slice value, struct image *image)
{
    struct queue_record record;
    enum status status = queue_record_read(key, value, &record);

    if (status == STATUS_OK)
        image_queue(&record, image);
    return status;
}

static size_t write_dataset(struct slice key, uint8_t *value, struct image *image)
{
    struct dataset_record record = {.name = draw_bytes(DATASET_NAME_BYTES_MAX)};

    draw_numbers(&record.tally, sizeof record.tally);
    dataset_record_write(&record, key, value);
    add(image, &record.tally, sizeof record.tally);
    add_bytes(image, record.name);
    return dataset_record_size(&record);
}

static enum status read_dataset(struct slice key, struct slice value, struct image *image)
{
    struct dataset_record record;
    enum status status = dataset_record_read(key, value, &record);

    if (status == STATUS_OK) {
        add(image, &record.tally, sizeof record.tally);
        add_bytes(image, record.name);
    }
    return status;
}

static void image_session(const struct session_record *record, struct image *image)
{
    add_number(image, record->queue);
    add_number(image, (uint64_t)record->session_ms);
    add_number(image, (uint64_t)record->opened_ms);
    add_bytes(image, record->worker);
}

static size_t write_session(struct slice key, uint8_t *value, struct image *image)
{
    struct session_record record = {(uint32_t)draw(), (int64_t)draw(), (int64_t)draw(),
                                    draw_bytes(WORKER_NAME_BYTES_MAX)};

    session_record_write(&record, key, value);
    image_session(&record, image);
    return session_record_size(&record);
}

static enum status read_session(struct slice key, struct slice value, struct image *image)
{
    struct session_record record;
    enum status status = session_record_read(key, value, &record);

    if (status == STATUS_OK)
        image_session(&record, image);
    return status;
}

static void image_meta(const struct meta_record *record, struct image *image)
{
    add_number(image, record->format);
    add_number(image, record->shard);
    add_number(image, record->next_queue);
    add_number(image, record->next_session);
}

static size_t write_meta(struct slice key, uint8_t *value, struct image *image)
{
    struct meta_record record = {(uint32_t)draw(), (uint32_t)draw(), (uint32_t)draw(), draw()};

    meta_record_write(&record, key, value);
    image_meta(&record, image);
    return META_RECORD_SIZE;
}

static enum status read_meta(struct slice key, struct slice value, struct image *image)
{
    struct meta_record record;
    enum status status = meta_record_read(key, value, &record);

    if (status == STATUS_OK)
        image_meta(&record, image);
    return status;
}

static const struct kind kinds[] = {
    {"task", write_task, read_task},
    {"active", write_active, read_active},
    {"id", write_id, read_id},
    {"result", write_result, read_result},
    {"checkpoint", write_checkpoint, read_checkpoint},
    {"chunk", write_chunk, read_chunk},
    {"dead", write_dead, read_dead},
    {"queue", write_queue, read_queue},
    {"dataset", write_dataset, read_dataset},
    {"session", write_session, read_session},
    {"meta", write_meta, read_meta},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* A record in memory of exactly its size, so that a sanitizer sees a step beyond. */
struct made {
    struct key key;
    uint8_t *value;
    size_t size;
    struct image image;
};

static struct made make(const struct kind *kind)
{
    static uint8_t buffer[2 * BYTES_MAX];
    struct made made = {.key = key_of_place((struct place){(uint32_t)draw(), 3, draw()})};

    made.size = kind->write(key_slice(&made.key), buffer, &made.image);
    made.value = malloc(made.size);
    assert_non_null(made.value);
    memcpy(made.value, buffer, made.size);
    return made;
}

static enum status read_as(const struct kind *kind, struct slice key, const uint8_t *value,
                           size_t size)
{
    struct image image = {.size = 0};

    return kind->read(key, slice_of(value, size), &image);
}

static void test_every_record_reads_as_what_was_written(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        for (int i = 0; i < 10 * ROUNDS; i++) {
            struct made made = make(&kinds[k]);
            struct image image = {.size = 0};

            assert_int_equal(
                kinds[k].read(key_slice(&made.key), slice_of(made.value, made.size), &image),
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
    for (size_t k = 0; k < KINDS; k++) {
        for (int i = 0; i < ROUNDS / 10; i++) {
            struct made made = make(&kinds[k]);

            for (size_t bit = 0; bit < made.size * 8; bit++) {
                made.value[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_equal(read_as(&kinds[k], key_slice(&made.key), made.value, made.size),
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
    for (size_t k = 0; k < KINDS; k++) {
        struct made made = make(&kinds[k]);
        uint8_t *longer = calloc(1, made.size + 9);

        assert_non_null(longer);
        for (size_t size = 0; size < made.size; size++) {
            uint8_t *cut = malloc(size == 0 ? 1 : size);

            assert_non_null(cut);
            memcpy(cut, made.value, size);
            assert_int_equal(read_as(&kinds[k], key_slice(&made.key), cut, size), STATUS_CORRUPT);
            free(cut);
        }
        memcpy(longer, made.value, made.size);
        for (size_t more = 1; more <= 9; more++)
            assert_int_equal(read_as(&kinds[k], key_slice(&made.key), longer, made.size + more),
                             STATUS_CORRUPT);
        free(longer);
        free(made.value);
    }
}

static void test_a_record_in_the_wrong_place_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct made made = make(&kinds[k]);

        for (size_t bit = 0; bit < made.key.size * 8; bit++) {
            struct key other = made.key;

            other.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(read_as(&kinds[k], key_slice(&other), made.value, made.size),
                             STATUS_CORRUPT);
        }
        free(made.value);
    }
}

static void test_a_record_of_another_type_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct made made = make(&kinds[k]);

        for (size_t other = 0; other < KINDS; other++)
            if (other != k)
                assert_int_equal(
                    read_as(&kinds[other], key_slice(&made.key), made.value, made.size),
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
    for (size_t k = 0; k < KINDS; k++) {
        for (int i = 0; i < 20 * ROUNDS; i++) {
            struct made made = make(&kinds[k]);
            struct image image = {.size = 0};

            made.value[6 + draw() % (made.size - 6)] = (uint8_t)draw();
            made.size = 6 + draw() % (made.size - 5);
            seal(key_slice(&made.key), made.value, made.size);
            /* Refused or read: the sanitizer watches that nothing beyond is touched. */
            if (kinds[k].read(key_slice(&made.key), slice_of(made.value, made.size), &image) ==
                STATUS_OK)
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
    struct image image = {.size = 0};
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
        assert_int_equal(read_dead(key_slice(&key), slice_of(value, DEAD_RECORD_SIZE), &image),
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
        attributes[i] = (struct attribute){draw_bytes(25), draw_bytes(25)};
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

static int make_noise(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)draw();
    return 0;
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

    return cmocka_run_group_tests(tests, make_noise, NULL);
}
