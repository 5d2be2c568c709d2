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

static size_t encode(struct slice data, const char *alphabet, bool padded, char *ret_text);
static int digit_value(uint8_t character);
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
    size_t size = 0;
    uint32_t bits = 0;

    if (!strip_padding(&text) || text.size % 4 == 1)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        int value = digit_value(text.data[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 0) /* the first of four completes no byte */
            continue;
        ret_data[size++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_size = size;
    return true;
}

static size_t encode(struct slice data, const char *alphabet, bool padded, char *ret_text)
{
    char *out = ret_text;
    size_t i = 0;

    for (; data.size - i >= 3; i += 3) {
        uint32_t bits = (uint32_t)data.data[i] << 16 | (uint32_t)data.data[i + 1] << 8 |
                        (uint32_t)data.data[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = alphabet[bits >> shift & 63];
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

/* Six bits, or -1 for what is in neither alphabet. */
static int digit_value(uint8_t character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '+' || character == '-')
        return 62;
    if (character == '/' || character == '_')
        return 63;
    return -1;
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
