/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pen.h -- writing and reading the fields of a record, one after the other. Private to core.
 *
 * A `struct pen` writes fields in order and a `struct eye` reads them in the same order; the eye
 * remembers whether it ever looked past the end, so that readers look once, at the end.
 */
#ifndef ACKD_CORE_PEN_H
#define ACKD_CORE_PEN_H

#include "base/assert.h"
#include "core/record.h"

#define RECORD_HEAD_BYTES 6 /* crc32c(4) version(1) type(1) */
#define RECORD_VERSION 1    /* of most */

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

static inline struct pen pen_begin_version(uint8_t *value, struct slice key, enum record_type type,
                                           uint8_t version)
{
    value[4] = version;
    value[5] = (uint8_t)type;
    return (struct pen){value, value + RECORD_HEAD_BYTES, key};
}

static inline struct pen pen_begin(uint8_t *value, struct slice key, enum record_type type)
{
    return pen_begin_version(value, key, type, RECORD_VERSION);
}

static inline uint32_t record_crc(struct slice key, const uint8_t *value, size_t size)
{
    return crc32c(crc32c(0, key.data, key.size), value + 4, size - 4);
}

/* Seals the record; `size` is what was reserved, and must be what was written. */
static inline void pen_end(struct pen *self, size_t size)
{
    uint32_t crc = record_crc(self->key, self->start, size);

    ASSERT((size_t)(self->at - self->start) == size);
    memcpy(self->start, &crc, sizeof crc);
}

static inline void pen_u8(struct pen *self, uint8_t value)
{
    *self->at++ = value;
}

static inline void pen_u32(struct pen *self, uint32_t value)
{
    memcpy(self->at, &value, sizeof value);
    self->at += sizeof value;
}

static inline void pen_u64(struct pen *self, uint64_t value)
{
    memcpy(self->at, &value, sizeof value);
    self->at += sizeof value;
}

static inline void pen_i64(struct pen *self, int64_t value)
{
    pen_u64(self, (uint64_t)value);
}

/* Small numbers in few bytes: seven bits each, the lowest first, until one without the top bit. */
static inline void pen_short(struct pen *self, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        pen_u8(self, (uint8_t)(value | 0x80));
    pen_u8(self, (uint8_t)value);
}
#define PEN_SHORT_BYTES_MAX 10

static inline void pen_bytes(struct pen *self, struct slice data)
{
    if (data.size > 0)
        memcpy(self->at, data.data, data.size);
    self->at += data.size;
}

/* Of a version from the first to `newest`; which one it is, value.data[4] says. */
static inline struct eye eye_begin_versions(struct slice key, struct slice value,
                                            enum record_type type, uint8_t newest)
{
    uint32_t crc;

    if (value.size < RECORD_HEAD_BYTES || value.data[4] < RECORD_VERSION ||
        value.data[4] > newest || value.data[5] != (uint8_t)type)
        return (struct eye){.failed = true};
    memcpy(&crc, value.data, sizeof crc);
    if (crc != record_crc(key, value.data, value.size))
        return (struct eye){.failed = true};
    return (struct eye){value.data + RECORD_HEAD_BYTES, value.size - RECORD_HEAD_BYTES, false};
}

static inline struct eye eye_begin(struct slice key, struct slice value, enum record_type type)
{
    return eye_begin_versions(key, value, type, RECORD_VERSION);
}

static inline const uint8_t *eye_take(struct eye *self, size_t size)
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

static inline uint8_t eye_u8(struct eye *self)
{
    const uint8_t *at = eye_take(self, 1);

    return at == NULL ? 0 : *at;
}

static inline uint32_t eye_u32(struct eye *self)
{
    const uint8_t *at = eye_take(self, 4);
    uint32_t value = 0;

    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t eye_u64(struct eye *self)
{
    const uint8_t *at = eye_take(self, 8);
    uint64_t value = 0;

    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return value;
}

static inline int64_t eye_i64(struct eye *self)
{
    return (int64_t)eye_u64(self);
}

static inline uint64_t eye_short(struct eye *self)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = eye_u8(self);
        self->failed |= shift > 63 || (shift == 63 && byte > 1);
        value |= shift > 63 ? 0 : (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte >= 0x80 && !self->failed);
    return value;
}

static inline struct slice eye_bytes(struct eye *self, size_t size)
{
    const uint8_t *at = eye_take(self, size);

    return at == NULL ? SLICE_EMPTY : slice_of(at, size);
}

static inline struct slice eye_rest(struct eye *self)
{
    return eye_bytes(self, self->left);
}

static inline enum status eye_end(const struct eye *self)
{
    return self->failed || self->left != 0 ? STATUS_CORRUPT : STATUS_OK;
}

#endif
