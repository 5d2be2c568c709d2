/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_message.c -- messages of any type with any content, from a seed.
 *
 * The edges of each type are as likely as what lies between: least and greatest numbers, empty
 * and awkward texts, enum numbers that have no name, fields that are set to their default.
 */
#include "random_message.h"

/* cmocka wants these before it, in this order. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/dataset.pb-c.h"
#include "ackd/v1/dead_letter.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/result.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "codec/field.h"

#define DEPTH_MAX 8
#define ELEMENTS_MAX 4

static const ProtobufCServiceDescriptor *const services[] = {
    &ackd__v1__queue_service__descriptor,       &ackd__v1__task_service__descriptor,
    &ackd__v1__session_service__descriptor,     &ackd__v1__result_service__descriptor,
    &ackd__v1__dead_letter_service__descriptor, &ackd__v1__dataset_service__descriptor,
    &ackd__v1__admin_service__descriptor,
};

static void visit_type(const ProtobufCMessageDescriptor *descriptor,
                       void (*visit)(const ProtobufCMessageDescriptor *descriptor), int depth)
{
    assert_true(depth < DEPTH_MAX); /* else it contains itself */
    visit(descriptor);
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        if (descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            visit_type(descriptor->fields[i].descriptor, visit, depth + 1);
    }
}

void every_message_type(void (*visit)(const ProtobufCMessageDescriptor *descriptor))
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        for (unsigned k = 0; k < services[i]->n_methods; k++) {
            visit_type(services[i]->methods[k].input, visit, 0);
            visit_type(services[i]->methods[k].output, visit, 0);
        }
    }
}

/* splitmix64 */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t value = *seed += UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

uint32_t random_below(uint64_t *seed, uint32_t bound)
{
    return (uint32_t)(next_random(seed) >> 32) % bound;
}

static int64_t random_integer(uint64_t *seed, int64_t min, int64_t max)
{
    const int64_t edges[] = {0, 1, -1, min, max};
    uint32_t choice = random_below(seed, 8);
    int64_t value;

    if (choice < 5)
        return edges[choice];
    value = (int64_t)next_random(seed);
    return value < min || value > max ? value % max : value;
}

static double random_double(uint64_t *seed)
{
    const double edges[] = {
        0, -0.5, 1e300, 5e-324, 0.1, (double)NAN, (double)INFINITY, -(double)INFINITY, 1.0 / 3};

    return edges[random_below(seed, sizeof edges / sizeof *edges)];
}

static char *random_text(struct arena *arena, uint64_t *seed)
{
    static const char *const pieces[] = {
        "a", "\"", "\\", "/", "\n", "\1", " ", "\xc3\xbc", "\xf0\x9f\x99\x82", "\x7f"};
    char *text = arena_string(arena, SLICE_EMPTY);

    for (uint32_t left = random_below(seed, 8); left > 0; left--)
        text = arena_printf(arena, "%s%s", text,
                            pieces[random_below(seed, sizeof pieces / sizeof *pieces)]);
    return text;
}

static ProtobufCBinaryData random_bytes(struct arena *arena, uint64_t *seed)
{
    ProtobufCBinaryData bytes = {.len = random_below(seed, 9)};

    bytes.data = arena_alloc(arena, bytes.len);
    for (size_t i = 0; i < bytes.len; i++)
        bytes.data[i] = (uint8_t)next_random(seed);
    return bytes;
}

static int32_t random_enum(uint64_t *seed, const ProtobufCEnumDescriptor *descriptor)
{
    uint32_t choice = random_below(seed, descriptor->n_values + 1);

    return choice < descriptor->n_values ? descriptor->values[choice].value : 4711;
}

static void random_value(struct arena *arena, uint64_t *seed, const ProtobufCFieldDescriptor *field,
                         void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
        *(int32_t *)member = (int32_t)random_integer(seed, INT32_MIN, INT32_MAX);
        break;
    case PROTOBUF_C_TYPE_INT64:
        *(int64_t *)member = random_integer(seed, INT64_MIN, INT64_MAX);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)member = random_double(seed);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)member = (int)random_below(seed, 2);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        *(int32_t *)member = random_enum(seed, field->descriptor);
        break;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)member = random_text(arena, seed);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)member = random_bytes(arena, seed);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)member = random_message(arena, seed, field->descriptor);
        break;
    default:
        fail_msg("the contract uses a type that is not tested: %s", field->name);
    }
}

/* A map's keys differ, as JSON needs them to. */
static void number_key(struct arena *arena, ProtobufCMessage *entry, size_t number)
{
    char **key = field_member(&entry->descriptor->fields[0], entry);

    *key = arena_printf(arena, "%s%zu", *key, number);
}

static void random_array(struct arena *arena, uint64_t *seed, const ProtobufCFieldDescriptor *field,
                         ProtobufCMessage *message)
{
    size_t count = random_below(seed, ELEMENTS_MAX);
    char *array = arena_alloc_array(arena, count, field_value_size(field));

    for (size_t i = 0; i < count; i++) {
        random_value(arena, seed, field, array + i * field_value_size(field));
        if (field_is_map(field))
            number_key(arena, ((ProtobufCMessage **)(void *)array)[i], i);
    }
    *(size_t *)field_quantifier(field, message) = count;
    *(void **)field_member(field, message) = array;
}

ProtobufCMessage *random_message(struct arena *arena, uint64_t *seed,
                                 const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = arena_alloc(arena, descriptor->sizeof_message);

    protobuf_c_message_init(descriptor, message);
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            random_array(arena, seed, field, message);
        } else if (random_below(seed, 4) != 0) {
            random_value(arena, seed, field, field_member(field, message));
            if (field_in_oneof(field))
                *(uint32_t *)field_quantifier(field, message) = field->id;
        }
    }
    return message;
}
