/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.h -- neighbouring records of a table, packed into one record of LMDB.
 *
 *   crc32c(4) count(2) of 0(2) | count x (key size(2) value size(4)) | keys | values
 *
 * The checksum is over the pack's key and all before the values, which have their own (S1 of
 * store.h is LMDB's; what a value's bytes are worth is core/record.h's business).
 *
 * A `struct pack` is one taken apart, to be changed: rows in key order, their bytes wherever there
 * was room. `pack_each` walks through packed bytes where they lie.
 */
#ifndef ACKD_STORE_LMDB_PACK_H
#define ACKD_STORE_LMDB_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "store/store.h"

#define PACK_ROWS_MAX 128

struct pack_row {
    uint32_t key_at; /* in `data` */
    uint32_t key_size;
    uint32_t value_at;
    uint32_t value_size;
};

struct pack {
    size_t count;
    size_t packed_bytes; /* what it takes when packed */
    size_t near;         /* the row last asked for */
    bool as_loaded;      /* `data` begins with the packed bytes, but for values overwritten */
    uint8_t *data;
    size_t used; /* of data; what removed rows had counts until it is wanted */
    size_t capacity;
    struct pack_row rows[PACK_ROWS_MAX];
};

/* What a row adds to a pack. */
size_t pack_row_bytes(size_t key_size, size_t value_size);

/* All zeroes is an empty pack, too. */
void pack_clear(struct pack *self);
void pack_deinit(struct pack *self);
/* False: no memory, or the bytes are damaged (then the pack is empty). */
bool pack_load(struct pack *self, struct slice pack_key, struct slice bytes, bool *ret_damaged);
/* Writes rows first .. first + count - 1 to `ret`, which has room for pack_size of them. */
size_t pack_size(const struct pack *self, size_t first, size_t count);
void pack_store(const struct pack *self, size_t first, size_t count, struct slice pack_key,
                uint8_t *ret);

/* Where the key is, or would be inserted. */
size_t pack_find(struct pack *self, struct slice key, bool *ret_found);
/* A row with room for a value of `value_size` bytes, before row `index`. Room for one more row is
 * the caller's care. NULL: no memory. */
uint8_t *pack_insert(struct pack *self, size_t index, struct slice key, size_t value_size);
void pack_remove(struct pack *self, size_t index);
/* Keeps the first `count` rows. */
void pack_truncate(struct pack *self, size_t count);
struct slice pack_key_at(const struct pack *self, size_t index);
struct slice pack_value_at(const struct pack *self, size_t index);

/* Packed bytes, row by row. */
struct pack_each {
    const uint8_t *sizes;
    const uint8_t *key;
    const uint8_t *value;
    size_t left;
};

/* False: damaged. */
bool pack_each_begin(struct pack_each *self, struct slice pack_key, struct slice bytes);
bool pack_each_next(struct pack_each *self, struct slice *ret_key, struct slice *ret_value);

#endif
