/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h -- the JSON half of codec.h, and the pieces its files share.
 */
#ifndef ACKD_CODEC_JSON_H
#define ACKD_CODEC_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "codec/path.h"

/* codec_decode and codec_encode for CODEC_JSON. */
enum status json_decode(struct slice text, const ProtobufCMessageDescriptor *descriptor,
                        struct arena *arena, ProtobufCMessage **ret_message,
                        struct error *error) MUST_USE;
void json_encode(const ProtobufCMessage *message, struct buffer *out);

/* What a decoder carries along. */
struct json_decoder {
    struct arena *arena;
    struct error *error;
};

/* Reads a value that is neither message nor map into a member of the field's type (json_scalar.c).
 */
enum status json_scalar_decode(struct json_decoder *decoder, const json_t *json,
                               const ProtobufCFieldDescriptor *field, const struct path *path,
                               void *member) MUST_USE;
/* "an object", "a string": what the sender wrote, for messages. */
const char *json_kind(const json_t *json);

#endif
