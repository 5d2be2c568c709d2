/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.h -- one table of the mem store: a skip list of rows sorted by key.
 *
 * A row is one allocation: links, key, value. The list links rows and takes them out; who holds a
 * row that is in no list frees it. The heights are drawn from a generator with a fixed seed, so
 * that runs repeat.
 */
#ifndef ACKD_STORE_MEM_ROWS_H
#define ACKD_STORE_MEM_ROWS_H

#include "base/slice.h"

enum { ROWS_HEIGHT_MAX = 12 }; /* each level holds a quarter of the one below: 16 M rows */

struct row {
    size_t key_size;
    size_t value_size;
    unsigned height;
    struct row *next[]; /* `height` links; then the key, then the value */
};

struct rows {
    struct row *first[ROWS_HEIGHT_MAX];
    size_t count;
    uint64_t random; /* the generator's state, never 0 */
};

void rows_init(struct rows *self);
/* Frees the rows that are linked. */
void rows_deinit(struct rows *self);

/* A row in no list, its value not filled; NULL without memory. */
struct row *row_new(struct rows *self, struct slice key, size_t value_size);
void row_free(struct row *row);
static inline uint8_t *row_bytes(struct row *row)
{
    return (uint8_t *)&row->next[row->height];
}
static inline struct slice row_key(struct row *row)
{
    return slice_of(row_bytes(row), row->key_size);
}
static inline struct slice row_value(struct row *row)
{
    return slice_of(row_bytes(row) + row->key_size, row->value_size);
}

/* The first row with a key >= `key`; NULL if there is none. row->next[0] is the one after. */
struct row *rows_from(struct rows *self, struct slice key);
struct row *rows_find(struct rows *self, struct slice key);
/* Links a row; no other may have its key. */
void rows_link(struct rows *self, struct row *row);
/* Takes a linked row out; it is the caller's then. */
void rows_unlink(struct rows *self, struct row *row);

#endif
