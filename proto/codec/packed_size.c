/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed_size.c -- room enough for a message's protobuf bytes.
 *
 * protobuf_c_message_pack writes without a bound, so somebody must know one. Counting the exact
 * size takes nearly as long as packing: what each field may take at most does as well. Only texts,
 * bytes and messages are looked at: anything else takes no more than its ITEM_MAX. A repeated field
 * has one more of those, for the tag and length that packed numbers share.
 */
#include "codec/packed_size.h"

#include <string.h>

#include "codec/field.h"

/* A tag (a field's number has 29 bits: 5 bytes) and a number or length (64 bits: 10 bytes). */
#define ITEM_MAX 15

/* Of one value at `member`, beside ITEM_MAX: what it refers to. */
static size_t content_size_max(const ProtobufCFieldDescriptor *field, const void *member)
{
    const void *pointer;

    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)member)->len;
    pointer = *(const void *const *)member;
    if (pointer == NULL)
        return 0;
    return field->type == PROTOBUF_C_TYPE_STRING ? strlen(pointer) : packed_size_max(pointer);
}

static bool has_content(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES ||
           field->type == PROTOBUF_C_TYPE_MESSAGE;
}

static size_t repeated_size_max(const ProtobufCFieldDescriptor *field,
                                const ProtobufCMessage *message)
{
    size_t count = *(const size_t *)field_quantifier(field, message);
    const char *elements = *(const char *const *)field_member(field, message);
    size_t element_size = field_value_size(field);
    size_t size = count * ITEM_MAX;

    for (size_t i = 0; i < count && has_content(field); i++)
        size += content_size_max(field, elements + i * element_size);
    return size;
}

static bool is_set(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    return !field_in_oneof(field) ||
           *(const uint32_t *)field_quantifier(field, message) == field->id;
}

size_t packed_size_max(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    size_t size = descriptor->n_fields * (size_t)ITEM_MAX;

    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            size += repeated_size_max(field, message);
        else if (has_content(field) && is_set(field, message))
            size += content_size_max(field, field_member(field, message));
    }
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        size += ITEM_MAX + message->unknown_fields[i].len;
    return size;
}
