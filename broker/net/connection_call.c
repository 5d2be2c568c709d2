/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_call.c -- from a connection's whole request, or its head, to the reply.
 */
#include "base/assert.h"
#include "net/connection_parts.h"
#include "net/loop.h"

#define HELD_MAX 256
#define KNOWN_MS 5000 /* then a token may have been revoked, and is looked at again */

static void on_done(struct rpc_request *request);
static void put_reply(struct connection *self, struct http_reply reply, struct buffer *body);

/* A body may take hours to come. */
static void doubt_old_caller(struct connection *self)
{
    if (self->caller.is_known &&
        loop_now_ms(self->loop) - self->reader.request->body_begun_ms > KNOWN_MS)
        rpc_doubt(&self->caller);
}

static void refuse_call(struct connection *self)
{
    struct error error;

    error_set(&error, STATUS_UNAVAILABLE, NULL);
    connection_put_refusal(self, status_http(STATUS_UNAVAILABLE), &error);
}

void connection_begin_call(struct connection *self, bool bodiless, const struct error *refusal)
{
    struct exchange *exchange = NULL;

    if (self->loop->phase < LOOP_HALTED)
        exchange = exchange_take(self->loop);
    if (exchange == NULL) {
        refuse_call(self);
        return;
    }
    self->exchange = exchange;
    connection_enter(self, CONNECTION_CALLING);
    exchange_fill(exchange, self, self->reader.request, on_done);
    exchange->keep_alive &= !bodiless;
    exchange->request.refusal = refusal;
    doubt_old_caller(self);
    exchange->request.caller = self->caller;
    self->caller = (struct rpc_caller){0};
    rpc_begin(self->loop->options->rpc, &exchange->request);
    http_reader_next(&self->reader);
}

void connection_look_at_head(struct connection *self, struct slice input)
{
    const struct http_request *request = self->reader.request;
    struct slice headers[RPC_HEADER_COUNT];
    const struct rpc_head head = {.verb = slice_of_string(request->verb),
                                  .path = http_request_path(request),
                                  .headers = headers,
                                  .peer = &self->peer.rpc,
                                  .body_bytes = request->content_length};
    struct error refusal;

    exchange_fill_headers(request, headers);
    if (!rpc_admit(self->loop->options->rpc, &head, &self->caller, &refusal))
        connection_begin_call(self, true, refusal.status == STATUS_OK ? NULL : &refusal);
    else if (input.size == 0 && http_reader_take_continue(&self->reader))
        http_writer_continue(&self->writer);
}

static void put_reply(struct connection *self, struct http_reply reply, struct buffer *body)
{
    reply.date = loop_date(self->loop);
    reply.keep_alive &= self->loop->phase == LOOP_SERVING;
    http_writer_reply(&self->writer, &reply, body);
    if (!reply.keep_alive)
        connection_enter(self, CONNECTION_ENDING);
    else if (http_writer_pending_bytes(&self->writer) > UNSENT_HIGH)
        connection_enter(self, CONNECTION_FLUSHING);
    else
        connection_enter(self, CONNECTION_READING);
}

void connection_put_refusal(struct connection *self, int http_status, const struct error *error)
{
    struct http_reply reply = {.http_status = http_status,
                               .content_type = "application/json",
                               .header_line = rpc_header_line(error->status, 0)};
    struct buffer body = BUFFER_EMPTY;

    rpc_dismiss(self->loop->options->rpc, &self->caller);
    rpc_error_body(error, &body);
    counter_add(&self->loop->options->counters->http_refused, 1);
    put_reply(self, reply, &body);
    buffer_deinit(&body);
}

/* The exchange whose reply was held back. */
static struct exchange *take_held(struct connection *self)
{
    struct exchange *exchange = self->exchange;

    list_remove(&self->held);
    self->loop->held_count--;
    self->exchange = NULL;
    return exchange;
}

void connection_drop_held(struct connection *self)
{
    exchange_release(take_held(self));
}

void connection_answer_held(struct connection *self)
{
    struct exchange *exchange = take_held(self);

    put_reply(self, exchange_reply(exchange), &exchange->request.reply);
    exchange_release(exchange);
    connection_resume(self);
}

static void hold_back(struct connection *self)
{
    struct loop *loop = self->loop;

    self->exchange->keep_alive = false;
    connection_enter(self, CONNECTION_HOLDING);
    list_append(&loop->held, &self->held);
    if (++loop->held_count > HELD_MAX)
        connection_answer_held(CONTAINER_OF(loop->held.next, struct connection, held)); /* C7 */
}

static void on_done(struct rpc_request *request)
{
    struct exchange *exchange = CONTAINER_OF(request, struct exchange, request);
    struct connection *self = exchange->connection;

    if (self != NULL && request->hold_ms > 0) {
        hold_back(self);
        return;
    }
    if (self != NULL) {
        ASSERT(self->state == CONNECTION_CALLING && self->exchange == exchange); /* C1 */
        self->exchange = NULL;
        put_reply(self, exchange_reply(exchange), &request->reply);
    }
    exchange_release(exchange);
    if (self != NULL && !self->advancing)
        connection_resume(self);
}

void connection_time_out_call(struct connection *self)
{
    struct exchange *exchange = self->exchange;
    struct http_reply reply = exchange_reply(exchange);
    struct error error = ERROR_NONE;
    struct buffer body = BUFFER_EMPTY;

    error_set(&error, STATUS_TIMEOUT, NULL);
    rpc_error_body(&error, &body);
    reply.http_status = status_http(STATUS_TIMEOUT);
    reply.content_type = "application/json";
    reply.header_line = NULL;
    self->exchange = NULL;
    put_reply(self, reply, &body);
    buffer_deinit(&body);
    exchange_orphan(exchange);
    connection_resume(self);
}
