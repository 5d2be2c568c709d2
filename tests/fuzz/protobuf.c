/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf.c -- one message of any method, in protobuf, to a broker with a bit of everything.
 *
 * Input: which method (1 byte), then the message. The invariants are the rig's (rig.h), and
 *
 *   F1  whatever the message was, the broker serves the next one.
 *
 * libFuzzer changes bytes; a field deep in a message moves every length around it. So in every
 * other mutation a few random fields, edges of their types among them, are merged in: protobuf
 * joins messages whose bytes stand one behind the other.
 */
#include "codec/field.h"
#include "fuzz.h"
#include "script.h"
#include "wire/random_message.h"

/* Tasks in every state, leases with and without a session, a dead letter, a result, a checkpoint,
 * a dataset, a waiting client. Time stands still, so tokens and sessions are the same each time. */
static const char before[] =
    "QueueService/Create {\"name\":\"q\",\"config\":{\"maxFailures\":1}}\n"
    "QueueService/Create {\"name\":\"r\"}\n"
    "TaskService/Publish {\"queue\":\"q\",\"dataset\":\"set\",\"tasks\":[{\"taskId\":\"a\"},"
    "{\"taskId\":\"b\",\"payload\":\"AAAA\",\"attributes\":{\"k\":\"v\"}},{\"taskId\":\"c\"},"
    "{\"taskId\":\"d\"},{\"taskId\":\"e\",\"delayMs\":9000},{\"priority\":3}]}\n"
    "SessionService/Open {\"queue\":\"q\",\"worker\":\"w\"}\n"
    "TaskService/Lease {\"queue\":\"q\",\"maxTasks\":3}\n"
    "TaskService/Lease {\"queue\":\"q\",\"maxTasks\":1,\"sessionId\":\"%a\"}\n"
    "TaskService/Ack {\"items\":[{\"leaseToken\":\"$a\",\"result\":\"cmVzdWx0\"}]}\n"
    "TaskService/Nack {\"items\":[{\"leaseToken\":\"$b\",\"reason\":\"NACK_REASON_FAILED\"}]}\n"
    "TaskService/SaveCheckpoint {\"leaseToken\":\"$c\",\"data\":\"AAAA\"}\n"
    "TaskService/Lease {\"queue\":\"r\",\"waitMs\":60000}\n";

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

static void clear_field(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        *(size_t *)field_quantifier(field, message) = 0;
    else if (field_in_oneof(field))
        *(uint32_t *)field_quantifier(field, message) = 0;
    else if (field->type == PROTOBUF_C_TYPE_STRING)
        *(const char **)field_member(field, message) = "";
    else
        memset(field_member(field, message), 0, field_value_size(field));
}

static void thin_out(ProtobufCMessage *message, uint64_t *seed);

static void thin_out_members(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message,
                             uint64_t *seed)
{
    ProtobufCMessage **members = field_member(field, message);
    size_t count = 1;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        count = *(size_t *)field_quantifier(field, message);
        members = *(ProtobufCMessage ***)field_member(field, message);
    }
    for (size_t i = 0; i < count; i++)
        if (members[i] != NULL)
            thin_out(members[i], seed);
}

/* Leaves about a third of the fields. */
static void thin_out(ProtobufCMessage *message, uint64_t *seed)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

        if (random_below(seed, 3) != 0)
            clear_field(field, message);
        else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
            thin_out_members(field, message, seed);
    }
}

/* Merges random fields into the message behind the method's byte; its own come first or last. */
static size_t merge_fields(uint8_t *data, size_t size, size_t size_max, uint64_t seed)
{
    const struct method *method = method_at((enum method_number)(data[0] % METHOD_COUNT));
    struct buffer fields = BUFFER_EMPTY;
    struct arena arena;
    ProtobufCMessage *message;
    size_t at;

    arena_init(&arena, SIZE_MAX);
    message = random_message(&arena, &seed, method->request);
    thin_out(message, &seed);
    codec_encode(CODEC_PROTOBUF, message, &fields);
    arena_deinit(&arena);
    at = random_below(&seed, 2) == 0 ? 1 : size;
    if (fields.size > 0 && fields.size <= size_max - size) {
        memmove(data + at + fields.size, data + at, size - at);
        memcpy(data + at, fields.data, fields.size);
        size += fields.size;
    }
    buffer_deinit(&fields);
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    if (seed % 2 == 0 || size == 0 || size > size_max)
        return LLVMFuzzerMutate(data, size, size_max);
    return merge_fields(data, size, size_max, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool bounded;
    struct slice input = slice_of(data, size);
    enum method_number method = (enum method_number)(take_u8(&input) % METHOD_COUNT);
    struct rig *rig;

    if (!bounded)
        codec_bound_json_memory();
    bounded = true;
    rig = rig_open();
    script_run(rig, slice_of_string(before));
    CHECK(rig->token_count == 4 && rig->session_count == 1);
    rig_ask(rig, "POST", slice_of_string(method_at(method)->path), "application/proto", input);
    CHECK(rig_ask(rig, "POST", slice_of_string("/ackd.v1.QueueService/List"), "application/proto",
                  SLICE_EMPTY)
              ->request.http_status == 200); /* F1 */
    rig_close(rig);
    return 0;
}
