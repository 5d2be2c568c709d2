/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scalar.c -- numbers, texts, bytes and enums of the proto3 JSON mapping, into C.
 *
 * Integers are read from numbers and from strings, since JavaScript can't hold 64 bits; `1e3` and
 * `1.0` are integers too, `1.5` and what the field's type can't hold are refused.
 */
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "codec/codec.h"
#include "codec/json.h"

/* Integers that a double holds exactly. */
#define DOUBLE_INTEGER_MAX 9007199254740992.0

static enum status decode_signed(struct json_decoder *decoder, const json_t *json,
                                 const struct path *path, int64_t min, int64_t max,
                                 int64_t *ret_value);
static enum status decode_unsigned(struct json_decoder *decoder, const json_t *json,
                                   const struct path *path, uint64_t max, uint64_t *ret_value);
static enum status decode_real(struct json_decoder *decoder, const json_t *json,
                               const struct path *path, double *ret_value);
static enum status decode_enum(struct json_decoder *decoder, const json_t *json,
                               const ProtobufCFieldDescriptor *field, const struct path *path,
                               int32_t *ret_value);
static enum status decode_text(struct json_decoder *decoder, const json_t *json,
                               const struct path *path, char **ret_text);
static enum status decode_bytes(struct json_decoder *decoder, const json_t *json,
                                const struct path *path, ProtobufCBinaryData *ret_bytes);

static enum status decode_int32(struct json_decoder *decoder, const json_t *json,
                                const struct path *path, int32_t *ret_value)
{
    int64_t value = 0;
    enum status status = decode_signed(decoder, json, path, INT32_MIN, INT32_MAX, &value);

    *ret_value = (int32_t)value;
    return status;
}

static enum status decode_uint32(struct json_decoder *decoder, const json_t *json,
                                 const struct path *path, uint32_t *ret_value)
{
    uint64_t value = 0;
    enum status status = decode_unsigned(decoder, json, path, UINT32_MAX, &value);

    *ret_value = (uint32_t)value;
    return status;
}

static enum status decode_float(struct json_decoder *decoder, const json_t *json,
                                const struct path *path, float *ret_value)
{
    double value = 0;
    enum status status = decode_real(decoder, json, path, &value);

    if (status == STATUS_OK && isfinite(value) && fabs(value) > (double)FLT_MAX)
        return path_refuse(path, decoder->error, "the number is too large for a float");
    *ret_value = (float)value;
    return status;
}

static enum status decode_bool(struct json_decoder *decoder, const json_t *json,
                               const struct path *path, protobuf_c_boolean *ret_value)
{
    if (!json_is_boolean(json))
        return path_refuse(path, decoder->error, "true or false is needed, not %s",
                           json_kind(json));
    *ret_value = json_is_true(json);
    return STATUS_OK;
}

enum status json_scalar_decode(struct json_decoder *decoder, const json_t *json,
                               const ProtobufCFieldDescriptor *field, const struct path *path,
                               void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return decode_int32(decoder, json, path, member);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return decode_uint32(decoder, json, path, member);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return decode_signed(decoder, json, path, INT64_MIN, INT64_MAX, member);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return decode_unsigned(decoder, json, path, UINT64_MAX, member);
    case PROTOBUF_C_TYPE_FLOAT:
        return decode_float(decoder, json, path, member);
    case PROTOBUF_C_TYPE_DOUBLE:
        return decode_real(decoder, json, path, member);
    case PROTOBUF_C_TYPE_BOOL:
        return decode_bool(decoder, json, path, member);
    case PROTOBUF_C_TYPE_ENUM:
        return decode_enum(decoder, json, field, path, member);
    case PROTOBUF_C_TYPE_STRING:
        return decode_text(decoder, json, path, member);
    case PROTOBUF_C_TYPE_BYTES:
        return decode_bytes(decoder, json, path, member);
    default:
        return path_refuse(path, decoder->error, "the field's type has no JSON form");
    }
}

const char *json_kind(const json_t *json)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };

    return kinds[json_typeof(json)];
}

/* A real that is a whole number, as an integer. */
static bool whole_of(double real, int64_t *ret_value)
{
    if (real != floor(real) || fabs(real) > DOUBLE_INTEGER_MAX)
        return false;
    *ret_value = (int64_t)real;
    return true;
}

