/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.h -- messages to bytes and back, in protobuf and in JSON, for every message alike.
 *
 * Both codecs work over protobuf-c's descriptors. Decoding allocates from an arena alone, so that
 * what hostile input can cost is the arena's bound; there is nothing to free but the arena.
 *
 * JSON is the proto3 mapping: lowerCamelCase names (the proto's own names are read too), 64-bit
 * integers as strings (numbers are read too), bytes as base64, enums by name (numbers are read
 * too), maps as objects, defaults left out. Unknown fields, duplicate keys and values of the wrong
 * type are refused with the field's path.
 *
 * Protobuf: strings must be UTF-8 without NUL, which protobuf-c does not check: the wire bytes are
 * walked first. Unknown fields are skipped, as protobuf wants it.
 */
#ifndef ACKD_CODEC_H
#define ACKD_CODEC_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"

enum codec { CODEC_PROTOBUF, CODEC_JSON };

/* Reads one message. STATUS_MALFORMED names the field and, for JSON, line and column;
 * STATUS_TOO_LARGE if the arena's bound was reached. */
enum status codec_decode(enum codec codec, struct slice bytes,
                         const ProtobufCMessageDescriptor *descriptor, struct arena *arena,
                         ProtobufCMessage **ret_message, struct error *error) MUST_USE;
/* Appends the message's bytes to `out` (which remembers if memory was short). */
void codec_encode(enum codec codec, const ProtobufCMessage *message, struct buffer *out);
/* Appends a JSON string, quotes and all. The text must be UTF-8. */
void codec_json_string(const char *text, struct buffer *out);

/* Bounds what reading one JSON text may take beside the arena: jansson builds a tree that hostile
 * text makes a hundred times as large as itself. It replaces jansson's allocation functions, which
 * are the whole process's: for programs of our own, not for a library in another's process. Once,
 * before other threads run. */
void codec_bound_json_memory(void);
/* Says in *error that a request needs more memory than it may; returns STATUS_TOO_LARGE. */
enum status codec_too_large(struct error *error);

#endif
