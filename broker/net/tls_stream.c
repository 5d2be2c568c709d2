/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_stream.c -- the way out of a TLS session: plaintext put, sealed as fast as the socket takes.
 *
 *   put --> parts --TLS_WRITE_MAX at a time--> tls.output --uv_try_write--> socket
 *                                                   \--the rest: flying, uv_write--/
 *
 * Invariants
 *   T1  At most one write is with libuv; while it is, nothing else is sent or sealed.
 *   T2  Parts wait only while a write is with libuv: its end goes on with them.
 *   T3  Ciphertext in memory is TLS_WRITE_MAX and its framing, or what a handshake says: a large
 *       reply stays plaintext, in its own memory, until its turn.
 */
#include "net/tls_stream.h"

#include <stdlib.h>

#include "base/assert.h"
#include "rpc/counters.h"

#define OUTPUT_KEPT ((size_t)1 << 10) /* by an idle connection */
/* What the session may have to say while the client takes nothing: it can ask for new keys without
 * end, and each time is answered. */
#define OUTPUT_MAX ((size_t)64 << 10)

struct part {
    struct list link;
    struct buffer data;
    size_t at; /* sealed up to here */
};

static void send_output(struct tls_stream *self);
static void drop_parts(struct tls_stream *self);

struct tls_stream *tls_stream_new(struct tls_context *context, uv_stream_t *stream)
{
    struct tls_stream *self = calloc(1, sizeof *self);

    if (self == NULL || !tls_init(&self->tls, context)) {
        free(self);
        return NULL;
    }
    self->stream = stream;
    list_init(&self->parts);
    return self;
}

void tls_stream_free(struct tls_stream *self)
{
    if (self == NULL)
        return;
    ASSERT(!self->writing);
    drop_parts(self);
    tls_deinit(&self->tls);
    free(self);
}

static bool may_send(const struct tls_stream *self)
{
    return self->error == 0 && !self->writing; /* T1 */
}

static void fail(struct tls_stream *self, int error)
{
    if (self->error == 0)
        self->error = error;
    drop_parts(self);
}

/* Seals and sends what it can of the data; returns how much. */
static size_t seal(struct tls_stream *self, struct slice data)
{
    size_t done = 0;

    while (may_send(self) && done < data.size) {
        size_t left = data.size - done;
        size_t size = left < TLS_WRITE_MAX ? left : TLS_WRITE_MAX;

        if (!tls_write(&self->tls, slice_of(data.data + done, size)))
            fail(self, UV_EPROTO);
        done += size;
        send_output(self);
    }
    return done;
}

/* Takes the memory: the data has its turn from `at` on. */
static void keep(struct tls_stream *self, struct buffer *data, size_t at)
{
    struct part *part = malloc(sizeof *part);

    ASSERT(self->writing); /* T2 */
    if (part == NULL) {
        fail(self, UV_ENOMEM);
        return;
    }
    *part = (struct part){.data = *data, .at = at};
    list_append(&self->parts, &part->link);
    self->parts_bytes += data->size - at;
    self->held_bytes += data->capacity;
    *data = BUFFER_EMPTY;
}

void tls_stream_put(struct tls_stream *self, struct buffer *data)
{
    size_t done = 0;

    if (data->failed)
        fail(self, UV_ENOMEM);
    if (list_is_empty(&self->parts))
        done = seal(self, buffer_view(data));
    if (self->error == 0 && done < data->size)
        keep(self, data, done);
}

static void drop_part(struct tls_stream *self, struct part *part)
{
    list_remove(&part->link);
    self->parts_bytes -= part->data.size - part->at;
    self->held_bytes -= part->data.capacity;
    buffer_deinit(&part->data);
    free(part);
}

static void drop_parts(struct tls_stream *self)
{
    LIST_EACH_SAFE (link, &self->parts)
        drop_part(self, CONTAINER_OF(link, struct part, link));
}

static void send_parts(struct tls_stream *self)
{
    while (may_send(self) && !list_is_empty(&self->parts)) {
        struct part *part = CONTAINER_OF(self->parts.next, struct part, link);
        struct slice rest = slice_of(part->data.data + part->at, part->data.size - part->at);
        size_t done = seal(self, rest);

        if (self->error != 0)
            return;
        part->at += done;
        self->parts_bytes -= done;
        if (part->at == part->data.size)
            drop_part(self, part);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct tls_stream *self = CONTAINER_OF(request, struct tls_stream, request);

    self->writing = false;
    if (status == 0)
        counter_add(self->sent_bytes, (int64_t)self->flying.size);
    else
        fail(self, status);
    buffer_deinit(&self->flying);
    (void)tls_stream_flush(self);
    self->written(self, status);
}

/* Gives libuv what the kernel did not take. */
static int write_later(struct tls_stream *self, size_t taken)
{
    uv_buf_t rest;
    int code;

    self->flying = self->tls.output;
    self->tls.output = BUFFER_EMPTY;
    buffer_consume(&self->flying, taken);
    rest = uv_buf_init((char *)self->flying.data, (unsigned)self->flying.size);
    code = uv_write(&self->request, self->stream, &rest, 1, on_written);
    self->writing = code == 0;
    if (code != 0)
        buffer_deinit(&self->flying);
    return code;
}

static void send_output(struct tls_stream *self)
{
    struct buffer *output = &self->tls.output;
    uv_buf_t bytes = uv_buf_init((char *)output->data, (unsigned)output->size);
    size_t size = output->size;
    int taken;

    if (!may_send(self) || size == 0)
        return;
    self->sealed_bytes += size;
    taken = uv_try_write(self->stream, &bytes, 1);
    if (taken == UV_EAGAIN)
        taken = 0;
    if (taken > 0)
        counter_add(self->sent_bytes, taken);
    if (taken >= 0 && (size_t)taken < size)
        taken = write_later(self, (size_t)taken);
    if (taken < 0)
        fail(self, taken);
    buffer_clear(output, OUTPUT_KEPT);
}

int tls_stream_flush(struct tls_stream *self)
{
    send_output(self);
    send_parts(self);
    if (self->writing && self->tls.output.size > OUTPUT_MAX)
        fail(self, UV_ENOBUFS);
    return self->error;
}

void tls_stream_end(struct tls_stream *self)
{
    if (!may_send(self))
        return;
    tls_end(&self->tls);
    send_output(self);
}

size_t tls_stream_pending_bytes(const struct tls_stream *self)
{
    return self->parts_bytes + self->tls.output.size + uv_stream_get_write_queue_size(self->stream);
}

size_t tls_stream_held_bytes(const struct tls_stream *self)
{
    return self->held_bytes + self->flying.capacity + self->tls.output.size;
}

uint64_t tls_stream_sent_bytes(const struct tls_stream *self)
{
    return self->sealed_bytes - uv_stream_get_write_queue_size(self->stream);
}
