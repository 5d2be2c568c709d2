/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_queue.c -- the records of queues, datasets, sessions, and of the store itself.
 */
#include "core/pen.h"

static void put_tally(struct pen *self, const struct tally *tally)
{
#define X(name) pen_i64(self, tally->name);
    TALLY_TABLE(X)
#undef X
}

static void get_tally(struct eye *self, struct tally *ret)
{
#define X(name) ret->name = eye_i64(self);
    TALLY_TABLE(X)
#undef X
}

#define QUEUE_FIXED_BYTES                                                                          \
    (RECORD_HEAD_BYTES + sizeof(struct queue_config) + sizeof(struct tally) + 8 + 2 + 8 + 4 +      \
     3 * 8 * PRIORITY_COUNT)

size_t queue_record_size(const struct queue_record *self)
{
    return QUEUE_FIXED_BYTES + self->name.size;
}

void queue_record_write(const struct queue_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_QUEUE);

#define X(name, min, max, fallback) pen_i64(&pen, self->config.name);
    QUEUE_CONFIG_TABLE(X)
#undef X
    put_tally(&pen, &self->tally);
    pen_i64(&pen, self->created_ms);
    pen_u8(&pen, self->paused);
    pen_u8(&pen, self->deleting);
    pen_u64(&pen, self->next_seq);
    pen_u32(&pen, self->next_dataset);
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        pen_u64(&pen, self->cursor[i]);
        pen_i64(&pen, self->fresh[i]);
        pen_i64(&pen, self->returned[i]);
    }
    pen_bytes(&pen, self->name);
    pen_end(&pen, queue_record_size(self));
}

enum status queue_record_read(struct slice key, struct slice value, struct queue_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_QUEUE);

#define X(name, min, max, fallback) ret->config.name = eye_i64(&eye);
    QUEUE_CONFIG_TABLE(X)
#undef X
    get_tally(&eye, &ret->tally);
    ret->created_ms = eye_i64(&eye);
    ret->paused = eye_u8(&eye) != 0;
    ret->deleting = eye_u8(&eye) != 0;
    ret->next_seq = eye_u64(&eye);
    ret->next_dataset = eye_u32(&eye);
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        ret->cursor[i] = eye_u64(&eye);
        ret->fresh[i] = eye_i64(&eye);
        ret->returned[i] = eye_i64(&eye);
    }
    ret->name = eye_rest(&eye);
    return ret->name.size > QUEUE_NAME_BYTES_MAX ? STATUS_CORRUPT : eye_end(&eye);
}

size_t dataset_record_size(const struct dataset_record *self)
{
    return RECORD_HEAD_BYTES + sizeof(struct tally) + self->name.size;
}

void dataset_record_write(const struct dataset_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_DATASET);

    put_tally(&pen, &self->tally);
    pen_bytes(&pen, self->name);
    pen_end(&pen, dataset_record_size(self));
}

enum status dataset_record_read(struct slice key, struct slice value, struct dataset_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_DATASET);

    get_tally(&eye, &ret->tally);
    ret->name = eye_rest(&eye);
    return ret->name.size > DATASET_NAME_BYTES_MAX ? STATUS_CORRUPT : eye_end(&eye);
}

/* session: queue(4) session_ms(8) opened(8), then each name: size(2 as u8 u8) bytes. In the first
 * version the worker's name alone, to the end. */
#define SESSION_VERSION 2

static void put_text(struct pen *pen, struct slice text)
{
    pen_u8(pen, (uint8_t)(text.size & 0xff));
    pen_u8(pen, (uint8_t)(text.size >> 8));
    pen_bytes(pen, text);
}

static struct slice get_text(struct eye *eye)
{
    size_t size = eye_u8(eye);

    size |= (size_t)eye_u8(eye) << 8;
    return eye_bytes(eye, size);
}

static void get_names(struct eye *eye, struct worker_names *ret)
{
#define X(name, bytes_max) ret->name = get_text(eye);
    WORKER_NAMES(X)
#undef X
}

size_t session_record_size(const struct session_record *self)
{
    size_t size = RECORD_HEAD_BYTES + 4 + 8 + 8;

#define X(name, bytes_max) size += 2 + self->names.name.size;
    WORKER_NAMES(X)
#undef X
    return size;
}

void session_record_write(const struct session_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin_version(value, key, RECORD_SESSION, SESSION_VERSION);

    pen_u32(&pen, self->queue);
    pen_i64(&pen, self->session_ms);
    pen_i64(&pen, self->opened_ms);
#define X(name, bytes_max) put_text(&pen, self->names.name);
    WORKER_NAMES(X)
#undef X
    pen_end(&pen, session_record_size(self));
}

enum status session_record_read(struct slice key, struct slice value, struct session_record *ret)
{
    struct eye eye = eye_begin_versions(key, value, RECORD_SESSION, SESSION_VERSION);
    bool fits = true;

    ret->queue = eye_u32(&eye);
    ret->session_ms = eye_i64(&eye);
    ret->opened_ms = eye_i64(&eye);
    if (!eye.failed && value.data[4] < SESSION_VERSION)
        ret->names = (struct worker_names){.worker = eye_rest(&eye)};
    else
        get_names(&eye, &ret->names);
#define X(name, bytes_max) fits &= ret->names.name.size <= (bytes_max);
    WORKER_NAMES(X)
#undef X
    return fits ? eye_end(&eye) : STATUS_CORRUPT;
}

void meta_record_write(const struct meta_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_META);

    pen_u32(&pen, self->format);
    pen_u32(&pen, self->shard);
    pen_u32(&pen, self->next_queue);
    pen_u64(&pen, self->next_session);
    pen_end(&pen, META_RECORD_SIZE);
}

enum status meta_record_read(struct slice key, struct slice value, struct meta_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_META);

    ret->format = eye_u32(&eye);
    ret->shard = eye_u32(&eye);
    ret->next_queue = eye_u32(&eye);
    ret->next_session = eye_u64(&eye);
    return eye_end(&eye);
}
