/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_check.c -- protobuf bytes held against their descriptor before protobuf-c sees them.
 *
 * protobuf-c unpacks strings as they come: not UTF-8, or with a NUL inside, which hides what
 * follows from strlen and from every check after it. It also says only "no" of broken bytes. So the
 * bytes are walked first: tags, wire types, lengths inside their message, strings.
 *
 * Invariants
 *   W1  No byte outside the given slice is read: every length is held against what is left of
 *       its own message.
 *   W2  The walk goes one level deeper only along a descriptor's message field. Descriptors have
 *       no cycles (tests/wire/test_codec.c proves it), so that depth is bounded by the contract
 *       and not by the sender.
 *
 * How much memory unpacking may take is the arena's business, not decided here.
 */
#include "codec/wire_check.h"

#include <inttypes.h>

#include "codec/path.h"

#define VARINT_BYTES_MAX 10
#define FIELD_NUMBER_MAX ((1u << 29) - 1)

/* One message being walked. */
struct walk {
    struct slice bytes;
    size_t at;
    const ProtobufCMessageDescriptor *descriptor;
    const struct path *path;
    struct error *error;
};

/* One field of it. */
struct item {
    uint32_t number;
    ProtobufCWireType wire_type;
    struct slice value; /* without its length prefix */
    size_t begin;       /* of its tag */
};

static enum status check_message(struct walk *walk);
static enum status check_value(const struct walk *walk, const struct item *item,
                               const ProtobufCFieldDescriptor *field);
static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *descriptor,
                                                uint32_t number);
static bool next_item(struct walk *walk, struct item *ret_item);

enum status wire_check(struct slice bytes, const ProtobufCMessageDescriptor *descriptor,
                       struct error *error)
{
    struct walk walk = {.bytes = bytes, .descriptor = descriptor, .error = error};

    return check_message(&walk);
}

static enum status check_message(struct walk *walk)
{
    while (walk->at < walk->bytes.size) {
        const ProtobufCFieldDescriptor *field;
        struct item item;
        enum status status;

        if (!next_item(walk, &item))
            return path_refuse(walk->path, walk->error, "broken protobuf at byte %zu of %s",
                               item.begin, walk->descriptor->short_name);
        field = field_of(walk->descriptor, item.number);
        if (field == NULL)
            continue;
        status = check_value(walk, &item, field);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* NULL: unknown. Fields lie in the order of their numbers, and most messages number them 1, 2, 3.
 */
static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *descriptor,
                                                uint32_t number)
{
    if (number <= descriptor->n_fields && descriptor->fields[number - 1].id == number)
        return &descriptor->fields[number - 1];
    return protobuf_c_message_descriptor_get_field(descriptor, number);
}

/* How many of the same field came before this one: its index, if it is repeated. Only errors and
 * nested messages ask. */
static size_t index_of(const struct walk *walk, const struct item *item)
{
    struct walk again = *walk;
    struct item other;
    size_t index = 0;

    again.at = 0;
    while (again.at < item->begin && next_item(&again, &other))
        index += other.number == item->number;
    return index;
}

static struct path path_of(const struct walk *walk, const struct item *item,
                           const ProtobufCFieldDescriptor *field)
{
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;

    return (struct path){walk->path, slice_of_string(field->name),
                         repeated ? index_of(walk, item) : PATH_NO_INDEX};
}

static ProtobufCWireType wire_type_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

static bool wire_type_fits(const struct item *item, const ProtobufCFieldDescriptor *field)
{
    if (item->wire_type == wire_type_of(field))
        return true;
    /* Numbers in a repeated field may come packed. */
    return field->label == PROTOBUF_C_LABEL_REPEATED &&
           item->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
}

static const char *text_fault(struct slice text)
{
    if (utf8_is_string(text))
        return NULL;
    return utf8_is_valid(text) ? "the text holds a NUL" : "the text is not UTF-8";
}

static enum status check_nested(const struct walk *walk, const struct item *item,
                                const ProtobufCFieldDescriptor *field)
{
    struct walk inner = {
        .bytes = item->value, .descriptor = field->descriptor, .error = walk->error};
    struct path path;

    if (check_message(&inner) == STATUS_OK)
        return STATUS_OK;
    /* Again with its path: to make one for every element would cost more than all the rest, and
     * with an index the time were quadratic. */
    path = path_of(walk, item, field);
    inner.path = &path;
    inner.at = 0;
    return check_message(&inner);
}

static enum status check_value(const struct walk *walk, const struct item *item,
                               const ProtobufCFieldDescriptor *field)
{
    const char *fault = NULL;
    struct path path;

    if (!wire_type_fits(item, field))
        fault = "the value has the wrong wire type";
    else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_nested(walk, item, field);
    else if (field->type == PROTOBUF_C_TYPE_STRING)
        fault = text_fault(item->value);
    if (fault == NULL)
        return STATUS_OK;
    path = path_of(walk, item, field);
    return path_refuse(&path, walk->error, "%s", fault);
}

static bool next_long_varint(struct walk *walk, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (int i = 0; i < VARINT_BYTES_MAX && walk->at < walk->bytes.size; i++) {
        uint8_t byte = walk->bytes.data[walk->at++];

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static inline bool next_varint(struct walk *walk, uint64_t *ret_value)
{
    if (walk->at == walk->bytes.size || walk->bytes.data[walk->at] >= 0x80)
        return next_long_varint(walk, ret_value);
    *ret_value = walk->bytes.data[walk->at++]; /* tags and most lengths: one byte */
    return true;
}

static bool next_bytes(struct walk *walk, uint64_t size, struct slice *ret_value)
{
    if (size > walk->bytes.size - walk->at) /* W1 */
        return false;
    *ret_value = slice_of(walk->bytes.data + walk->at, size);
    walk->at += size;
    return true;
}

static bool next_value(struct walk *walk, struct item *item)
{
    uint64_t number;

    switch (item->wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return next_varint(walk, &number);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return next_bytes(walk, 8, &item->value);
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return next_bytes(walk, 4, &item->value);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        return next_varint(walk, &number) && next_bytes(walk, number, &item->value);
    default: /* groups, which proto3 has not */
        return false;
    }
}

/* False if the bytes from `ret_item->begin` are no field. */
static bool next_item(struct walk *walk, struct item *ret_item)
{
    uint64_t tag;

    *ret_item = (struct item){.begin = walk->at};
    if (!next_varint(walk, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return false;
    ret_item->number = (uint32_t)(tag >> 3);
    ret_item->wire_type = (ProtobufCWireType)(tag & 7);
    return next_value(walk, ret_item);
}
