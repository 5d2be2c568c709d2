/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_writer.c -- replies of a connection on their way out, in order.
 *
 * Small bodies are copied behind their heads; a large one is written from where it lies. With TLS
 * all of it goes to the tls_stream, which seals, writes and waits in place of libuv.
 */
#include "net/http_writer.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/assert.h"
#include "base/digits.h"
#include "base/list.h"
#include "rpc/counters.h"

#define BODY_COPIED_MAX ((size_t)16 << 10)
#define GATHERED_MAX ((size_t)64 << 10)
#define GATHERED_KEPT ((size_t)1 << 10) /* by an idle connection */
#define HEAD_FIXED_MAX 160              /* of a head, without the texts that the reply names */

#define REASONS(X)                                                                                 \
    X(200, "OK")                                                                                   \
    X(204, "No Content")                                                                           \
    X(304, "Not Modified")                                                                         \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(417, "Expectation Failed")                                                                   \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(499, "Client Closed Request")                                                                \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")

/* A write that libuv finishes later. */
struct write {
    uv_write_t request;
    struct http_writer *writer;
    struct buffer gathered;
    struct buffer body;
    size_t size; /* of both, without what went out before */
    size_t held_bytes;
};

static void put_head(struct http_writer *self, const struct http_reply *reply, size_t body_bytes);
static void flush_with(struct http_writer *self, struct buffer *body);

void http_writer_init(struct http_writer *self, uv_stream_t *stream)
{
    *self = (struct http_writer){.stream = stream, .gathered = BUFFER_EMPTY};
}

static void on_sealed_written(struct tls_stream *tls, int status)
{
    struct http_writer *self = tls->owner;

    self->written(self, status);
}

void http_writer_seal(struct http_writer *self, struct tls_stream *tls)
{
    self->tls = tls;
    tls->owner = self;
    tls->sent_bytes = self->sent_bytes;
    tls->written = on_sealed_written;
}

void http_writer_deinit(struct http_writer *self)
{
    ASSERT(self->writes == 0);
    buffer_deinit(&self->gathered);
}

void http_writer_reply(struct http_writer *self, const struct http_reply *reply,
                       struct buffer *body)
{
    put_head(self, reply, body->size);
    if (reply->head_only || reply->content_type == NULL)
        buffer_clear(body, SIZE_MAX);
    if (body->size <= BODY_COPIED_MAX)
        buffer_append(&self->gathered, buffer_view(body));
    else
        flush_with(self, body);
    if (self->gathered.size > GATHERED_MAX)
        (void)http_writer_flush(self); /* an error stays for the connection's own flush */
}

void http_writer_continue(struct http_writer *self)
{
    buffer_append_string(&self->gathered, "HTTP/1.1 100 Continue\r\n\r\n");
}

