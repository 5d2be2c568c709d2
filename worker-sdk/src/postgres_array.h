/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_array.h -- a one-dimensional array in PostgreSQL's binary format, one element after the
 * other, as a parameter of a statement.
 */
#ifndef ACKD_SDK_POSTGRES_ARRAY_H
#define ACKD_SDK_POSTGRES_ARRAY_H

#include <stdint.h>

#include "base/buffer.h"

/* Types by their numbers, which are the same in every PostgreSQL: the array's, its elements'. */
#define POSTGRES_TYPES(X)                                                                          \
    X(BYTEA, 1001, 17)                                                                             \
    X(INT8, 1016, 20)                                                                              \
    X(TEXT, 1009, 25)

enum postgres_type {
#define X(name, array, element) POSTGRES_##name,
    POSTGRES_TYPES(X)
#undef X
        POSTGRES_TYPE_COUNT
};

struct postgres_array {
    struct buffer bytes; /* remembers if memory was short */
    enum postgres_type type;
};

/* Begins an array of exactly `count` elements, to be appended below. */
void postgres_array_init(struct postgres_array *self, enum postgres_type type, size_t count);
void postgres_array_deinit(struct postgres_array *self);
void postgres_array_append(struct postgres_array *self, struct slice element);
void postgres_array_append_i64(struct postgres_array *self, int64_t element);
void postgres_array_append_null(struct postgres_array *self);
/* The array type's number. */
uint32_t postgres_array_oid(const struct postgres_array *self);

#endif
