/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer.h -- bytes that grow at the end: a socket's input, a reply, a text being built.
 *
 * A buffer never half-appends: when memory is short it stays as it is and remembers the failure
 * (`failed`), so that a writer may append many times and look once.
 */
#ifndef ACKD_BASE_BUFFER_H
#define ACKD_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buffer {
    uint8_t *data; /* owned; NULL while capacity is 0 */
    size_t size;
    size_t capacity;
    bool failed; /* an append found no memory */
};

#define BUFFER_EMPTY ((struct buffer){NULL, 0, 0, false})

/* Frees the memory and empties *self. */
void buffer_deinit(struct buffer *self);
/* Empties it and keeps the memory, unless that is more than `keep_bytes`. */
void buffer_clear(struct buffer *self, size_t keep_bytes);
/* Room for `size` more bytes: where they begin, or NULL. The caller then adds to `size`. */
uint8_t *buffer_reserve(struct buffer *self, size_t size);
void buffer_append(struct buffer *self, struct slice data);
void buffer_append_string(struct buffer *self, const char *string);
void buffer_append_printf(struct buffer *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_append_vprintf(struct buffer *self, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Drops `size` bytes from the front (moves the rest). */
void buffer_consume(struct buffer *self, size_t size);
/* The text so far, NUL-terminated; "" when there is no memory. Valid until the next call. */
const char *buffer_string(struct buffer *self) __attribute__((returns_nonnull));

static inline struct slice buffer_view(const struct buffer *self)
{
    return slice_of(self->data, self->size);
}

#endif
