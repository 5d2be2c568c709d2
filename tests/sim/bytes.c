/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.c -- sizes on both sides of what fits a record, what takes one chunk and what takes more.
 */
#include "bytes.h"

#include "base/assert.h"
#include "base/map.h"

size_t bytes_size(unsigned number)
{
    static const size_t sizes[] = {4, 10, 100, 3600, 3601, 9000};

    return number == 0 ? 0 : sizes[hash_u64(number) % (sizeof sizes / sizeof sizes[0])];
}

static void fill(unsigned number, uint8_t *data, size_t size)
{
    uint64_t word = 0;

    for (size_t i = 0; i < size; i++) {
        if (i % 8 == 0)
            word = hash_u64(i + ((uint64_t)number << 32));
        data[i] = (uint8_t)(word >> i % 8 * 8);
    }
    be32_put(data, number);
}

ProtobufCBinaryData bytes_make(struct arena *arena, unsigned number)
{
    size_t size = bytes_size(number);
    uint8_t *data = arena_alloc_raw(arena, size);

    ASSERT(data != NULL);
    if (size > 0)
        fill(number, data, size);
    return (ProtobufCBinaryData){size, data};
}

unsigned bytes_read(ProtobufCBinaryData bytes)
{
    uint8_t expected[9000];
    unsigned number;

    if (bytes.len == 0)
        return 0;
    if (bytes.len < 4)
        return BYTES_DAMAGED;
    number = be32_get(bytes.data);
    if (bytes.len != bytes_size(number))
        return BYTES_DAMAGED;
    fill(number, expected, bytes.len);
    return memcmp(expected, bytes.data, bytes.len) == 0 ? number : BYTES_DAMAGED;
}
