/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer.c -- growth by doubling; all or nothing for each append.
 */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

enum { CAPACITY_MIN = 256 };

static bool grow(struct buffer *self, size_t size);

void buffer_deinit(struct buffer *self)
{
    free(self->data);
    *self = BUFFER_EMPTY;
}

void buffer_clear(struct buffer *self, size_t keep_bytes)
{
    if (self->capacity > keep_bytes) {
        buffer_deinit(self);
        return;
    }
    self->size = 0;
    self->failed = false;
}

uint8_t *buffer_reserve(struct buffer *self, size_t size)
{
    if (self->data == NULL || self->capacity - self->size < size) {
        if (!grow(self, size))
            return NULL;
    }
    return self->data + self->size;
}

void buffer_append(struct buffer *self, struct slice data)
{
    uint8_t *at;

    if (data.size == 0)
        return;
    at = buffer_reserve(self, data.size);
    if (at == NULL)
        return;
    memcpy(at, data.data, data.size);
    self->size += data.size;
}

void buffer_append_string(struct buffer *self, const char *string)
{
    buffer_append(self, slice_of_string(string));
}

void buffer_append_printf(struct buffer *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buffer_append_vprintf(self, format, args);
    va_end(args);
}

void buffer_append_vprintf(struct buffer *self, const char *format, va_list args)
{
    va_list again;
    uint8_t *at;
    int size;

    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, args);
    at = size < 0 ? NULL : buffer_reserve(self, (size_t)size + 1);
    if (at != NULL) {
        (void)vsnprintf((char *)at, (size_t)size + 1, format, again);
        self->size += (size_t)size;
    } else {
        self->failed = true;
    }
    va_end(again);
}

void buffer_consume(struct buffer *self, size_t size)
{
    ASSERT(size <= self->size);
    if (size == 0)
        return;
    self->size -= size;
    memmove(self->data, self->data + size, self->size);
}

const char *buffer_string(struct buffer *self)
{
    uint8_t *end = buffer_reserve(self, 1);

    if (end == NULL)
        return "";
    *end = '\0';
    return (const char *)self->data;
}

/* Makes room for `size` more bytes, at least doubling; false, and `failed`, without memory. */
static bool grow(struct buffer *self, size_t size)
{
    size_t needed;
    size_t capacity = self->capacity < CAPACITY_MIN ? CAPACITY_MIN : self->capacity;
    uint8_t *data;

    if (__builtin_add_overflow(self->size, size, &needed) || needed > SIZE_MAX / 2)
        goto fail;
    while (capacity < needed)
        capacity *= 2;
    data = realloc(self->data, capacity);
    if (data == NULL)
        goto fail;
    self->data = data;
    self->capacity = capacity;
    return true;

fail:
    self->failed = true;
    return false;
}