/* The number a string spells, without blanks or a plus, as JSON would have it. */
static bool signed_of_text(const json_t *json, int64_t *ret_value)
{
    const char *text = json_string_value(json);
    char *end;

    if (*text != '-' && (*text < '0' || *text > '9'))
        return false;
    errno = 0;
    *ret_value = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static bool unsigned_of_text(const json_t *json, uint64_t *ret_value)
{
    const char *text = json_string_value(json);
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret_value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static enum status decode_signed(struct json_decoder *decoder, const json_t *json,
                                 const struct path *path, int64_t min, int64_t max,
                                 int64_t *ret_value)
{
    int64_t value = json_integer_value(json);
    bool whole = json_is_integer(json);

    if (json_is_real(json))
        whole = whole_of(json_real_value(json), &value);
    else if (json_is_string(json))
        whole = signed_of_text(json, &value);
    else if (!whole)
        return path_refuse(path, decoder->error, "an integer is needed, not %s", json_kind(json));
    if (!whole && max == INT64_MAX)
        return path_refuse(path, decoder->error, "a 64-bit integer is needed");
    if (!whole || value < min || value > max)
        return path_refuse(path, decoder->error,
                           "an integer from %" PRId64 " to %" PRId64 " is needed", min, max);
    *ret_value = value;
    return STATUS_OK;
}

static enum status decode_unsigned(struct json_decoder *decoder, const json_t *json,
                                   const struct path *path, uint64_t max, uint64_t *ret_value)
{
    int64_t value = json_integer_value(json);
    bool whole = json_is_integer(json);
    uint64_t number;

    if (json_is_real(json))
        whole = whole_of(json_real_value(json), &value);
    else if (!whole && !json_is_string(json))
        return path_refuse(path, decoder->error, "an integer is needed, not %s", json_kind(json));
    number = (uint64_t)value;
    if (json_is_string(json))
        whole = unsigned_of_text(json, &number);
    else
        whole = whole && value >= 0;
    if (!whole || number > max)
        return path_refuse(path, decoder->error, "an integer from 0 to %" PRIu64 " is needed", max);
    *ret_value = number;
    return STATUS_OK;
}

static bool real_of_text(const char *text, double *ret_value)
{
    char *end;

    if (strcmp(text, "NaN") == 0)
        *ret_value = (double)NAN;
    else if (strcmp(text, "Infinity") == 0)
        *ret_value = (double)INFINITY;
    else if (strcmp(text, "-Infinity") == 0)
        *ret_value = -(double)INFINITY;
    else if (*text != '-' && (*text < '0' || *text > '9'))
        return false;
    else
        *ret_value = strtod(text, &end);
    return (*text >= 'A' && *text <= 'Z') || text[1] == 'I' ||
           (*end == '\0' && isfinite(*ret_value));
}

static enum status decode_real(struct json_decoder *decoder, const json_t *json,
                               const struct path *path, double *ret_value)
{
    if (json_is_number(json)) {
        *ret_value = json_number_value(json);
        return STATUS_OK;
    }
    if (!json_is_string(json) || !real_of_text(json_string_value(json), ret_value))
        return path_refuse(path, decoder->error, "a number is needed");
    return STATUS_OK;
}

static enum status decode_enum(struct json_decoder *decoder, const json_t *json,
                               const ProtobufCFieldDescriptor *field, const struct path *path,
                               int32_t *ret_value)
{
    const ProtobufCEnumDescriptor *descriptor = field->descriptor;
    const ProtobufCEnumValue *value;

    if (!json_is_string(json))
        return decode_int32(decoder, json, path, ret_value);
    value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, json_string_value(json));
    if (value == NULL)
        return path_refuse(path, decoder->error, "%s has no value of that name",
                           descriptor->short_name);
    *ret_value = value->value;
    return STATUS_OK;
}

/* jansson has checked that it is UTF-8 and holds no NUL. */
static enum status decode_text(struct json_decoder *decoder, const json_t *json,
                               const struct path *path, char **ret_text)
{
    if (!json_is_string(json))
        return path_refuse(path, decoder->error, "a string is needed, not %s", json_kind(json));
    *ret_text =
        arena_string(decoder->arena, slice_of(json_string_value(json), json_string_length(json)));
    return *ret_text == NULL ? codec_too_large(decoder->error) : STATUS_OK;
}

static enum status decode_bytes(struct json_decoder *decoder, const json_t *json,
                                const struct path *path, ProtobufCBinaryData *ret_bytes)
{
    struct slice text;

    if (!json_is_string(json))
        return path_refuse(path, decoder->error, "base64 in a string is needed, not %s",
                           json_kind(json));
    text = slice_of(json_string_value(json), json_string_length(json));
    ret_bytes->data = arena_alloc_raw(decoder->arena, text.size / 4 * 3 + 3);
    if (ret_bytes->data == NULL)
        return codec_too_large(decoder->error);
    if (!base64_decode(text, ret_bytes->data, &ret_bytes->len))
        return path_refuse(path, decoder->error, "the string is not base64");
    return STATUS_OK;
}
