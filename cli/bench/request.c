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

void request_init(struct request *self, const char *host, const char *method)
{
    int size;

    *self = (struct request){.bytes = BUFFER_EMPTY};
    size = snprintf(self->head, sizeof self->head,
                    "POST /ackd.v1.%s HTTP/1.1\r\nHost: %s\r\n"
                    "Content-Type: application/proto\r\nContent-Length: ",
                    method, host);
    ASSERT(size > 0 && size < REQUEST_HEAD_MAX - LENGTH_MAX);
    self->head_size = (size_t)size;
    request_extend(self, 0);
}

void request_deinit(struct request *self)
{
    buffer_deinit(&self->bytes);
}

size_t request_body_size(const struct request *self)
{
    return self->bytes.size - REQUEST_HEAD_MAX;
}

uint8_t *request_body(const struct request *self)
{
    return self->bytes.data + REQUEST_HEAD_MAX;
}

void request_cut(struct request *self, size_t size)
{
    ASSERT(size <= request_body_size(self));
    self->bytes.size = REQUEST_HEAD_MAX + size;
}

void request_add(struct request *self, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);

    protobuf_c_message_pack(message, request_extend(self, size));
}

uint8_t *request_extend(struct request *self, size_t size)
{
    size_t gap = self->bytes.size == 0 ? REQUEST_HEAD_MAX : 0;
    uint8_t *at = buffer_reserve(&self->bytes, gap + size);

    if (at == NULL) {
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
    at -= self->head_size;
    memcpy(at, self->head, self->head_size);
    return slice_of(at, self->head_size + size + request_body_size(self));
}
