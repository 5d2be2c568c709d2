/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digits.c -- numbers as text.
 */
#include "base/digits.h"

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* Inlined for each base: a division by a constant is a multiplication. */
static inline char *write_digits(uint64_t value, unsigned base, char *at)
{
    char reversed[DIGITS_10_MAX];
    int count = 0;

    do {
        reversed[count++] = digits[value % base];
        value /= base;
    } while (value > 0);
    while (count > 0)
        *at++ = reversed[--count];
    return at;
}

char *digits_write_10(uint64_t value, char *at)
{
    return write_digits(value, 10, at);
}

char *digits_write_36(uint64_t value, char *at)
{
    return write_digits(value, 36, at);
}

char *digits_write_16(uint64_t value, char *at)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = digits[value >> shift & 15];
    return at;
}

bool digits_read_16(struct slice text, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (text.size != DIGITS_16)
        return false;
    for (size_t i = 0; i < DIGITS_16; i++) {
        uint8_t character = text.data[i];

        if (character >= '0' && character <= '9')
            value = value << 4 | (uint64_t)(character - '0');
        else if (character >= 'a' && character <= 'f')
            value = value << 4 | (uint64_t)(character - 'a' + 10);
        else
            return false;
    }
    *ret_value = value;
    return true;
}
