/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c -- just enough HTTP for one client that knows its broker.
 */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/codec.h"

#define TURNS_MAX 10000 /* of one round: an answer that never comes */
#define READ_BYTES ((size_t)64 << 10)

/* As libackd sends it. */
#define HEAD                                                                                       \
    "POST /ackd.v1.%s HTTP/1.1\r\n"                                                                \
    "Host: 127.0.0.1:7333\r\n"                                                                     \
    "User-Agent: libackd/0.1.0\r\n"                                                                \
    "Accept: */*\r\n"                                                                              \
    "Connect-Protocol-Version: 1\r\n"                                                              \
    "Content-Type: application/proto\r\n"                                                          \
    "Connect-Timeout-Ms: 30000\r\n"                                                                \
    "Content-Length: %zu\r\n\r\n"

void client_init(struct client *self, struct box *box)
{
    *self = (struct client){.box = box, .out = BUFFER_EMPTY, .in = BUFFER_EMPTY};
    self->socket = box_connect(box);
    arena_init(&self->arena, SIZE_MAX);
}

void client_deinit(struct client *self)
{
    close(self->socket);
    arena_deinit(&self->arena);
    buffer_deinit(&self->out);
    buffer_deinit(&self->in);
}

void client_ask(struct client *self, const char *method, const ProtobufCMessage *message)
{
    buffer_append_printf(&self->out, HEAD, method, protobuf_c_message_get_packed_size(message));
    codec_encode(CODEC_PROTOBUF, message, &self->out);
    if (self->out.failed)
        die("there is no memory");
    buffer_clear(&self->in, SIZE_MAX);
    self->body = SLICE_EMPTY;
}

static void send_some(struct client *self)
{
    ssize_t sent;

    if (self->out.size == 0)
        return;
    sent = send(self->socket, self->out.data, self->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        buffer_consume(&self->out, (size_t)sent);
    else if (errno != EAGAIN)
        die("the broker takes no request");
}

static void find_body(struct client *self)
{
    const char *head = buffer_string(&self->in);
    const char *end = strstr(head, "\r\n\r\n");
    const char *length = strcasestr(head, "\r\nContent-Length:");
    size_t begin = end == NULL ? 0 : (size_t)(end - head) + strlen("\r\n\r\n");
    size_t size;

    if (end == NULL)
        return;
    if (length == NULL || length > end)
        die("a reply does not tell its length");
    size = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    if (self->in.size >= begin + size)
        self->body = slice_of(self->in.data + begin, size);
}

static void receive_some(struct client *self)
{
    uint8_t *at = buffer_reserve(&self->in, READ_BYTES);
    ssize_t size = at == NULL ? 0 : recv(self->socket, at, READ_BYTES, MSG_DONTWAIT);

    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        die("the broker has closed a connection");
    self->in.size += (size_t)size;
    find_body(self);
}

static size_t count_open(const struct client *clients, size_t count)
{
    size_t open = 0;

    for (size_t i = 0; i < count; i++)
        open += clients[i].body.data == NULL;
    return open;
}

void clients_run(struct client *clients, size_t count)
{
    for (int turns = 0; count_open(clients, count) > 0; turns++) {
        if (turns == TURNS_MAX)
            die("a request is not answered");
        for (size_t i = 0; i < count; i++)
            send_some(&clients[i]);
        box_turn(clients[0].box);
        for (size_t i = 0; i < count; i++)
            receive_some(&clients[i]);
    }
}

const void *client_answer(struct client *self, const ProtobufCMessageDescriptor *type)
{
    const char *head = buffer_string(&self->in);
    ProtobufCMessage *message;
    struct error error = ERROR_NONE;

    if (strncmp(head, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")) != 0)
        die("the broker refuses a request: %.*s", (int)self->in.size, head);
    arena_reset(&self->arena);
    if (codec_decode(CODEC_PROTOBUF, self->body, type, &self->arena, &message, &error) != STATUS_OK)
        die("an answer can't be read: %s", error.message);
    return message;
}
