/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c -- the bytes of record.h.
 *
 * A `struct pen` writes fields in order and a `struct eye` reads them in the same order; the eye
 * remembers whether it ever looked past the end, so that readers look once, at the end.
 */
#include "core/record.h"

#include "base/assert.h"

#define HEAD_BYTES 6
#define VERSION 1

struct pen {
    uint8_t *start;
    uint8_t *at;
    struct slice key;
};

struct eye {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static struct pen pen_begin(uint8_t *value, struct slice key, enum record_type type)
{
    value[4] = VERSION;
    value[5] = (uint8_t)type;
    return (struct pen){value, value + HEAD_BYTES, key};
}

static uint32_t record_crc(struct slice key, const uint8_t *value, size_t size)
{
    return crc32c(crc32c(0, key.data, key.size), value + 4, size - 4);
}

/* Seals the record; `size` is what was reserved, and must be what was written. */
static void pen_end(struct pen *self, size_t size)
{
    uint32_t crc = record_crc(self->key, self->start, size);

    ASSERT((size_t)(self->at - self->start) == size);
    memcpy(self->start, &crc, sizeof crc);
}

static void put_u8(struct pen *self, uint8_t value)
{
    *self->at++ = value;
}

static void put_u32(struct pen *self, uint32_t value)
{
    memcpy(self->at, &value, sizeof value);
    self->at += sizeof value;
}

static void put_u64(struct pen *self, uint64_t value)
{
    memcpy(self->at, &value, sizeof value);
    self->at += sizeof value;
}

static void put_i64(struct pen *self, int64_t value)
{
    put_u64(self, (uint64_t)value);
}

static void put_bytes(struct pen *self, struct slice data)
{
    if (data.size > 0)
        memcpy(self->at, data.data, data.size);
    self->at += data.size;
}

static struct eye eye_begin(struct slice key, struct slice value, enum record_type type)
{
    uint32_t crc;

    if (value.size < HEAD_BYTES || value.data[4] != VERSION || value.data[5] != (uint8_t)type)
        return (struct eye){.failed = true};
    memcpy(&crc, value.data, sizeof crc);
    if (crc != record_crc(key, value.data, value.size))
        return (struct eye){.failed = true};
    return (struct eye){value.data + HEAD_BYTES, value.size - HEAD_BYTES, false};
}

static const uint8_t *take(struct eye *self, size_t size)
{
    const uint8_t *at = self->at;

    if (self->failed || self->left < size) {
        self->failed = true;
        return NULL;
    }
    self->at += size;
    self->left -= size;
    return at;
}

static uint8_t get_u8(struct eye *self)
{
    const uint8_t *at = take(self, 1);

    return at == NULL ? 0 : *at;
}

static uint32_t get_u32(struct eye *self)
{
    const uint8_t *at = take(self, 4);
    uint32_t value = 0;

    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t get_u64(struct eye *self)
{
    const uint8_t *at = take(self, 8);
    uint64_t value = 0;

    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return value;
}

static int64_t get_i64(struct eye *self)
{
    return (int64_t)get_u64(self);
}

static struct slice get_bytes(struct eye *self, size_t size)
{
    const uint8_t *at = take(self, size);

    return at == NULL ? SLICE_EMPTY : slice_of(at, size);
}

static struct slice get_rest(struct eye *self)
{
    return get_bytes(self, self->left);
}

static enum status eye_end(const struct eye *self)
{
    return self->failed || self->left != 0 ? STATUS_CORRUPT : STATUS_OK;
}

/* task: published(8) dataset(4) attributes_size(4) body_size(4) id_size(2 as u8 u8) id body */

size_t task_record_size(const struct task_record *self)
{
    return HEAD_BYTES + 8 + 4 + 4 + 4 + 2 + self->id.size + self->body.size;
}

void task_record_write(const struct task_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_TASK);

    put_i64(&pen, self->published_ms);
    put_u32(&pen, self->dataset);
    put_u32(&pen, self->attributes_size);
    put_u32(&pen, self->body_size);
    put_u8(&pen, (uint8_t)(self->id.size & 0xff));
    put_u8(&pen, (uint8_t)(self->id.size >> 8));
    put_bytes(&pen, self->id);
    put_bytes(&pen, self->body);
    pen_end(&pen, task_record_size(self));
}

enum status task_record_read(struct slice key, struct slice value, struct task_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_TASK);
    size_t id_size;

