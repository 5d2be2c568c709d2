/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c -- a whole HTTP request in one run of bytes.
 */
#include "cli/bench/request.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "cli/cli.h"

#define LENGTH_MAX 32 /* the number and the empty line */

void request_init(struct request *self, const char *lines, const char *method)
{
    *self = (struct request){.bytes = BUFFER_EMPTY};
    buffer_append_printf(&self->head,
                         "POST /ackd.v1.%s HTTP/1.1\r\n%s"
                         "Content-Type: application/proto\r\nContent-Length: ",
                         method, lines);
    self->room = self->head.size + LENGTH_MAX;
    request_extend(self, 0);
}

void request_deinit(struct request *self)
{
    buffer_deinit(&self->head);
    buffer_deinit(&self->bytes);
}

size_t request_body_size(const struct request *self)
{
    return self->bytes.size - self->room;
}

uint8_t *request_body(const struct request *self)
{
    return self->bytes.data + self->room;
}

void request_cut(struct request *self, size_t size)
{
    ASSERT(size <= request_body_size(self));
    self->bytes.size = self->room + size;
}

void request_add(struct request *self, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);

    protobuf_c_message_pack(message, request_extend(self, size));
}

uint8_t *request_extend(struct request *self, size_t size)
{
    size_t gap = self->bytes.size == 0 ? self->room : 0;
    uint8_t *at = buffer_reserve(&self->bytes, gap + size);

    if (at == NULL || self->head.failed) {
        complain("out of memory");
        exit(EXIT_REFUSED);
    }
    self->bytes.size += gap + size;
    return at + gap;
}

struct slice request_seal(struct request *self)
{
    char length[LENGTH_MAX];
    size_t size = (size_t)snprintf(length, sizeof length, "%zu\r\n\r\n", request_body_size(self));
    uint8_t *at = request_body(self) - size;

    memcpy(at, length, size);
    at -= self->head.size;
    memcpy(at, self->head.data, self->head.size);
    return slice_of(at, self->head.size + size + request_body_size(self));
}
