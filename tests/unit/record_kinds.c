/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_kinds.c -- writing, reading, picturing and copying each type of record.
 */
#include "record_kinds.h"

#include "base/map.h"
#include "core/history.h"
#include "support/check.h"

static uint64_t draws;

uint64_t record_draw(void)
{
    return hash_u64(++draws);
}

struct slice record_draw_bytes(size_t size_max)
{
    static uint8_t noise[RECORD_BYTES_MAX];
    size_t size = record_draw() % (size_max + 1);

    for (size_t i = 0; noise[0] == 0 && i < sizeof noise; i++)
        noise[i] = (uint8_t)(record_draw() | 1);
    return slice_of(noise + record_draw() % (RECORD_BYTES_MAX - size), size);
}

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
    struct task_record record = {.published_ms = (int64_t)record_draw(),
                                 .dataset = (uint32_t)record_draw()};

    record.id = record_draw_bytes(TASK_ID_BYTES_MAX);
    record.body = record_draw_bytes(RECORD_INLINE_MAX);
    record.body_size = (uint32_t)record.body.size;
    if (record_draw() % 4 == 0) { /* in chunks */
        record.body = SLICE_EMPTY;
        record.body_size = RECORD_INLINE_MAX + 1 + (uint32_t)(record_draw() % 1000000);
    }
    record.attributes_size = (uint32_t)(record_draw() % (record.body_size + 1));
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
    add_bytes(image, record->history);
    add_bytes(image, record->error);
}

static struct history draw_history(void)
{
    struct history history = {.size = 0};

    for (uint64_t count = record_draw() % 4; count > 0; count--) {
        struct attempt attempt = {
            .end = (enum attempt_end)(1 + record_draw() % (ATTEMPT_END_COUNT - 1)),
            .dead_reason = (enum dead_reason)(record_draw() % DEAD_REASON_COUNT),
            .has_checkpoint = record_draw() % 2,
            .fence = (uint32_t)record_draw(),
            .session = record_draw(),
            .leased_ms = (int64_t)record_draw(),
            .ended_ms = (int64_t)record_draw(),
            .worker = record_draw_bytes(ATTEMPT_NAME_BYTES_MAX),
            .error = record_draw_bytes(ATTEMPT_ERROR_BYTES_MAX),
        };

        history_add(&history, &attempt);
    }
    return history;
}

static size_t write_active(struct slice key, uint8_t *value, struct image *image)
{
    struct active_record record = {
        .task = {.state = (enum task_state)(1 + record_draw() % (TASK_STATE_COUNT - 1)),
                 .dead_reason = (enum dead_reason)(record_draw() % (DEAD_CORRUPT + 1)),
                 .has_checkpoint = record_draw() % 2,
                 .fence = (uint32_t)record_draw(),
                 .done_fence = (uint32_t)record_draw(),
                 .failures = (uint32_t)record_draw(),
                 .preemptions = (uint32_t)record_draw(),
                 .losses = (uint32_t)record_draw(),
                 .deliveries = (uint32_t)record_draw(),
                 .session = record_draw(),
                 .published_ms = (int64_t)record_draw(),
                 .at_ms = (int64_t)record_draw(),
                 .leased_ms = (int64_t)record_draw()},
        .dataset = (uint32_t)record_draw(),
        .has_id = record_draw() % 2,
        .has_chunks = record_draw() % 2,
        .error = record_draw_bytes(ERROR_TEXT_BYTES_MAX / 8),
    };
    struct history history = draw_history();

    record.history = history_slice(&history);
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
    struct id_record record = {.done = record_draw() % 2,
                               .priority = (uint8_t)(record_draw() % PRIORITY_COUNT),
                               .seq = record_draw(),
                               .done_ms = (int64_t)record_draw(),
                               .fence = (uint32_t)record_draw()};

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
                                 .stored_ms = (int64_t)record_draw(),
                                 .dataset = (uint32_t)record_draw(),
                                 .fence = (uint32_t)record_draw(),
                                 .priority = (uint8_t)(record_draw() % PRIORITY_COUNT),
                                 .seq = record_draw(),
                                 .data = record_draw_bytes(RECORD_INLINE_MAX)};

    record.size = (uint32_t)record.data.size;
    if (record_draw() % 4 == 0) {
        record.data = SLICE_EMPTY;
        record.size = RECORD_INLINE_MAX + 1 + (uint32_t)(record_draw() % 1000000);
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
    struct slice data = record_draw_bytes(CHUNK_BYTES);

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
    struct dead_record record = {(enum dead_reason)(1 + record_draw() % DEAD_CORRUPT),
                                 (int64_t)record_draw(), (uint32_t)record_draw()};

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
        int64_t number = (int64_t)record_draw();

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
    struct queue_record record = {.created_ms = (int64_t)record_draw(),
                                  .paused = record_draw() % 2,
                                  .deleting = record_draw() % 2,
                                  .next_seq = record_draw(),
                                  .next_dataset = (uint32_t)record_draw(),
                                  .name = record_draw_bytes(QUEUE_NAME_BYTES_MAX)};

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
    struct dataset_record record = {.name = record_draw_bytes(DATASET_NAME_BYTES_MAX)};

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
#define X(name, bytes_max) add_bytes(image, record->names.name);
    WORKER_NAMES(X)
#undef X
}

