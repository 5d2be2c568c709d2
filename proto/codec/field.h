/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.h -- what both JSON directions need to know about a field of protobuf-c's structs.
 */
#ifndef ACKD_CODEC_FIELD_H
#define ACKD_CODEC_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* The fields of a map's entry message, which is generated for `map<K, V>`. */
#define MAP_KEY_FIELD 1
#define MAP_VALUE_FIELD 2

/* Bytes of one value in its struct, or of one element of a repeated field's array. */
size_t field_value_size(const ProtobufCFieldDescriptor *field);
/* Whether the repeated field is a map with string keys, so that JSON writes it as an object. */
bool field_is_map(const ProtobufCFieldDescriptor *field);

/* Where the field lives in its message. */
static inline void *field_member(const ProtobufCFieldDescriptor *field, const void *message)
{
    return (char *)message + field->offset;
}

/* Its count if repeated, or which field of the oneof is set. */
static inline void *field_quantifier(const ProtobufCFieldDescriptor *field, const void *message)
{
    return (char *)message + field->quantifier_offset;
}

static inline bool field_in_oneof(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

#endif
