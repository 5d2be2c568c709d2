/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.c -- sizes and kinds of fields in protobuf-c's structs.
 */
#include "codec/field.h"

#include <stdint.h>
#include <string.h>

size_t field_value_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default: /* 32-bit integers, float, enum */
        return sizeof(uint32_t);
    }
}

bool field_is_map(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    size_t length;

    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    /* protobuf-c keeps no `map_entry` option: the name that protoc gives such messages tells. */
    length = strlen(entry->short_name);
    return length > 5 && strcmp(entry->short_name + length - 5, "Entry") == 0 &&
           entry->n_fields == 2 && entry->fields[0].id == MAP_KEY_FIELD &&
           entry->fields[0].type == PROTOBUF_C_TYPE_STRING &&
           entry->fields[1].id == MAP_VALUE_FIELD &&
           entry->fields[1].label == PROTOBUF_C_LABEL_NONE;
}
