/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_decode.c -- a JSON text becomes a message of protobuf-c's structs.
 *
 *   text --jansson--> tree --descriptors--> message in the arena
 *
 * jansson knows the syntax, and its depth limit (2,048) holds against `[[[[...`; this file walks
 * the tree along the message's descriptors, so that the recursion goes no deeper than the
 * contract's messages do. The proto3 mapping: a field is found by its lowerCamelCase name or by the
 * .proto's own, `null` leaves it out, and whatever has no place in the message is refused with its
 * path.
 *
 * The tree is freed before the return; the message refers to the arena alone.
 */
#include "base/assert.h"
#include "codec/codec.h"
#include "codec/field.h"
#include "codec/json.h"
#include "codec/json_memory.h"

/* What a tree may take: measured, an ordinary request's takes two to four times its text, and
 * many small objects up to 20 times. */
#define TREE_BYTES_PER_BYTE 4
#define TREE_BYTES_BASE (16u << 20)
#define FIELDS_MAX 64 /* of a message; the width of the set of fields seen */

static enum status refuse_text(const json_error_t *fault, struct error *error);
static enum status decode_message(struct json_decoder *decoder, const json_t *object,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  const struct path *path, ProtobufCMessage **ret_message);

enum status json_decode(struct slice text, const ProtobufCMessageDescriptor *descriptor,
                        struct arena *arena, ProtobufCMessage **ret_message, struct error *error)
{
    struct json_decoder decoder = {arena, error};
    json_error_t fault;
    enum status status;
    json_t *tree;

    json_memory_begin(text.size * TREE_BYTES_PER_BYTE + TREE_BYTES_BASE);
    tree = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &fault);
    if (tree == NULL)
        status = refuse_text(&fault, error);
    else if (json_memory_exhausted())
        status = codec_too_large(error); /* jansson goes on without the byte it has no room for */
    else
        status = decode_message(&decoder, tree, descriptor, NULL, ret_message);
    json_decref(tree);
    json_memory_end();
    return status;
}

static enum status refuse_text(const json_error_t *fault, struct error *error)
{
    char text[JSON_ERROR_TEXT_LENGTH + 1];
    struct path whole = {NULL, slice_of_string(fault->text), PATH_NO_INDEX};

    if (json_error_code(fault) == json_error_out_of_memory || json_memory_exhausted())
        return codec_too_large(error);
    if (fault->line < 1) /* jansson was given nothing to look at */
        return error_set(error, STATUS_MALFORMED, "the body is empty: JSON is at least {}");
    path_render(&whole, text, sizeof text); /* it may quote the sender's bytes */
    return error_set(error, STATUS_MALFORMED, "broken JSON at line %d, column %d: %s", fault->line,
                     fault->column, text);
}

/* Whether `key` is the field's name in lowerCamelCase or as in the .proto. */
static bool name_fits(const char *name, struct slice key)
{
    size_t at = 0;

    if (slice_equal(slice_of_string(name), key))
        return true;
    for (; *name != '\0'; name++, at++) {
        char c = *name;

        if (c == '_' && name[1] >= 'a' && name[1] <= 'z')
            c = (char)(*++name - 'a' + 'A');
        if (at >= key.size || key.data[at] != (uint8_t)c)
            return false;
    }
    return at == key.size;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
                                                  struct slice key)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        if (name_fits(descriptor->fields[i].name, key))
            return &descriptor->fields[i];
    }
    return NULL;
}

static enum status decode_single(struct json_decoder *decoder, const json_t *json,
                                 const ProtobufCFieldDescriptor *field, const struct path *path,
                                 void *member)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return decode_message(decoder, json, field->descriptor, path, member);
    return json_scalar_decode(decoder, json, field, path, member);
}

/* Room for the elements of a repeated field, whose count and array are set at once: elements not
 * filled in yet are zero, and nobody looks at the message if one is refused. */
static char *make_array(struct json_decoder *decoder, const ProtobufCFieldDescriptor *field,
                        size_t count, ProtobufCMessage *message)
{
    char *array = arena_alloc_array(decoder->arena, count, field_value_size(field));

    if (array == NULL)
        return NULL;
    *(size_t *)field_quantifier(field, message) = count;
    *(void **)field_member(field, message) = array;
    return array;
}

