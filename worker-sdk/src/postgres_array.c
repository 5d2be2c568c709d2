/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_array.c -- see postgres_array.h.
 *
 * Five numbers (dimensions, whether there may be NULLs, element type, count, first index), then
 * each element as its size and its bytes; a size of -1 is NULL. All big-endian.
 */
#include "postgres_array.h"

static const struct {
    uint32_t array;
    uint32_t element;
} oids[POSTGRES_TYPE_COUNT] = {
#define X(name, array, element) {array, element},
    POSTGRES_TYPES(X)
#undef X
};

static void append_u32(struct postgres_array *self, uint32_t value);

void postgres_array_init(struct postgres_array *self, enum postgres_type type, size_t count)
{
    *self = (struct postgres_array){.bytes = BUFFER_EMPTY, .type = type};
    append_u32(self, 1);
    append_u32(self, 1);
    append_u32(self, oids[type].element);
    append_u32(self, (uint32_t)count);
    append_u32(self, 1);
}

void postgres_array_deinit(struct postgres_array *self)
{
    buffer_deinit(&self->bytes);
}

void postgres_array_append(struct postgres_array *self, struct slice element)
{
    append_u32(self, (uint32_t)element.size);
    buffer_append(&self->bytes, element);
}

void postgres_array_append_i64(struct postgres_array *self, int64_t element)
{
    uint8_t bytes[8];

    be64_put(bytes, (uint64_t)element);
    postgres_array_append(self, slice_of(bytes, sizeof bytes));
}

void postgres_array_append_null(struct postgres_array *self)
{
    append_u32(self, UINT32_MAX);
}

uint32_t postgres_array_oid(const struct postgres_array *self)
{
    return oids[self->type].array;
}

static void append_u32(struct postgres_array *self, uint32_t value)
{
    uint8_t bytes[4];

    be32_put(bytes, value);
    buffer_append(&self->bytes, slice_of(bytes, sizeof bytes));
}
