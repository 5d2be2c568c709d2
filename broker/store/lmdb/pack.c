/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.c -- packs as bytes, and taken apart.
 */
#include "store/lmdb/pack.h"

#include <stdlib.h>

#include "base/assert.h"

#define HEAD_BYTES 8
#define SIZES_BYTES 6 /* of one row */
#define CAPACITY_MIN 8192

static bool make_room(struct pack *self, size_t size);
static uint32_t checksum(struct slice pack_key, const uint8_t *bytes, size_t end);

size_t pack_row_bytes(size_t key_size, size_t value_size)
{
    return SIZES_BYTES + key_size + value_size;
}

void pack_clear(struct pack *self)
{
    self->count = 0;
    self->packed_bytes = HEAD_BYTES;
    self->near = 0;
    self->as_loaded = false;
    self->used = 0;
}

void pack_deinit(struct pack *self)
{
    free(self->data);
    *self = (struct pack){0};
}

/* The bytes are copied as they are, and the rows point into the copy. */
bool pack_load(struct pack *self, struct slice pack_key, struct slice bytes, bool *ret_damaged)
{
    struct pack_each each;
    struct slice key;
    struct slice value;

    pack_clear(self);
    *ret_damaged = !pack_each_begin(&each, pack_key, bytes);
    if (*ret_damaged || !make_room(self, bytes.size))
        return false;
    memcpy(self->data, bytes.data, bytes.size);
    while (pack_each_next(&each, &key, &value)) {
        self->rows[self->count++] = (struct pack_row){
            .key_at = (uint32_t)(key.data - bytes.data),
            .key_size = (uint32_t)key.size,
            .value_at = (uint32_t)(value.data - bytes.data),
            .value_size = (uint32_t)value.size,
        };
    }
    self->used = bytes.size;
    self->packed_bytes = bytes.size;
    self->as_loaded = true;
    return true;
}

size_t pack_size(const struct pack *self, size_t first, size_t count)
{
    size_t size = HEAD_BYTES;

    if (first == 0 && count == self->count)
        return self->packed_bytes;
    for (size_t i = first; i < first + count; i++)
        size += pack_row_bytes(self->rows[i].key_size, self->rows[i].value_size);
    return size;
}

void pack_store(const struct pack *self, size_t first, size_t count, struct slice pack_key,
                uint8_t *ret)
{
    const struct pack_row *rows = self->rows + first;
    uint8_t *sizes = ret + HEAD_BYTES;
    uint8_t *at = sizes + count * SIZES_BYTES;
    uint32_t head[2] = {0, (uint32_t)count};

    if (self->as_loaded && count == self->count) {
        memcpy(ret, self->data, self->packed_bytes);
        return;
    }
    memcpy(ret, head, sizeof head);
    for (size_t i = 0; i < count; i++) {
        uint16_t key_size = (uint16_t)rows[i].key_size;

        memcpy(sizes + i * SIZES_BYTES, &key_size, sizeof key_size);
        memcpy(sizes + i * SIZES_BYTES + 2, &rows[i].value_size, sizeof rows[i].value_size);
        memcpy(at, self->data + rows[i].key_at, key_size);
        at += key_size;
    }
    head[0] = checksum(pack_key, ret, (size_t)(at - ret));
    memcpy(ret, head, sizeof head);
    for (size_t i = 0; i < count; i++) {
        memcpy(at, self->data + rows[i].value_at, rows[i].value_size);
        at += rows[i].value_size;
    }
}

/* memcmp's call costs more than the comparison of keys of places: two overlapping words. */
static bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint64_t a_word, b_word;

    if (size < 8 || size > 16)
        return memcmp(a, b, size) == 0;
    memcpy(&a_word, a + size - 8, 8);
    memcpy(&b_word, b + size - 8, 8);
    if (a_word != b_word)
        return false;
    memcpy(&a_word, a, 8);
    memcpy(&b_word, b, 8);
    return a_word == b_word;
}

static bool row_is(const struct pack *self, size_t index, struct slice key)
{
    const struct pack_row *row = &self->rows[index];

    return row->key_size == key.size && bytes_equal(self->data + row->key_at, key.data, key.size);
}

/* What is asked for is often the row asked for before, behind all rows, or beside the former: rows
 * are appended, and go in order from either end. */
static bool guess(struct pack *self, struct slice key, size_t *ret_index, bool *ret_found)
{
    size_t last = self->count - 1;
    size_t near = self->near;

    *ret_found = true;
    if (near <= last && row_is(self, near, key))
        *ret_index = near;
    else if (near > 0 && near - 1 <= last && row_is(self, near - 1, key))
        *ret_index = near - 1;
    else if (near < last && row_is(self, near + 1, key))
        *ret_index = near + 1;
    else if (slice_compare(key, pack_key_at(self, last)) > 0)
        *ret_found = false, *ret_index = self->count;
    else
        return false;
    return true;
}