static struct slice status_line(int http_status)
{
    switch (http_status) {
#define X(number, text)                                                                            \
    case number:                                                                                   \
        return SLICE_LITERAL("HTTP/1.1 " #number " " text "\r\n");
        REASONS(X)
#undef X
    default:
        ASSERT(!"a row of REASONS for every status that is answered");
        return SLICE_EMPTY;
    }
}

static uint8_t *put(uint8_t *at, struct slice text)
{
    memcpy(at, text.data, text.size);
    return at + text.size;
}

static uint8_t *put_length(uint8_t *at, size_t body_bytes)
{
    at = put(at, SLICE_LITERAL("Content-Length: "));
    at = (uint8_t *)digits_write_10(body_bytes, (char *)at);
    return put(at, SLICE_LITERAL("\r\n"));
}

static uint8_t *put_field(uint8_t *at, struct slice name, struct slice value)
{
    at = put(at, name);
    at = put(at, value);
    return put(at, SLICE_LITERAL("\r\n"));
}

/* RFC 9110 §8.6: 204 must not have one, and 304 has none but its 200's. */
static bool has_no_length(int http_status)
{
    return http_status == 204 || http_status == 304;
}

/* Byte for byte: printf took a quarter of the time that a small request took. */
static void put_head(struct http_writer *self, const struct http_reply *reply, size_t body_bytes)
{
    struct buffer *out = &self->gathered;
    struct slice date = slice_of_string(reply->date);
    struct slice type = slice_of_string(reply->content_type != NULL ? reply->content_type : "");
    struct slice line = slice_of_string(reply->header_line != NULL ? reply->header_line : "");
    uint8_t *start = buffer_reserve(out, HEAD_FIXED_MAX + date.size + type.size + line.size);
    uint8_t *at;

    if (start == NULL)
        return;
    at = put(start, status_line(reply->http_status));
    at = put_field(at, SLICE_LITERAL("Date: "), date);
    if (reply->content_type != NULL)
        at = put_field(at, SLICE_LITERAL("Content-Type: "), type);
    if (reply->content_type != NULL || !has_no_length(reply->http_status))
        at = put_length(at, reply->content_type != NULL ? body_bytes : 0);
    if (reply->header_line != NULL)
        at = put(put(at, line), SLICE_LITERAL("\r\n"));
    if (!reply->keep_alive)
        at = put(at, SLICE_LITERAL("Connection: close\r\n"));
    else if (reply->http_1_0)
        at = put(at, SLICE_LITERAL("Connection: keep-alive\r\n"));
    at = put(at, SLICE_LITERAL("\r\n"));
    out->size += (size_t)(at - start);
    ASSERT(out->size <= out->capacity);
}

size_t http_writer_pending_bytes(const struct http_writer *self)
{
    if (self->tls != NULL)
        return self->gathered.size + tls_stream_pending_bytes(self->tls);
    return self->gathered.size + uv_stream_get_write_queue_size(self->stream);
}

size_t http_writer_held_bytes(const struct http_writer *self)
{
    size_t sealing = self->tls == NULL ? 0 : tls_stream_held_bytes(self->tls);

    return self->held_bytes + self->gathered.size + sealing;
}

uint64_t http_writer_taken_bytes(const struct http_writer *self)
{
    int in_kernel = 0;
    uv_os_fd_t socket;
    uint64_t sent;

    if (uv_fileno((const uv_handle_t *)self->stream, &socket) == 0)
        (void)ioctl(socket, SIOCOUTQ, &in_kernel);
    sent = self->tls != NULL ? tls_stream_sent_bytes(self->tls)
                             : self->put_bytes - uv_stream_get_write_queue_size(self->stream);
    return sent - (uint64_t)in_kernel;
}

int http_writer_flush(struct http_writer *self)
{
    struct buffer none = BUFFER_EMPTY;

    if (self->gathered.size > 0 || self->gathered.failed)
        flush_with(self, &none);
    else if (self->tls != NULL)
        self->error = tls_stream_flush(self->tls);
    return self->error;
}

static void on_written(uv_write_t *request, int status)
{
    struct write *write = CONTAINER_OF(request, struct write, request);
    struct http_writer *self = write->writer;

    if (status == 0)
        counter_add(self->sent_bytes, (int64_t)write->size);
    buffer_deinit(&write->gathered);
    buffer_deinit(&write->body);
    self->held_bytes -= write->held_bytes;
    free(write);
    self->writes--;
    self->written(self, status);
}

/* Gives libuv what uv_try_write left over: `taken` bytes are out already. */
static int write_later(struct http_writer *self, struct buffer *body, size_t taken)
{
    struct write *write = malloc(sizeof *write);
    size_t taken_gathered = taken < self->gathered.size ? taken : self->gathered.size;
    uv_buf_t parts[2];
    int code;

    if (write == NULL)
        return UV_ENOMEM;
    *write = (struct write){.writer = self,
                            .gathered = self->gathered,
                            .body = *body,
                            .size = self->gathered.size + body->size - taken,
                            .held_bytes = self->gathered.capacity + body->capacity};
    self->gathered = BUFFER_EMPTY;
    *body = BUFFER_EMPTY;
    buffer_consume(&write->gathered, taken_gathered);
    taken -= taken_gathered;
    parts[0] = uv_buf_init((char *)write->gathered.data, (unsigned)write->gathered.size);
    parts[1] = uv_buf_init((char *)write->body.data + taken, (unsigned)(write->body.size - taken));
    code = uv_write(&write->request, self->stream, parts, 2, on_written);
    if (code == 0) {
        self->writes++;
        self->held_bytes += write->held_bytes;
        return 0;
    }
    buffer_deinit(&write->gathered);
    buffer_deinit(&write->body);
    free(write);
    return code;
}

static void flush_sealed(struct http_writer *self, struct buffer *body)
{
    tls_stream_put(self->tls, &self->gathered);
    tls_stream_put(self->tls, body);
    self->error = tls_stream_flush(self->tls);
    buffer_clear(&self->gathered, GATHERED_KEPT);
    buffer_deinit(body);
}

/* Writes what is gathered and then the body, whose memory it takes. */
static void flush_with(struct http_writer *self, struct buffer *body)
{
    uv_buf_t parts[2] = {
        uv_buf_init((char *)self->gathered.data, (unsigned)self->gathered.size),
        uv_buf_init((char *)body->data, (unsigned)body->size),
    };
    size_t size = self->gathered.size + body->size;
    int taken = self->gathered.failed ? UV_ENOMEM : self->error;

    if (self->tls != NULL) {
        flush_sealed(self, body);
        return;
    }
    self->put_bytes += size;
    if (taken == 0 && self->writes == 0)
        taken = uv_try_write(self->stream, parts, body->size == 0 ? 1 : 2);
    if (taken == UV_EAGAIN)
        taken = 0;
    if (taken > 0)
        counter_add(self->sent_bytes, taken);
    if (taken >= 0 && (size_t)taken < size)
        taken = write_later(self, body, (size_t)taken);
    if (taken < 0)
        self->error = taken;
    buffer_clear(&self->gathered, GATHERED_KEPT);
    buffer_deinit(body);
}
