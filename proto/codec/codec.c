/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.c -- the front of both codecs, and protobuf by protobuf-c.
 *
 * protobuf-c unpacks with the arena as its allocator: freeing is nothing, since the arena is
 * dropped whole. What it asks for it fills in, being made for malloc. The bytes have been walked
 * before (wire_check.c), so what fails here is either memory or a case of broken bytes that only
 * protobuf-c sees, such as a packed field of odd length.
 */
#include "codec/codec.h"

#include "base/assert.h"
#include "codec/json.h"
#include "codec/packed_size.h"
#include "codec/wire_check.h"

struct unpack_memory {
    struct arena *arena;
    bool exhausted;
};

static enum status protobuf_decode(struct slice bytes, const ProtobufCMessageDescriptor *descriptor,
                                   struct arena *arena, ProtobufCMessage **ret_message,
                                   struct error *error);
static void protobuf_encode(const ProtobufCMessage *message, struct buffer *out);

enum status codec_decode(enum codec codec, struct slice bytes,
                         const ProtobufCMessageDescriptor *descriptor, struct arena *arena,
                         ProtobufCMessage **ret_message, struct error *error)
{
    ASSERT(codec == CODEC_PROTOBUF || codec == CODEC_JSON);
    *ret_message = NULL;
    if (codec == CODEC_JSON)
        return json_decode(bytes, descriptor, arena, ret_message, error);
    return protobuf_decode(bytes, descriptor, arena, ret_message, error);
}

void codec_encode(enum codec codec, const ProtobufCMessage *message, struct buffer *out)
{
    ASSERT(codec == CODEC_PROTOBUF || codec == CODEC_JSON);
    if (codec == CODEC_JSON)
        json_encode(message, out);
    else
        protobuf_encode(message, out);
}

enum status codec_too_large(struct error *error)
{
    return error_set(error, STATUS_TOO_LARGE,
                     "the request needs more memory than one request may take: send less at once");
}

static void *unpack_alloc(void *context, size_t size)
{
    struct unpack_memory *self = context;
    void *memory = arena_alloc_raw(self->arena, size);

    self->exhausted |= memory == NULL;
    return memory;
}

static void unpack_free(void *context, void *memory)
{
    (void)context;
    (void)memory;
}

static enum status protobuf_decode(struct slice bytes, const ProtobufCMessageDescriptor *descriptor,
                                   struct arena *arena, ProtobufCMessage **ret_message,
                                   struct error *error)
{
    struct unpack_memory memory = {arena, false};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &memory};
    enum status status = wire_check(bytes, descriptor, error);

    if (status != STATUS_OK)
        return status;
    *ret_message = protobuf_c_message_unpack(descriptor, &allocator, bytes.size, bytes.data);
    if (*ret_message != NULL)
        return STATUS_OK;
    if (memory.exhausted)
        return codec_too_large(error);
    return error_set(error, STATUS_MALFORMED, "broken protobuf in %s", descriptor->short_name);
}

static void protobuf_encode(const ProtobufCMessage *message, struct buffer *out)
{
    size_t size_max = packed_size_max(message);
    uint8_t *at;
    size_t size;

    if (size_max == 0)
        return;
    at = buffer_reserve(out, size_max);
    if (at == NULL)
        return;
    size = protobuf_c_message_pack(message, at);
    ASSERT(size <= size_max);
    out->size += size;
}
