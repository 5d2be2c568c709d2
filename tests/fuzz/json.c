/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c -- the JSON codec, both ways, for every message of the contract.
 *
 * Input: which message, and whether it is given in JSON or protobuf (1 byte), then its bytes.
 *
 *   F1  What can be read is written as JSON that reads as the same message, down to its protobuf
 *       bytes. (Protobuf alone can hold one key of a map twice: such JSON is refused.)
 *   F2  What can't be read is refused for its form or its size, with a text that is UTF-8.
 */
#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/dataset.pb-c.h"
#include "ackd/v1/dead_letter.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/result.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "ackd/v1/token.pb-c.h"
#include "codec/codec.h"
#include "fuzz.h"
#include "service/service.h"

#define ARENA_BYTES ((size_t)64 << 20)
#define AS_PROTOBUF 0x80

static const ProtobufCMessageDescriptor *const types[] = {
#define X(group, rpc, handler, request, response, rights, reach)                                   \
    &ackd__v1__##request##__descriptor, &ackd__v1__##response##__descriptor,
    SERVICE_METHODS(X)
#undef X
};

/* Decodes; NULL, with the error, if it is refused. */
static ProtobufCMessage *read_message(enum codec codec, struct slice bytes,
                                      const ProtobufCMessageDescriptor *type, struct arena *arena,
                                      struct error *ret_error)
{
    ProtobufCMessage *message = NULL;
    uint8_t *copy = exact_copy(bytes);
    enum status status =
        codec_decode(codec, slice_of(copy, bytes.size), type, arena, &message, ret_error);

    free(copy); /* the message refers to the arena alone */
    CHECK((status == STATUS_OK) == (message != NULL));
    if (status == STATUS_OK)
        return message;
    CHECK(status == ret_error->status); /* F2 */
    CHECK(status == STATUS_MALFORMED || status == STATUS_TOO_LARGE);
    CHECK(utf8_is_valid(slice_of_string(ret_error->message)));
    CHECK(utf8_is_valid(slice_of_string(ret_error->field)));
    return NULL;
}

static struct buffer written(enum codec codec, const ProtobufCMessage *message)
{
    struct buffer out = BUFFER_EMPTY;

    codec_encode(codec, message, &out);
    CHECK(!out.failed);
    return out;
}

/* Reads what was written, and writes it in both forms. */
static bool write_again(enum codec codec, struct slice bytes,
                        const ProtobufCMessageDescriptor *type, struct buffer *ret_json,
                        struct buffer *ret_protobuf, struct error *ret_error)
{
    struct arena arena;
    ProtobufCMessage *message;

    arena_init(&arena, ARENA_BYTES);
    message = read_message(codec, bytes, type, &arena, ret_error);
    if (message != NULL) {
        *ret_json = written(CODEC_JSON, message);
        *ret_protobuf = written(CODEC_PROTOBUF, message);
    }
    arena_deinit(&arena);
    return message != NULL;
}

static void assert_equal(struct buffer *one, struct buffer *other)
{
    CHECK(slice_equal(buffer_view(one), buffer_view(other)));
    buffer_deinit(other);
}

static void check_round(bool from_protobuf, struct buffer *json, struct buffer *protobuf,
                        const ProtobufCMessageDescriptor *type)
{
    struct buffer json_again;
    struct buffer protobuf_again;
    struct error error = ERROR_NONE;

    if (!write_again(CODEC_JSON, buffer_view(json), type, &json_again, &protobuf_again, &error)) {
        CHECK(from_protobuf && strstr(error.message, "duplicate") != NULL); /* F1 */
        return;
    }
    assert_equal(json, &json_again);
    if (from_protobuf) { /* it may have held unknown fields, and zeros in another spelling */
        buffer_deinit(protobuf);
        *protobuf = protobuf_again;
    } else {
        assert_equal(protobuf, &protobuf_again);
    }
    CHECK(write_again(CODEC_PROTOBUF, buffer_view(protobuf), type, &json_again, &protobuf_again,
                      &error));
    assert_equal(json, &json_again);
    assert_equal(protobuf, &protobuf_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool bounded;
    struct slice input = slice_of(data, size);
    uint8_t choice = take_u8(&input);
    bool from_protobuf = (choice & AS_PROTOBUF) != 0;
    const ProtobufCMessageDescriptor *type =
        types[(choice & ~AS_PROTOBUF) % (sizeof types / sizeof *types)];
    struct buffer json = BUFFER_EMPTY;
    struct buffer protobuf = BUFFER_EMPTY;
    struct error error = ERROR_NONE;

    if (!bounded)
        codec_bound_json_memory();
    bounded = true;
    if (write_again(from_protobuf ? CODEC_PROTOBUF : CODEC_JSON, input, type, &json, &protobuf,
                    &error))
        check_round(from_protobuf, &json, &protobuf, type);
    buffer_deinit(&json);
    buffer_deinit(&protobuf);
    return 0;
}
