/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64.c -- bytes as text and back (RFC 4648, sections 4 and 5).
 *
 * Decoding serves JSON's `bytes` fields and tokens from any client, so it takes either alphabet,
 * mixed too, and padding as people write it: none, or exactly what is right. As proto3's JSON
 * readers do, it takes a last character whose unused bits are not zero. Anything else, white
 * space included, is refused.
 */
#include "base/slice.h"

static const char alphabet_standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* A digit's six bits and one; 0 for what is in neither alphabet. */
/* clang-format off */
static const uint8_t digits[256] = {
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
            25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
            43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
    ['+'] = 63, ['-'] = 63,
    ['/'] = 64, ['_'] = 64,
};
/* clang-format on */

static size_t encode(struct slice data, const char *alphabet, bool padded, char *ret_text);
static uint32_t value_of(uint8_t character);
static bool strip_padding(struct slice *text);

size_t base64_encode(struct slice data, char *ret_text)
{
    return encode(data, alphabet_standard, true, ret_text);
}

size_t base64url_encode(struct slice data, char *ret_text)
{
    return encode(data, alphabet_url, false, ret_text);
}

bool base64_decode(struct slice text, uint8_t *ret_data, size_t *ret_size)
{
    const uint8_t *at = text.data;
    uint8_t *out = ret_data;
    uint32_t seen = 0; /* the bits of all values: over 63 if one was no digit */
    size_t left;

    if (!strip_padding(&text) || text.size % 4 == 1)
        return false;
    for (left = text.size; left >= 4; left -= 4, at += 4) {
        uint32_t a = value_of(at[0]);
        uint32_t b = value_of(at[1]);
        uint32_t c = value_of(at[2]);
        uint32_t d = value_of(at[3]);

        seen |= a | b | c | d;
        be32_put(out, a << 26 | b << 20 | c << 14 | d << 8); /* a byte more, which is overwritten */
        out += 3;
    }
    if (left >= 2) {
        uint32_t a = value_of(at[0]);
        uint32_t b = value_of(at[1]);
        uint32_t c = left == 3 ? value_of(at[2]) : 0;

        seen |= a | b | c;
        *out++ = (uint8_t)(a << 2 | b >> 4);
        if (left == 3)
            *out++ = (uint8_t)(b << 4 | c >> 2);
    }
    *ret_size = (size_t)(out - ret_data);
    return seen <= 63;
}

static size_t encode(struct slice data, const char *alphabet, bool padded, char *ret_text)
{
    char *out = ret_text;
    size_t i = 0;

    for (; data.size - i >= 3; i += 3) {
        uint32_t bits = (uint32_t)data.data[i] << 16 | (uint32_t)data.data[i + 1] << 8 |
                        (uint32_t)data.data[i + 2];

        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = alphabet[bits >> 6 & 63];
        *out++ = alphabet[bits & 63];
    }
    if (i < data.size) {
        bool two = data.size - i == 2;
        uint32_t bits = (uint32_t)data.data[i] << 16 | (two ? (uint32_t)data.data[i + 1] << 8 : 0);

        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        if (two)
            *out++ = alphabet[bits >> 6 & 63];
        for (int i_pad = two ? 1 : 2; padded && i_pad > 0; i_pad--)
            *out++ = '=';
    }
    *out = '\0';
    return (size_t)(out - ret_text);
}

/* Over 63 for what is no digit. */
static uint32_t value_of(uint8_t character)
{
    return digits[character] - UINT32_C(1);
}

/* Takes the '='s off the end; false if there are some and not as many as belong there. */
static bool strip_padding(struct slice *text)
{
    size_t padding = 0;

    while (padding < 2 && padding < text->size && text->data[text->size - 1 - padding] == '=')
        padding++;
    if (padding > 0 && text->size % 4 != 0)
        return false;
    text->size -= padding;
    return true;
}
