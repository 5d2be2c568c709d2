/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_task.c -- the records of tasks: as published, as touched, their IDs, blobs and chunks.
 */
#include "core/history.h"
#include "core/pen.h"

/* task: published(8) dataset(4) attributes_size(4) body_size(4) id_size(2 as u8 u8) id body */

size_t task_record_size(const struct task_record *self)
{
    return RECORD_HEAD_BYTES + 8 + 4 + 4 + 4 + 2 + self->id.size + self->body.size;
}

void task_record_write(const struct task_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_TASK);

    pen_i64(&pen, self->published_ms);
    pen_u32(&pen, self->dataset);
    pen_u32(&pen, self->attributes_size);
    pen_u32(&pen, self->body_size);
    pen_u8(&pen, (uint8_t)(self->id.size & 0xff));
    pen_u8(&pen, (uint8_t)(self->id.size >> 8));
    pen_bytes(&pen, self->id);
    pen_bytes(&pen, self->body);
    pen_end(&pen, task_record_size(self));
}

enum status task_record_read(struct slice key, struct slice value, struct task_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_TASK);
    size_t id_size;

    ret->published_ms = eye_i64(&eye);
    ret->dataset = eye_u32(&eye);
    ret->attributes_size = eye_u32(&eye);
    ret->body_size = eye_u32(&eye);
    id_size = eye_u8(&eye);
    id_size |= (size_t)eye_u8(&eye) << 8;
    ret->id = eye_bytes(&eye, id_size);
    ret->body = eye_rest(&eye);
    if (ret->attributes_size > ret->body_size || id_size > TASK_ID_BYTES_MAX ||
        ret->body.size != (is_inline(ret->body_size) ? ret->body_size : 0))
        return STATUS_CORRUPT;
    return eye_end(&eye);
}

/* active: the fields of struct task, dataset(4), history size(2 as u8 u8) and history if it has
 * one, error */

/* active's flags */
#define ACTIVE_HAS_CHECKPOINT 1
#define ACTIVE_HAS_ID 2
#define ACTIVE_HAS_CHUNKS 4
#define ACTIVE_HAS_HISTORY 8

#define ACTIVE_FIXED_BYTES (RECORD_HEAD_BYTES + 3 + 6 * 4 + 4 * 8 + 4)

size_t active_record_size(const struct active_record *self)
{
    size_t history_size = self->history.size > 0 ? 2 + self->history.size : 0;

    return ACTIVE_FIXED_BYTES + history_size + self->error.size;
}

void active_record_write(const struct active_record *self, struct slice key, uint8_t *value)
{
    const struct task *task = &self->task;
    struct pen pen = pen_begin(value, key, RECORD_ACTIVE);

    pen_u8(&pen, (uint8_t)task->state);
    pen_u8(&pen, (uint8_t)task->dead_reason);
    pen_u8(&pen, (uint8_t)((task->has_checkpoint ? ACTIVE_HAS_CHECKPOINT : 0) |
                           (self->has_id ? ACTIVE_HAS_ID : 0) |
                           (self->has_chunks ? ACTIVE_HAS_CHUNKS : 0) |
                           (self->history.size > 0 ? ACTIVE_HAS_HISTORY : 0)));
    pen_u32(&pen, task->fence);
    pen_u32(&pen, task->done_fence);
    pen_u32(&pen, task->failures);
    pen_u32(&pen, task->preemptions);
    pen_u32(&pen, task->losses);
    pen_u32(&pen, task->deliveries);
    pen_u64(&pen, task->session);
    pen_i64(&pen, task->published_ms);
    pen_i64(&pen, task->at_ms);
    pen_i64(&pen, task->leased_ms);
    pen_u32(&pen, self->dataset);
    if (self->history.size > 0) {
        pen_u8(&pen, (uint8_t)(self->history.size & 0xff));
        pen_u8(&pen, (uint8_t)(self->history.size >> 8));
        pen_bytes(&pen, self->history);
    }
    pen_bytes(&pen, self->error);
    pen_end(&pen, active_record_size(self));
}

/* Takes the history off the front. */
static bool take_history(struct slice *rest, struct slice *ret_history)
{
    struct eye eye = {rest->data, rest->size, false};
    size_t size = eye_u8(&eye);

    size |= (size_t)eye_u8(&eye) << 8;
    *ret_history = eye_bytes(&eye, size);
    *rest = eye_rest(&eye);
    return !eye.failed && size > 0 && size <= HISTORY_BYTES_MAX && history_is_whole(*ret_history);
}

