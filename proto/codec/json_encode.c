/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_encode.c -- a message of protobuf-c's structs becomes a JSON text.
 *
 * The proto3 mapping, written straight into the buffer: no tree is built, so a reply costs its
 * text and no more. Fields at their default are left out; a field that was declared `optional` is a
 * oneof of one and is written whenever it is set. No blanks and no line ends are written.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/codec.h"
#include "codec/field.h"
#include "codec/json.h"

static void put_message(struct buffer *out, const ProtobufCMessage *message);
static bool is_present(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message);
static void put_name(struct buffer *out, const char *name);
static void put_value(struct buffer *out, const ProtobufCFieldDescriptor *field,
                      const void *member);
static void put_map(struct buffer *out, const ProtobufCFieldDescriptor *field,
                    const ProtobufCMessage *message);
static void put_array(struct buffer *out, const ProtobufCFieldDescriptor *field,
                      const ProtobufCMessage *message);

void json_encode(const ProtobufCMessage *message, struct buffer *out)
{
    put_message(out, message);
}

static void put_char(struct buffer *out, char c)
{
    buffer_append(out, slice_of(&c, 1));
}

static void put_message(struct buffer *out, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    char before = '{';

    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

        if (!is_present(field, message))
            continue;
        put_char(out, before);
        before = ',';
        put_name(out, field->name);
        if (field_is_map(field))
            put_map(out, field, message);
        else if (field->label == PROTOBUF_C_LABEL_REPEATED)
            put_array(out, field, message);
        else
            put_value(out, field, field_member(field, message));
    }
    buffer_append_string(out, before == '{' ? "{}" : "}");
}

static bool is_zero(const void *member, size_t size)
{
    const uint8_t *bytes = member;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool is_present(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    const void *member = field_member(field, message);
    const char *text;

    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)field_quantifier(field, message) != 0;
    if (field_in_oneof(field))
        return *(const uint32_t *)field_quantifier(field, message) == field->id;
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)member)->len != 0;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        text = *(char *const *)member;
        return text != NULL && *text != '\0';
    }
    return !is_zero(member, field_value_size(field));
}

static void put_name(struct buffer *out, const char *name)
{
    put_char(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '_' && name[1] >= 'a' && name[1] <= 'z')
            put_char(out, (char)(*++name - 'a' + 'A'));
        else
            put_char(out, *name);
    }
    buffer_append_string(out, "\":");
}

/* Keys may repeat in the struct, but not in the text: of equal keys the last one counts, as
 * protobuf reads maps. Maps are small (attributes), so that looking costs little. */
static bool is_last_of_its_key(ProtobufCMessage *const *entries, size_t count, size_t at)
{
    const ProtobufCFieldDescriptor *key = &entries[at]->descriptor->fields[0];
    const char *text = *(char *const *)field_member(key, entries[at]);

    for (size_t i = at + 1; i < count; i++) {
        if (strcmp(*(char *const *)field_member(key, entries[i]), text) == 0)
            return false;
    }
    return true;
}

static void put_map(struct buffer *out, const ProtobufCFieldDescriptor *field,
                    const ProtobufCMessage *message)
{
    size_t count = *(const size_t *)field_quantifier(field, message);
    ProtobufCMessage *const *entries =
        *(ProtobufCMessage *const *const *)field_member(field, message);
    char before = '{';

    for (size_t i = 0; i < count; i++) {
        const ProtobufCFieldDescriptor *fields = entries[i]->descriptor->fields;

        if (!is_last_of_its_key(entries, count, i))
            continue;
        put_char(out, before);
        before = ',';
        codec_json_string(*(char *const *)field_member(&fields[0], entries[i]), out);
        put_char(out, ':');
        put_value(out, &fields[1], field_member(&fields[1], entries[i]));
    }
    put_char(out, '}');
}

static void put_array(struct buffer *out, const ProtobufCFieldDescriptor *field,
                      const ProtobufCMessage *message)
{
    size_t count = *(const size_t *)field_quantifier(field, message);
    const char *array = *(char *const *)field_member(field, message);

    for (size_t i = 0; i < count; i++) {
        put_char(out, i == 0 ? '[' : ',');
        put_value(out, field, array + i * field_value_size(field));
    }
    put_char(out, ']');
}

static void put_real(struct buffer *out, double value, int digits)
{
    char text[40];

    if (isnan(value)) {
        buffer_append_string(out, "\"NaN\"");
    } else if (isinf(value)) {
        buffer_append_string(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else {
        /* The fewest digits that read back the same. */
        do
            snprintf(text, sizeof text, "%.*g", digits, value);
        while (strtod(text, NULL) != value && digits++ < 17);
        buffer_append_string(out, text);
    }
}

static void put_enum(struct buffer *out, const ProtobufCEnumDescriptor *descriptor, int32_t number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);

    if (value == NULL)
        buffer_append_printf(out, "%" PRId32, number);
    else
        buffer_append_printf(out, "\"%s\"", value->name);
}

static void put_bytes(struct buffer *out, const ProtobufCBinaryData *bytes)
{
    uint8_t *at = buffer_reserve(out, base64_size(bytes->len) + 2);

    if (at == NULL)
        return;
    *at++ = '"';
    at += base64_encode(slice_of(bytes->data, bytes->len), (char *)at);
    *at++ = '"';
    out->size = (size_t)(at - out->data);
}

static void put_value(struct buffer *out, const ProtobufCFieldDescriptor *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        buffer_append_printf(out, "%" PRId32, *(const int32_t *)member);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        buffer_append_printf(out, "%" PRIu32, *(const uint32_t *)member);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        buffer_append_printf(out, "\"%" PRId64 "\"", *(const int64_t *)member);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        buffer_append_printf(out, "\"%" PRIu64 "\"", *(const uint64_t *)member);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        put_real(out, (double)*(const float *)member, 6);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        put_real(out, *(const double *)member, 15);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        buffer_append_string(out, *(const protobuf_c_boolean *)member ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(out, field->descriptor, *(const int32_t *)member);
        break;
    case PROTOBUF_C_TYPE_STRING:
        codec_json_string(*(char *const *)member, out);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        put_bytes(out, member);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        put_message(out, *(ProtobufCMessage *const *)member);
        break;
    }
}

static void put_escape(struct buffer *out, char c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (const char *pair = shorts; *pair != '\0'; pair += 2) {
        if (*pair == c) {
            put_char(out, '\\');
            put_char(out, pair[1]);
            return;
        }
    }
    buffer_append_printf(out, "\\u%04x", (unsigned)(uint8_t)c);
}

/* The text is UTF-8: nothing else gets into a message (wire_check, jansson, core's own checks). */
void codec_json_string(const char *text, struct buffer *out)
{
    const char *plain = text == NULL ? "" : text;

    put_char(out, '"');
    for (text = plain; *text != '\0'; text++) {
        if ((uint8_t)*text >= 0x20 && *text != '"' && *text != '\\' && *text != 0x7f)
            continue;
        buffer_append(out, slice_of(plain, (size_t)(text - plain)));
        put_escape(out, *text);
        plain = text + 1;
    }
    buffer_append(out, slice_of(plain, (size_t)(text - plain)));
    put_char(out, '"');
}