    ret->published_ms = get_i64(&eye);
    ret->dataset = get_u32(&eye);
    ret->attributes_size = get_u32(&eye);
    ret->body_size = get_u32(&eye);
    id_size = get_u8(&eye);
    id_size |= (size_t)get_u8(&eye) << 8;
    ret->id = get_bytes(&eye, id_size);
    ret->body = get_rest(&eye);
    if (ret->attributes_size > ret->body_size || id_size > TASK_ID_BYTES_MAX ||
        ret->body.size != (is_inline(ret->body_size) ? ret->body_size : 0))
        return STATUS_CORRUPT;
    return eye_end(&eye);
}

/* active: the fields of struct task, dataset(4), error */

/* active's flags */
#define ACTIVE_HAS_CHECKPOINT 1
#define ACTIVE_HAS_ID 2
#define ACTIVE_HAS_CHUNKS 4

#define ACTIVE_FIXED_BYTES (HEAD_BYTES + 3 + 6 * 4 + 4 * 8 + 4)

size_t active_record_size(const struct active_record *self)
{
    return ACTIVE_FIXED_BYTES + self->error.size;
}

void active_record_write(const struct active_record *self, struct slice key, uint8_t *value)
{
    const struct task *task = &self->task;
    struct pen pen = pen_begin(value, key, RECORD_ACTIVE);

    put_u8(&pen, (uint8_t)task->state);
    put_u8(&pen, (uint8_t)task->dead_reason);
    put_u8(&pen, (uint8_t)((task->has_checkpoint ? ACTIVE_HAS_CHECKPOINT : 0) |
                           (self->has_id ? ACTIVE_HAS_ID : 0) |
                           (self->has_chunks ? ACTIVE_HAS_CHUNKS : 0)));
    put_u32(&pen, task->fence);
    put_u32(&pen, task->done_fence);
    put_u32(&pen, task->failures);
    put_u32(&pen, task->preemptions);
    put_u32(&pen, task->losses);
    put_u32(&pen, task->deliveries);
    put_u64(&pen, task->session);
    put_i64(&pen, task->published_ms);
    put_i64(&pen, task->at_ms);
    put_i64(&pen, task->leased_ms);
    put_u32(&pen, self->dataset);
    put_bytes(&pen, self->error);
    pen_end(&pen, active_record_size(self));
}

enum status active_record_read(struct slice key, struct slice value, struct active_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_ACTIVE);
    struct task *task = &ret->task;
    uint8_t flags;

    task->state = get_u8(&eye);
    task->dead_reason = get_u8(&eye);
    flags = get_u8(&eye);
    task->has_checkpoint = (flags & ACTIVE_HAS_CHECKPOINT) != 0;
    ret->has_id = (flags & ACTIVE_HAS_ID) != 0;
    ret->has_chunks = (flags & ACTIVE_HAS_CHUNKS) != 0;
    task->fence = get_u32(&eye);
    task->done_fence = get_u32(&eye);
    task->failures = get_u32(&eye);
    task->preemptions = get_u32(&eye);
    task->losses = get_u32(&eye);
    task->deliveries = get_u32(&eye);
    task->session = get_u64(&eye);
    task->published_ms = get_i64(&eye);
    task->at_ms = get_i64(&eye);
    task->leased_ms = get_i64(&eye);
    ret->dataset = get_u32(&eye);
    ret->error = get_rest(&eye);
    if (task->state == TASK_NONE || task->state >= TASK_STATE_COUNT ||
        task->dead_reason > DEAD_CORRUPT)
        return STATUS_CORRUPT;
    return eye_end(&eye);
}

void id_record_write(const struct id_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_ID);

    put_u8(&pen, self->done);
    put_u8(&pen, self->priority);
    put_u64(&pen, self->seq);
    put_i64(&pen, self->done_ms);
    put_u32(&pen, self->fence);
    pen_end(&pen, ID_RECORD_SIZE);
}