static size_t write_session(struct slice key, uint8_t *value, struct image *image)
{
    struct session_record record = {.queue = (uint32_t)record_draw(),
                                    .session_ms = (int64_t)record_draw(),
                                    .opened_ms = (int64_t)record_draw()};

#define X(name, bytes_max) record.names.name = record_draw_bytes(bytes_max);
    WORKER_NAMES(X)
#undef X
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
    struct meta_record record = {(uint32_t)record_draw(), (uint32_t)record_draw(),
                                 (uint32_t)record_draw(), record_draw()};

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

/* ---- copies ---- */

#define COPY(name, size)                                                                           \
    static size_t copy_##name(struct slice key, struct slice value, uint8_t *ret_value)            \
    {                                                                                              \
        struct name##_record record;                                                               \
        enum status status = name##_record_read(key, value, &record);                              \
                                                                                                   \
        assert_int_equal(status, STATUS_OK);                                                       \
        name##_record_write(&record, key, ret_value);                                              \
        return size;                                                                               \
    }

COPY(task, task_record_size(&record))
COPY(active, active_record_size(&record))
COPY(id, ID_RECORD_SIZE)
COPY(dead, DEAD_RECORD_SIZE)
COPY(queue, queue_record_size(&record))
COPY(dataset, dataset_record_size(&record))
COPY(session, session_record_size(&record))
COPY(meta, META_RECORD_SIZE)
#undef COPY

static size_t copy_blob(struct slice key, struct slice value, uint8_t *ret_value,
                        enum record_type type)
{
    struct blob_record record;

    assert_int_equal(blob_record_read(key, value, type, &record), STATUS_OK);
    blob_record_write(&record, key, ret_value);
    return blob_record_size(&record);
}

static size_t copy_result(struct slice key, struct slice value, uint8_t *ret_value)
{
    return copy_blob(key, value, ret_value, RECORD_RESULT);
}

static size_t copy_checkpoint(struct slice key, struct slice value, uint8_t *ret_value)
{
    return copy_blob(key, value, ret_value, RECORD_CHECKPOINT);
}

static size_t copy_chunk(struct slice key, struct slice value, uint8_t *ret_value)
{
    struct slice data;

    assert_int_equal(chunk_record_read(key, value, &data), STATUS_OK);
    chunk_record_write(data, key, ret_value);
    return chunk_record_size(data);
}

const struct record_kind record_kinds[] = {
    {"task", write_task, read_task, copy_task},
    {"active", write_active, read_active, copy_active},
    {"id", write_id, read_id, copy_id},
    {"result", write_result, read_result, copy_result},
    {"checkpoint", write_checkpoint, read_checkpoint, copy_checkpoint},
    {"chunk", write_chunk, read_chunk, copy_chunk},
    {"dead", write_dead, read_dead, copy_dead},
    {"queue", write_queue, read_queue, copy_queue},
    {"dataset", write_dataset, read_dataset, copy_dataset},
    {"session", write_session, read_session, copy_session},
    {"meta", write_meta, read_meta, copy_meta},
};
const size_t record_kind_count = sizeof record_kinds / sizeof record_kinds[0];
