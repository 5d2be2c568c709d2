/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_request.c -- one request while it is being read.
 */
#include "net/http_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "auth/secret.h"

#define BODY_SMALL_BYTES ((int64_t)64 << 10)
#define TEXT_KEPT ((size_t)1 << 10) /* by the spare one */

static struct slice span_view(const struct http_request *self, struct http_span span);

struct http_request *http_request_new(const struct http_limits *limits, int64_t now_ms)
{
    struct http_request *self = *limits->spare;
    struct buffer text = self == NULL ? BUFFER_EMPTY : self->text;

    *limits->spare = NULL;
    if (self == NULL)
        self = malloc(sizeof *self);
    if (self != NULL)
        *self =
            (struct http_request){.limits = limits, .text = text, .field = -1, .begun_ms = now_ms};
    return self;
}

void http_request_free(struct http_request *self)
{
    if (self == NULL)
        return;
    counter_add(self->limits->memory_bytes, -(int64_t)self->body.size);
    buffer_deinit(&self->body);
    if (self->fields[RPC_HEADER_AUTHORIZATION].present)
        secret_wipe(self->text.data, self->text.size);
    buffer_clear(&self->text, TEXT_KEPT);
    if (*self->limits->spare == NULL)
        *self->limits->spare = self;
    else
        http_request_discard(self);
}

void http_request_discard(struct http_request *self)
{
    if (self != NULL)
        buffer_deinit(&self->text);
    free(self);
}

static struct slice trim(struct slice text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_of(text.data + 1, text.size - 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

struct slice http_request_field(const struct http_request *self, int header)
{
    if (!self->fields[header].present)
        return SLICE_EMPTY;
    return trim(span_view(self, self->fields[header]));
}

static struct slice span_view(const struct http_request *self, struct http_span span)
{
    return slice_of(self->text.data + span.begin, span.size);
}

/* "http://host/path" -> "/path", as RFC 9112 §3.2.2 wants it understood. */
static struct slice without_authority(struct slice target)
{
    static const char scheme[] = "http://";
    size_t at = sizeof scheme - 1;

    if (target.size < at || target.data[0] == '/' ||
        strncasecmp((const char *)target.data, scheme, at) != 0)
        return target;
    while (at < target.size && target.data[at] != '/' && target.data[at] != '?')
        at++;
    return slice_of(target.data + at, target.size - at);
}

struct slice http_request_path(const struct http_request *self)
{
    struct slice path = without_authority(span_view(self, self->target));
    const uint8_t *query = path.size == 0 ? NULL : memchr(path.data, '?', path.size);

    if (query != NULL)
        path.size = (size_t)(query - path.data);
    return path.size == 0 ? slice_of_string("/") : path;
}

struct slice http_request_body(const struct http_request *self)
{
    return self->body.size != 0 ? buffer_view(&self->body) : self->body_whole;
}

void http_request_check_memory(struct http_request *self, int64_t body_bytes, int64_t more_bytes)
{
    int64_t taken = counter_get(self->limits->memory_bytes) + more_bytes;

    if (body_bytes <= BODY_SMALL_BYTES || taken <= self->limits->memory_bytes_max ||
        self->refused_http != 0)
        return;
    counter_add(self->limits->memory_refused, 1);
    http_request_refuse(self, 503, STATUS_UNAVAILABLE,
                        "the broker is busy with large requests: try again, or send less at once");
    self->error.limit = self->limits->memory_bytes_max;
    self->error.value = taken;
}

void http_request_append(struct http_request *self, struct slice piece)
{
    int64_t first =
        self->content_length < BODY_SMALL_BYTES ? self->content_length : BODY_SMALL_BYTES;

    if (self->body.capacity == 0 && first > 0)
        (void)buffer_reserve(&self->body, (size_t)first);
    buffer_append(&self->body, piece);
    if (self->body.failed) {
        http_request_refuse(self, 503, STATUS_UNAVAILABLE, "there is no memory for the body");
        return;
    }
    counter_add(self->limits->memory_bytes, (int64_t)piece.size);
    http_request_check_memory(self, (int64_t)self->body.size, 0);
}

void http_request_refuse(struct http_request *self, int http_status, enum status status,
                         const char *format, ...)
{
    char message[sizeof self->error.message];
    va_list args;

    if (self->refused_http != 0)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    self->refused_http = http_status;
    error_set(&self->error, status, "%s", message);
}