enum status id_record_read(struct slice key, struct slice value, struct id_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_ID);

    ret->done = get_u8(&eye) != 0;
    ret->priority = get_u8(&eye);
    ret->seq = get_u64(&eye);
    ret->done_ms = get_i64(&eye);
    ret->fence = get_u32(&eye);
    return ret->priority > PRIORITY_MAX ? STATUS_CORRUPT : eye_end(&eye);
}

#define BLOB_FIXED_BYTES (HEAD_BYTES + 8 + 4 + 4 + 1 + 8 + 4)

size_t blob_record_size(const struct blob_record *self)
{
    return BLOB_FIXED_BYTES + self->data.size;
}

void blob_record_write(const struct blob_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, self->type);

    put_i64(&pen, self->stored_ms);
    put_u32(&pen, self->dataset);
    put_u32(&pen, self->fence);
    put_u8(&pen, self->priority);
    put_u64(&pen, self->seq);
    put_u32(&pen, self->size);
    put_bytes(&pen, self->data);
    pen_end(&pen, blob_record_size(self));
}

enum status blob_record_read(struct slice key, struct slice value, enum record_type type,
                             struct blob_record *ret)
{
    struct eye eye = eye_begin(key, value, type);

    ret->type = type;
    ret->stored_ms = get_i64(&eye);
    ret->dataset = get_u32(&eye);
    ret->fence = get_u32(&eye);
    ret->priority = get_u8(&eye);
    ret->seq = get_u64(&eye);
    ret->size = get_u32(&eye);
    ret->data = get_rest(&eye);
    if (ret->priority > PRIORITY_MAX || ret->data.size != (is_inline(ret->size) ? ret->size : 0))
        return STATUS_CORRUPT;
    return eye_end(&eye);
}

size_t chunk_record_size(struct slice data)
{
    return HEAD_BYTES + data.size;
}

void chunk_record_write(struct slice data, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_CHUNK);

    put_bytes(&pen, data);
    pen_end(&pen, chunk_record_size(data));
}

enum status chunk_record_read(struct slice key, struct slice value, struct slice *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_CHUNK);

    *ret = get_rest(&eye);
    return eye_end(&eye);
}

void dead_record_write(const struct dead_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_DEAD);

    put_u8(&pen, (uint8_t)self->reason);
    put_i64(&pen, self->dead_ms);
    put_u32(&pen, self->dataset);
    pen_end(&pen, DEAD_RECORD_SIZE);
}

enum status dead_record_read(struct slice key, struct slice value, struct dead_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_DEAD);

    ret->reason = get_u8(&eye);
    ret->dead_ms = get_i64(&eye);
    ret->dataset = get_u32(&eye);
    return eye_end(&eye);
}

static void put_tally(struct pen *self, const struct tally *tally)
{
#define X(name) put_i64(self, tally->name);
    TALLY_TABLE(X)
#undef X
}

static void get_tally(struct eye *self, struct tally *ret)
{
#define X(name) ret->name = get_i64(self);
    TALLY_TABLE(X)
#undef X
}

#define QUEUE_FIXED_BYTES                                                                          \
    (HEAD_BYTES + sizeof(struct queue_config) + sizeof(struct tally) + 8 + 2 + 8 + 4 +             \
     3 * 8 * PRIORITY_COUNT)

size_t queue_record_size(const struct queue_record *self)
{
    return QUEUE_FIXED_BYTES + self->name.size;
}

void queue_record_write(const struct queue_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_QUEUE);

#define X(name, min, max, fallback) put_i64(&pen, self->config.name);
    QUEUE_CONFIG_TABLE(X)
#undef X
    put_tally(&pen, &self->tally);
    put_i64(&pen, self->created_ms);
    put_u8(&pen, self->paused);
    put_u8(&pen, self->deleting);
    put_u64(&pen, self->next_seq);
    put_u32(&pen, self->next_dataset);
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        put_u64(&pen, self->cursor[i]);
        put_i64(&pen, self->fresh[i]);
        put_i64(&pen, self->returned[i]);
    }
    put_bytes(&pen, self->name);
    pen_end(&pen, queue_record_size(self));
}