static enum status decode_array(struct json_decoder *decoder, const json_t *json,
                                const ProtobufCFieldDescriptor *field, struct path *path,
                                ProtobufCMessage *message)
{
    size_t count = json_array_size(json);
    char *array;

    if (!json_is_array(json))
        return path_refuse(path, decoder->error, "an array is needed, not %s", json_kind(json));
    if (count == 0)
        return STATUS_OK;
    array = make_array(decoder, field, count, message);
    if (array == NULL)
        return codec_too_large(decoder->error);
    for (size_t i = 0; i < count; i++) {
        enum status status;

        path->index = i;
        status = decode_single(decoder, json_array_get(json, i), field, path,
                               array + i * field_value_size(field));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status decode_entry(struct json_decoder *decoder, struct slice key, const json_t *json,
                                const ProtobufCMessageDescriptor *descriptor,
                                const struct path *path, ProtobufCMessage **ret_entry)
{
    ProtobufCMessage *entry = arena_alloc(decoder->arena, descriptor->sizeof_message);
    char *text = arena_string(decoder->arena, key);

    if (entry == NULL || text == NULL)
        return codec_too_large(decoder->error);
    protobuf_c_message_init(descriptor, entry);
    *(char **)field_member(&descriptor->fields[0], entry) = text;
    *ret_entry = entry;
    return decode_single(decoder, json, &descriptor->fields[1], path,
                         field_member(&descriptor->fields[1], entry));
}

static enum status decode_map(struct json_decoder *decoder, const json_t *json,
                              const ProtobufCFieldDescriptor *field, const struct path *path,
                              ProtobufCMessage *message)
{
    size_t count = json_object_size(json);
    ProtobufCMessage **entry;

    if (!json_is_object(json))
        return path_refuse(path, decoder->error, "an object is needed, not %s", json_kind(json));
    if (count == 0)
        return STATUS_OK;
    entry = (ProtobufCMessage **)(void *)make_array(decoder, field, count, message);
    if (entry == NULL)
        return codec_too_large(decoder->error);
    for (void *iter = json_object_iter((json_t *)json); iter != NULL;
         iter = json_object_iter_next((json_t *)json, iter)) {
        struct slice key = slice_of_string(json_object_iter_key(iter));
        struct path inner = {path, key, PATH_NO_INDEX};
        enum status status = decode_entry(decoder, key, json_object_iter_value(iter),
                                          field->descriptor, &inner, entry++);

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status decode_field(struct json_decoder *decoder, const json_t *json,
                                const ProtobufCFieldDescriptor *field, struct path *path,
                                ProtobufCMessage *message)
{
    enum status status;

    if (json_is_null(json))
        return STATUS_OK;
    if (field_is_map(field))
        return decode_map(decoder, json, field, path, message);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return decode_array(decoder, json, field, path, message);
    status = decode_single(decoder, json, field, path, field_member(field, message));
    if (field_in_oneof(field))
        *(uint32_t *)field_quantifier(field, message) = field->id;
    return status;
}

static enum status decode_member(struct json_decoder *decoder, struct slice key, const json_t *json,
                                 const struct path *parent, uint64_t *seen,
                                 ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = find_field(message->descriptor, key);
    struct path path = {parent, key, PATH_NO_INDEX};
    uint64_t bit;

    if (field == NULL)
        return path_refuse(&path, decoder->error, "%s has no such field",
                           message->descriptor->short_name);
    path.name = slice_of_string(field->name);
    bit = UINT64_C(1) << (field - message->descriptor->fields);
    if ((*seen & bit) != 0)
        return path_refuse(&path, decoder->error, "the field is there twice, by both its names");
    *seen |= bit;
    return decode_field(decoder, json, field, &path, message);
}

static enum status decode_message(struct json_decoder *decoder, const json_t *object,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  const struct path *path, ProtobufCMessage **ret_message)
{
    uint64_t seen = 0;
    ProtobufCMessage *message;

    ASSERT(descriptor->n_fields <= FIELDS_MAX);
    if (!json_is_object(object))
        return path_refuse(path, decoder->error, "an object is needed, not %s", json_kind(object));
    message = arena_alloc(decoder->arena, descriptor->sizeof_message);
    if (message == NULL)
        return codec_too_large(decoder->error);
    protobuf_c_message_init(descriptor, message);
    for (void *iter = json_object_iter((json_t *)object); iter != NULL;
         iter = json_object_iter_next((json_t *)object, iter)) {
        struct slice key = slice_of_string(json_object_iter_key(iter));
        enum status status =
            decode_member(decoder, key, json_object_iter_value(iter), path, &seen, message);

        if (status != STATUS_OK)
            return status;
    }
    *ret_message = message;
    return STATUS_OK;
}
