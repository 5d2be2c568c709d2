/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traceparent.c -- which trace something belongs to.
 */
#include "base/traceparent.h"

#include <string.h>

#define SIZE 55 /* of version 00 */
#define TRACE_AT 3
#define TRACE_SIZE 32
#define PARENT_AT 36
#define PARENT_SIZE 16
#define FLAGS_AT 53

static bool is_hex(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((text[i] < '0' || text[i] > '9') && (text[i] < 'a' || text[i] > 'f'))
            return false;
    }
    return true;
}

static bool is_zero(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '0')
            return false;
    }
    return true;
}

static bool is_printable(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

bool traceparent_is_valid(struct slice text)
{
    const uint8_t *at = text.data;

    if (text.size < SIZE || text.size > TRACEPARENT_BYTES_MAX)
        return false;
    if (at[2] != '-' || at[PARENT_AT - 1] != '-' || at[FLAGS_AT - 1] != '-')
        return false;
    if (!is_hex(at, 2) || !is_hex(at + TRACE_AT, TRACE_SIZE) ||
        !is_hex(at + PARENT_AT, PARENT_SIZE) || !is_hex(at + FLAGS_AT, 2))
        return false;
    if (memcmp(at, "ff", 2) == 0 || is_zero(at + TRACE_AT, TRACE_SIZE) ||
        is_zero(at + PARENT_AT, PARENT_SIZE))
        return false;
    if (memcmp(at, "00", 2) == 0)
        return text.size == SIZE;
    return text.size == SIZE || (at[SIZE] == '-' && is_printable(at + SIZE, text.size - SIZE));
}

struct trace_id traceparent_trace_id(struct slice text)
{
    struct trace_id id = {""};

    if (traceparent_is_valid(text))
        memcpy(id.text, text.data + TRACE_AT, TRACE_SIZE);
    return id;
}