static size_t search(const struct pack *self, struct slice key, bool *ret_found)
{
    size_t low = 0;
    size_t high = self->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = slice_compare(key, pack_key_at(self, middle));

        *ret_found = order == 0;
        if (order == 0)
            return middle;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

size_t pack_find(struct pack *self, struct slice key, bool *ret_found)
{
    size_t index;

    if (self->count == 0 || !guess(self, key, &index, ret_found))
        index = search(self, key, ret_found);
    self->near = index;
    return index;
}

uint8_t *pack_insert(struct pack *self, size_t index, struct slice key, size_t value_size)
{
    struct pack_row *row = &self->rows[index];

    ASSERT(self->count < PACK_ROWS_MAX && index <= self->count);
    if (!make_room(self, key.size + value_size))
        return NULL;
    if (index < self->count)
        memmove(row + 1, row, (self->count - index) * sizeof *row);
    self->as_loaded = false;
    *row = (struct pack_row){
        .key_at = (uint32_t)self->used,
        .key_size = (uint32_t)key.size,
        .value_at = (uint32_t)(self->used + key.size),
        .value_size = (uint32_t)value_size,
    };
    memcpy(self->data + row->key_at, key.data, key.size);
    self->used += key.size + value_size;
    self->packed_bytes += pack_row_bytes(key.size, value_size);
    self->count++;
    self->near = index;
    return self->data + row->value_at;
}

void pack_remove(struct pack *self, size_t index)
{
    struct pack_row *row = &self->rows[index];

    ASSERT(index < self->count);
    self->packed_bytes -= pack_row_bytes(row->key_size, row->value_size);
    self->count--;
    self->as_loaded = false;
    if (index < self->count)
        memmove(row, row + 1, (self->count - index) * sizeof *row);
}

void pack_truncate(struct pack *self, size_t count)
{
    self->packed_bytes = pack_size(self, 0, count);
    self->count = count;
    self->as_loaded = false;
}

struct slice pack_key_at(const struct pack *self, size_t index)
{
    return slice_of(self->data + self->rows[index].key_at, self->rows[index].key_size);
}

struct slice pack_value_at(const struct pack *self, size_t index)
{
    return slice_of(self->data + self->rows[index].value_at, self->rows[index].value_size);
}

/* The rows' bytes one after the other, without what removed ones left. */
static void gather_rows(struct pack *self, uint8_t *data)
{
    size_t used = 0;

    for (size_t i = 0; i < self->count; i++) {
        struct pack_row *row = &self->rows[i];

        memcpy(data + used, self->data + row->key_at, row->key_size);
        row->key_at = (uint32_t)used;
        used += row->key_size;
        memcpy(data + used, self->data + row->value_at, row->value_size);
        row->value_at = (uint32_t)used;
        used += row->value_size;
    }
    self->used = used;
    self->as_loaded = false;
}

static bool make_room(struct pack *self, size_t size)
{
    size_t capacity = CAPACITY_MIN;
    uint8_t *data;

    if (self->data != NULL && size <= self->capacity - self->used)
        return true;
    while (capacity < 2 * self->packed_bytes + size)
        capacity *= 2;
    data = malloc(capacity);
    if (data == NULL)
        return false;
    gather_rows(self, data);
    free(self->data);
    self->data = data;
    self->capacity = capacity;
    return true;
}

static uint32_t checksum(struct slice pack_key, const uint8_t *bytes, size_t end)
{
    uint32_t crc = crc32c(0, pack_key.data, pack_key.size);

    return crc32c(crc, bytes + sizeof crc, end - sizeof crc);
}

bool pack_each_begin(struct pack_each *self, struct slice pack_key, struct slice bytes)
{
    uint32_t head[2];
    uint64_t keys_size = 0;
    uint64_t values_size = 0;

    if (bytes.size < HEAD_BYTES)
        return false;
    memcpy(head, bytes.data, sizeof head);
    if (head[1] == 0 || head[1] > PACK_ROWS_MAX || bytes.size < HEAD_BYTES + head[1] * SIZES_BYTES)
        return false;
    self->sizes = bytes.data + HEAD_BYTES;
    self->left = head[1];
    for (size_t i = 0; i < self->left; i++) {
        uint16_t key_size;
        uint32_t value_size;

        memcpy(&key_size, self->sizes + i * SIZES_BYTES, sizeof key_size);
        memcpy(&value_size, self->sizes + i * SIZES_BYTES + 2, sizeof value_size);
        keys_size += key_size;
        values_size += value_size;
    }
    self->key = self->sizes + self->left * SIZES_BYTES;
    if ((uint64_t)(bytes.size - HEAD_BYTES - self->left * SIZES_BYTES) != keys_size + values_size)
        return false;
    self->value = self->key + keys_size;
    return checksum(pack_key, bytes.data, (size_t)(self->value - bytes.data)) == head[0];
}

bool pack_each_next(struct pack_each *self, struct slice *ret_key, struct slice *ret_value)
{
    uint16_t key_size;
    uint32_t value_size;

    if (self->left == 0)
        return false;
    memcpy(&key_size, self->sizes, sizeof key_size);
    memcpy(&value_size, self->sizes + 2, sizeof value_size);
    *ret_key = slice_of(self->key, key_size);
    *ret_value = slice_of(self->value, value_size);
    self->sizes += SIZES_BYTES;
    self->key += key_size;
    self->value += value_size;
    self->left--;
    return true;
}
