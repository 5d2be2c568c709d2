/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.c -- ending a request: the reply's head, Connect's error body, the count.
 */
#include "rpc/reply.h"

#include <stdio.h>

#include "ackd/v1/common.pb-c.h"
#include "base/budget.h"
#include "base/log.h"
#include "rpc/audit.h"
#include "rpc/caller.h"

static bool is_lost(struct rpc_request *request);

void reply_done(struct rpc_request *request, const char *content_type)
{
    reply_done_as(request, STATUS_OK, status_http(STATUS_OK), content_type);
}

/* A request that failed, and (at level debug) each that belongs to a trace. */
static void tell(const struct rpc_request *request, enum status status)
{
    bool failed = status == STATUS_INTERNAL || status == STATUS_CORRUPT;
    const char *trace_id = request->trace.text;

    if (failed || *trace_id != '\0')
        LOG_EVENT(failed ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
                  failed ? "request_failed" : "request_done",
                  LOG_STRING("method", request->method == NULL ? NULL : request->method->path),
                  LOG_STRING("code", status_name(status)),
                  LOG_STRING("trace_id", *trace_id == '\0' ? NULL : trace_id));
}

void reply_done_as(struct rpc_request *request, enum status status, int http_status,
                   const char *content_type)
{
    int row = request->method == NULL ? METHOD_COUNT : (int)method_number(request->method);

    if (is_lost(request)) {
        status = STATUS_INTERNAL;
        http_status = status_http(status);
        content_type = NULL;
    }
    audit_end(request, status);
    caller_finish(request);
    request->http_status = http_status;
    request->content_type = content_type;
    counter_add(&request->rpc->options.counters->requests[row][status], 1);
    counter_add(&request->rpc->options.counters->in_flight, -1);
    tell(request, status);
    request->done(request);
}

/* Memory was short while the body was built: half a reply is worse than none. */
static bool is_lost(struct rpc_request *request)
{
    if (!request->reply.failed)
        return false;
    buffer_deinit(&request->reply);
    return true;
}

/* Too large for what others leave is not too large: it may be tried again. */
static void blame_budget(struct counters *counters, const struct arena *arena, struct error *error)
{
    if (error->status != STATUS_TOO_LARGE || !arena->starved)
        return;
    error_set(error, STATUS_UNAVAILABLE,
              "the broker is busy with large requests and replies: try again, or ask for less");
    counter_add(&counters->limited[LIMITED_request_memory], 1);
    error->limit = arena->budget->max_bytes;
    error->value = budget_used(arena->budget);
}

/* In whole seconds; a constant text needs no memory, which may be what is short. */
static const char *retry_line(int64_t after_ms)
{
    static const struct {
        int64_t ms;
        const char *line;
    } rows[] = {
        {1000, "Retry-After: 1"},   {2000, "Retry-After: 2"},   {4000, "Retry-After: 4"},
        {8000, "Retry-After: 8"},   {15000, "Retry-After: 15"}, {30000, "Retry-After: 30"},
        {60000, "Retry-After: 60"},
    };
    size_t row = 0;

    while (row + 1 < sizeof rows / sizeof *rows && rows[row].ms < after_ms)
        row++;
    return rows[row].line;
}

const char *rpc_header_line(enum status status, int64_t retry_after_ms)
{
    switch (status) {
    case STATUS_UNAUTHENTICATED:
        return "WWW-Authenticate: Bearer";
    case STATUS_UNAVAILABLE:
    case STATUS_STORE_FULL:
    case STATUS_RATE_LIMITED:
        return retry_line(retry_after_ms);
    default:
        return NULL;
    }
}

void reply_error(struct rpc_request *request, const struct error *why)
{
    struct error told = *why;
    const struct error *error = &told;

    blame_budget(request->rpc->options.counters, request->arena, &told);
    buffer_clear(&request->reply, SIZE_MAX);
    rpc_error_body(error, &request->reply);
    if (request->header_line == NULL)
        request->header_line = rpc_header_line(error->status, request->caller.retry_after_ms);
    request->hold_ms = request->caller.hold_ms;
    reply_done_as(request, error->status, status_http(error->status), CONTENT_JSON);
}

void reply_refuse(struct rpc_request *request, enum status status, const char *format, ...)
{
    struct error error = ERROR_NONE;
    char message[sizeof error.message];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    error_set(&error, status, "%s", message);
    reply_error(request, &error);
}

/* Error texts may quote a sender's bytes, or be cut within a character. */
static char *make_valid(char *text)
{
    if (!utf8_is_valid(slice_of_string(text))) {
        for (char *at = text; *at != '\0'; at++)
            *at = (uint8_t)*at < 0x80 ? *at : '?';
    }
    return text;
}

/* Connect wants base64 without padding. */
static void put_packed(struct buffer *out, const Ackd__V1__ErrorDetail *detail)
{
    uint8_t packed[sizeof(struct error) + 64];
    char text[sizeof packed * 2];
    size_t size = ackd__v1__error_detail__pack(detail, packed);
    size_t length = base64_encode(slice_of(packed, size), text);

    while (length > 0 && text[length - 1] == '=')
        length--;
    buffer_append(out, slice_of(text, length));
}

void rpc_error_body(const struct error *error, struct buffer *out)
{
    struct error copy = *error;
    Ackd__V1__ErrorDetail detail;

    ackd__v1__error_detail__init(&detail);
    detail.status = (Ackd__V1__Status)error->status;
    detail.message = make_valid(copy.message);
    detail.field = make_valid(copy.field);
    detail.limit = error->limit;
    detail.value = error->value;

    buffer_append_printf(out, "{\"code\":\"%s\",\"message\":", status_connect_code(error->status));
    codec_json_string(detail.message, out);
    buffer_append_string(out, ",\"details\":[{\"type\":\"ackd.v1.ErrorDetail\",\"value\":\"");
    put_packed(out, &detail);
    buffer_append_string(out, "\",\"debug\":");
    codec_encode(CODEC_JSON, &detail.base, out);
    buffer_append_string(out, "}]}\n");
}
