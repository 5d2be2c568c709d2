/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h -- a whole HTTP request in one run of bytes, made before the clock starts.
 *
 *   | room for the head ......  head | body: a protobuf message |
 *
 * The body may be patched in place, or cut back and extended: protobuf messages can be joined end
 * to end, so fields that change stand at the end. Sealing writes the head right before the body.
 */
#ifndef ACKD_CLI_BENCH_REQUEST_H
#define ACKD_CLI_BENCH_REQUEST_H

#include <protobuf-c/protobuf-c.h>

#include "base/buffer.h"

/* Zeroed it may be given to request_deinit. */
struct request {
    struct buffer bytes;
    struct buffer head; /* up to the number of Content-Length */
    size_t room;        /* for the whole head, before the body */
};

/* `method` as "TaskService/Lease"; `lines`: the target's header lines. */
void request_init(struct request *self, const char *lines, const char *method);
void request_deinit(struct request *self);

size_t request_body_size(const struct request *self);
uint8_t *request_body(const struct request *self);
/* Cuts the body back to its first `size` bytes. */
void request_cut(struct request *self, size_t size);
/* Adds a message's bytes to the body. */
void request_add(struct request *self, const ProtobufCMessage *message);
/* Room for `size` more bytes of the body, which count at once. Ends the program when there is no
 * memory. */
uint8_t *request_extend(struct request *self, size_t size);

/* The request as it goes out; valid until the body changes. */
struct slice request_seal(struct request *self);

#endif