enum status active_record_read(struct slice key, struct slice value, struct active_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_ACTIVE);
    struct task *task = &ret->task;
    uint8_t flags;

    task->state = eye_u8(&eye);
    task->dead_reason = eye_u8(&eye);
    flags = eye_u8(&eye);
    task->has_checkpoint = (flags & ACTIVE_HAS_CHECKPOINT) != 0;
    ret->has_id = (flags & ACTIVE_HAS_ID) != 0;
    ret->has_chunks = (flags & ACTIVE_HAS_CHUNKS) != 0;
    task->fence = eye_u32(&eye);
    task->done_fence = eye_u32(&eye);
    task->failures = eye_u32(&eye);
    task->preemptions = eye_u32(&eye);
    task->losses = eye_u32(&eye);
    task->deliveries = eye_u32(&eye);
    task->session = eye_u64(&eye);
    task->published_ms = eye_i64(&eye);
    task->at_ms = eye_i64(&eye);
    task->leased_ms = eye_i64(&eye);
    ret->dataset = eye_u32(&eye);
    ret->history = SLICE_EMPTY;
    ret->error = eye_rest(&eye);
    if ((flags & ACTIVE_HAS_HISTORY) != 0 && !take_history(&ret->error, &ret->history))
        return STATUS_CORRUPT;
    if (task->state == TASK_NONE || task->state >= TASK_STATE_COUNT ||
        task->dead_reason > DEAD_CORRUPT)
        return STATUS_CORRUPT;
    return eye_end(&eye);
}

void id_record_write(const struct id_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_ID);

    pen_u8(&pen, self->done);
    pen_u8(&pen, self->priority);
    pen_u64(&pen, self->seq);
    pen_i64(&pen, self->done_ms);
    pen_u32(&pen, self->fence);
    pen_end(&pen, ID_RECORD_SIZE);
}

enum status id_record_read(struct slice key, struct slice value, struct id_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_ID);

    ret->done = eye_u8(&eye) != 0;
    ret->priority = eye_u8(&eye);
    ret->seq = eye_u64(&eye);
    ret->done_ms = eye_i64(&eye);
    ret->fence = eye_u32(&eye);
    return ret->priority > PRIORITY_MAX ? STATUS_CORRUPT : eye_end(&eye);
}

#define BLOB_FIXED_BYTES (RECORD_HEAD_BYTES + 8 + 4 + 4 + 1 + 8 + 4)

size_t blob_record_size(const struct blob_record *self)
{
    return BLOB_FIXED_BYTES + self->data.size;
}

void blob_record_write(const struct blob_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, self->type);

    pen_i64(&pen, self->stored_ms);
    pen_u32(&pen, self->dataset);
    pen_u32(&pen, self->fence);
    pen_u8(&pen, self->priority);
    pen_u64(&pen, self->seq);
    pen_u32(&pen, self->size);
    pen_bytes(&pen, self->data);
    pen_end(&pen, blob_record_size(self));
}

enum status blob_record_read(struct slice key, struct slice value, enum record_type type,
                             struct blob_record *ret)
{
    struct eye eye = eye_begin(key, value, type);

    ret->type = type;
    ret->stored_ms = eye_i64(&eye);
    ret->dataset = eye_u32(&eye);
    ret->fence = eye_u32(&eye);
    ret->priority = eye_u8(&eye);
    ret->seq = eye_u64(&eye);
    ret->size = eye_u32(&eye);
    ret->data = eye_rest(&eye);
    if (ret->priority > PRIORITY_MAX || ret->data.size != (is_inline(ret->size) ? ret->size : 0))
        return STATUS_CORRUPT;
    return eye_end(&eye);
}

size_t chunk_record_size(struct slice data)
{
    return RECORD_HEAD_BYTES + data.size;
}

void chunk_record_write(struct slice data, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_CHUNK);

    pen_bytes(&pen, data);
    pen_end(&pen, chunk_record_size(data));
}

enum status chunk_record_read(struct slice key, struct slice value, struct slice *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_CHUNK);

    *ret = eye_rest(&eye);
    return eye_end(&eye);
}

void dead_record_write(const struct dead_record *self, struct slice key, uint8_t *value)
{
    struct pen pen = pen_begin(value, key, RECORD_DEAD);

    pen_u8(&pen, (uint8_t)self->reason);
    pen_i64(&pen, self->dead_ms);
    pen_u32(&pen, self->dataset);
    pen_end(&pen, DEAD_RECORD_SIZE);
}

enum status dead_record_read(struct slice key, struct slice value, struct dead_record *ret)
{
    struct eye eye = eye_begin(key, value, RECORD_DEAD);

    ret->reason = eye_u8(&eye);
    ret->dead_ms = eye_i64(&eye);
    ret->dataset = eye_u32(&eye);
    return ret->reason == DEAD_NOT || ret->reason > DEAD_CORRUPT ? STATUS_CORRUPT : eye_end(&eye);
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
