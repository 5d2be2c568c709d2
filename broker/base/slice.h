/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice.h -- bytes that somebody else owns, and the big-endian numbers in keys.
 *
 * A slice borrows: whoever hands one out says how long it holds. Comparison is by bytes, a prefix
 * sorting first, as LMDB sorts its keys.
 */
#ifndef ACKD_BASE_SLICE_H
#define ACKD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; /* may be NULL if size is 0 */
    size_t size;         /* bytes */
};

#define SLICE_EMPTY ((struct slice){NULL, 0})
/* Of a string literal: its size is known without a look. */
#define SLICE_LITERAL(text) slice_of("" text, sizeof text - 1)

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){(const uint8_t *)data, size};
}

static inline struct slice slice_of_string(const char *string)
{
    return slice_of(string, strlen(string));
}

static inline int slice_compare(struct slice a, struct slice b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);

    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_starts_with(struct slice self, struct slice prefix)
{
    return self.size >= prefix.size &&
           (prefix.size == 0 || memcmp(self.data, prefix.data, prefix.size) == 0);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "be32_put and crc32c count on it");

/* Big-endian, so that memcmp order is numeric order. */
static inline void be32_put(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof value);
}

static inline void be64_put(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof value);
}

static inline uint32_t be32_get(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static inline uint64_t be64_get(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

/* CRC32C (Castagnoli) of `size` bytes, continuing from `crc` (0 to begin). */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
/* The same without the processor's instruction for it. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);

/* Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms, <= U+10FFFF). */
bool utf8_is_valid(struct slice text);
/* Whether they are, and hold no NUL: what a C string can hold. */
bool utf8_is_string(struct slice text);
/* Whether they are, and hold no control character (U+0000..U+001F, U+007F..U+009F). */
bool utf8_is_printable(struct slice text);
/* The size in bytes of the well-formed character that `text` begins with; 0 if there is none. */
size_t utf8_first(struct slice text, uint32_t *ret_character);

/* Base64 of RFC 4648. Encoding writes the terminating NUL and returns the length without it;
 * `ret_text` holds at least base64_size(size) bytes. Decoding takes both alphabets, with or without
 * padding, and returns false for anything else; `ret_data` holds at least text.size / 4 * 3 + 3
 * bytes. */
static inline size_t base64_size(size_t size)
{
    return (size + 2) / 3 * 4 + 1;
}
size_t base64_encode(struct slice data, char *ret_text);    /* '+', '/', padded */
size_t base64url_encode(struct slice data, char *ret_text); /* '-', '_', no padding */
bool base64_decode(struct slice text, uint8_t *ret_data, size_t *ret_size);

#endif