enum status queue_record_read(struct slice key, struct slice value, struct queue_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_QUEUE);

#define X(name, min, max, fallback) ret->config.name = get_i64(&eye);
    QUEUE_CONFIG_TABLE(X)
#undef X
    get_tally(&eye, &ret->tally);
    ret->created_ms = get_i64(&eye);
    ret->paused = get_u8(&eye) != 0;
    ret->deleting = get_u8(&eye) != 0;
    ret->next_seq = get_u64(&eye);
    ret->next_dataset = get_u32(&eye);
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        ret->cursor[i] = get_u64(&eye);
        ret->fresh[i] = get_i64(&eye);
        ret->returned[i] = get_i64(&eye);
    }
    ret->name = get_rest(&eye);
    return ret->name.size > QUEUE_NAME_BYTES_MAX ? STATUS_CORRUPT : eye_end(&eye);
}

size_t dataset_record_size(const struct dataset_record *self)
{
    return HEAD_BYTES + sizeof(struct tally) + self->name.size;
}

void dataset_record_write(const struct dataset_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_DATASET);

    put_tally(&pen, &self->tally);
    put_bytes(&pen, self->name);
    pen_end(&pen, dataset_record_size(self));
}

enum status dataset_record_read(struct slice key, struct slice value, struct dataset_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_DATASET);

    get_tally(&eye, &ret->tally);
    ret->name = get_rest(&eye);
    return ret->name.size > DATASET_NAME_BYTES_MAX ? STATUS_CORRUPT : eye_end(&eye);
}

size_t session_record_size(const struct session_record *self)
{
    return HEAD_BYTES + 4 + 8 + 8 + self->worker.size;
}

void session_record_write(const struct session_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_SESSION);

    put_u32(&pen, self->queue);
    put_i64(&pen, self->session_ms);
    put_i64(&pen, self->opened_ms);
    put_bytes(&pen, self->worker);
    pen_end(&pen, session_record_size(self));
}

enum status session_record_read(struct slice key, struct slice value, struct session_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_SESSION);

    ret->queue = get_u32(&eye);
    ret->session_ms = get_i64(&eye);
    ret->opened_ms = get_i64(&eye);
    ret->worker = get_rest(&eye);
    return ret->worker.size > WORKER_NAME_BYTES_MAX ? STATUS_CORRUPT : eye_end(&eye);
}

void meta_record_write(const struct meta_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_META);

    put_u32(&pen, self->format);
    put_u32(&pen, self->shard);
    put_u32(&pen, self->next_queue);
    put_u64(&pen, self->next_session);
    pen_end(&pen, META_RECORD_SIZE);
}

enum status meta_record_read(struct slice key, struct slice value, struct meta_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_META);

    ret->format = get_u32(&eye);
    ret->shard = get_u32(&eye);
    ret->next_queue = get_u32(&eye);
    ret->next_session = get_u64(&eye);
    return eye_end(&eye);
}

uint8_t *attribute_write(const struct attribute *self, uint8_t *at)
{
    at[0] = (uint8_t)(self->key.size & 0xff);
    at[1] = (uint8_t)(self->key.size >> 8);
    at[2] = (uint8_t)(self->value.size & 0xff);
    at[3] = (uint8_t)(self->value.size >> 8);
    at += 4;
    if (self->key.size > 0)
        memcpy(at, self->key.data, self->key.size);
    at += self->key.size;
    if (self->value.size > 0)
        memcpy(at, self->value.data, self->value.size);
    return at + self->value.size;
}

bool attribute_read(struct slice *body, struct attribute *ret)
{
    size_t key_size;
    size_t value_size;

    if (body->size < 4)
        return false;
    key_size = body->data[0] | (size_t)body->data[1] << 8;
    value_size = body->data[2] | (size_t)body->data[3] << 8;
    if (body->size - 4 < key_size + value_size)
        return false;
    ret->key = slice_of(body->data + 4, key_size);
    ret->value = slice_of(body->data + 4 + key_size, value_size);
    *body =
        slice_of(body->data + 4 + key_size + value_size, body->size - 4 - key_size - value_size);
    return true;
}
