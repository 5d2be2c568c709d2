/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.c -- walking over a protobuf message.
 */
#include "cli/bench/wire.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static bool break_off(struct slice *message)
{
    *message = (struct slice){NULL, 1};
    return false;
}

static bool take_varint(struct slice *message, uint64_t *ret_value)
{
    const uint8_t *at = message->data;
    uint64_t value = 0;

    for (unsigned i = 0; i < 10 && i < message->size; i++) {
        value |= (uint64_t)(at[i] & 0x7F) << (7 * i);
        if (at[i] < 0x80) {
            *ret_value = value;
            *message = slice_of(at + i + 1, message->size - i - 1);
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct slice *message, uint64_t size, struct slice *ret_bytes)
{
    if (size > message->size)
        return false;
    *ret_bytes = slice_of(message->data, (size_t)size);
    *message = slice_of(message->data + size, message->size - (size_t)size);
    return true;
}

static bool take_value(struct slice *message, enum wire_type type, struct wire_field *field)
{
    uint64_t size;

    switch (type) {
    case WIRE_VARINT:
        return take_varint(message, &field->value);
    case WIRE_BYTES:
        return take_varint(message, &size) && take_bytes(message, size, &field->bytes);
    case WIRE_64:
        return take_bytes(message, 8, &field->bytes);
    case WIRE_32:
        return take_bytes(message, 4, &field->bytes);
    }
    return false;
}

bool wire_next(struct slice *message, struct wire_field *ret_field)
{
    uint64_t tag;

    if (message->size == 0 || message->data == NULL)
        return false;
    if (!take_varint(message, &tag))
        return break_off(message);
    ret_field->number = (uint32_t)(tag >> 3);
    if (!take_value(message, (enum wire_type)(tag & 7), ret_field))
        return break_off(message);
    return true;
}

bool wire_find(struct slice message, uint32_t number, struct wire_field *ret_field)
{
    while (wire_next(&message, ret_field))
        if (ret_field->number == number)
            return true;
    return false;
}

uint64_t wire_number(struct slice message, uint32_t number)
{
    struct wire_field field = {.value = 0};

    return wire_find(message, number, &field) ? field.value : 0;
}
