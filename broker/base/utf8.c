/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.c -- well-formed UTF-8 as of the Unicode Standard, table 3-7.
 *
 * A first byte fixes the length and, for four of them, a narrower range of the second, which is
 * what keeps out overlong forms, surrogates and what is past U+10FFFF. The others continue with
 * 0x80..0xbf.
 */
#include "base/slice.h"

static bool is_continuation(uint8_t byte);
static bool second_is_allowed(uint8_t first, uint8_t second);

/* How many bytes at the front lie from `low` to `high`, which are ASCII: most text is nothing else,
 * and is looked at by eights. Taking off `low` sets the top bit of a byte below it, adding what
 * lacks to 0x7f that of one above `high`; a borrow or carry spoils only the eight that it is in. */
static inline size_t plain_size(struct slice text, uint8_t low, uint8_t high)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t size = 0;

    for (; text.size - size >= 8; size += 8) {
        uint64_t word;

        memcpy(&word, text.data + size, sizeof word);
        if (((word | (word - ones * low) | (word + ones * (0x7f - high))) & ones * 0x80) != 0)
            break;
    }
    while (size < text.size && text.data[size] >= low && text.data[size] <= high)
        size++;
    return size;
}

/* Whether it is well-formed, and no character is below `least` but the plain ones. */
static inline bool is_well_formed(struct slice text, uint8_t low, uint8_t high, uint32_t least)
{
    while (text.size > 0) {
        size_t size = plain_size(text, low, high);
        uint32_t character = least;

        if (size == 0)
            size = utf8_first(text, &character);
        if (size == 0 || character < least)
            return false;
        text = slice_of(text.data + size, text.size - size);
    }
    return true;
}

bool utf8_is_valid(struct slice text)
{
    return is_well_formed(text, 0, 0x7f, 0);
}

bool utf8_is_string(struct slice text)
{
    return is_well_formed(text, 0x01, 0x7f, 0x80);
}

bool utf8_is_printable(struct slice text)
{
    return is_well_formed(text, 0x20, 0x7e, 0xa0);
}

size_t utf8_first(struct slice text, uint32_t *ret_character)
{
    uint8_t first;
    size_t size;
    uint32_t character;

    if (text.size == 0)
        return 0;
    first = text.data[0];
    if (first < 0x80) {
        *ret_character = first;
        return 1;
    }
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (text.size < size || !second_is_allowed(first, text.data[1]))
        return 0;
    character = first & (0xffU >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if (!is_continuation(text.data[i]))
            return 0;
        character = character << 6 | (text.data[i] & 0x3f);
    }
    *ret_character = character;
    return size;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

static bool second_is_allowed(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf; /* shorter would do */
    case 0xed:
        return second >= 0x80 && second <= 0x9f; /* surrogates */
    case 0xf0:
        return second >= 0x90 && second <= 0xbf; /* shorter would do */
    case 0xf4:
        return second >= 0x80 && second <= 0x8f; /* past U+10FFFF */
    default:
        return is_continuation(second);
    }
}
