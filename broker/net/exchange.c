/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.c -- one request being served, with its memory.
 *
 * A few spare ones are kept a loop, each with its arena's first block and a small reply's buffer:
 * an ordinary request then costs no malloc for them.
 */
#include "net/exchange.h"

#include <stdlib.h>

#include "base/assert.h"
#include "net/connection.h"
#include "net/loop.h"

#define SPARE_MAX 64
#define REPLY_KEPT ((size_t)1 << 10) /* by a spare one */
/* What serving a request takes beside its body: the decoded message, and the service's copies. */
#define MEMORY_PER_BODY 2

struct exchange *exchange_take(struct loop *loop)
{
    struct list *spare = list_take_first(&loop->exchanges_spare);
    struct exchange *self;

    if (spare != NULL) {
        loop->spare_count--;
        self = CONTAINER_OF(spare, struct exchange, link);
    } else {
        self = calloc(1, sizeof *self);
        if (self == NULL)
            return NULL;
        self->loop = loop;
        arena_init(&self->arena, 0);
        arena_set_budget(&self->arena, loop->options->calls_budget);
    }
    list_append(&loop->exchanges, &self->link);
    return self;
}

void exchange_fill(struct exchange *self, struct connection *connection,
                   const struct http_request *http, void (*done)(struct rpc_request *request))
{
    struct rpc_request *request = &self->request;

    self->connection = connection;
    self->keep_alive = http->keep_alive;
    self->http_1_0 = http->http_1_0;
    self->head_only = strcmp(http->verb, "HEAD") == 0;
    request->verb = slice_of_string(http->verb);
    request->path = http_request_path(http);
    exchange_fill_headers(http, request->headers);
    request->body = http_request_body(http);
    request->peer = &connection->peer.rpc;
    request->arena = &self->arena;
    request->mailbox = &self->loop->mailbox;
    request->done = done;
    self->counted_bytes = (int64_t)request->body.size * MEMORY_PER_BODY;
    counter_add(&self->loop->options->counters->request_bytes, self->counted_bytes);
}

void exchange_fill_headers(const struct http_request *http,
                           struct slice ret_headers[RPC_HEADER_COUNT])
{
    for (int i = 0; i < RPC_HEADER_COUNT; i++)
        ret_headers[i] = http_request_field(http, i);
}

struct http_reply exchange_reply(const struct exchange *self)
{
    return (struct http_reply){
        .http_status = self->request.http_status,
        .content_type = self->request.content_type,
        .header_line = self->request.header_line,
        .keep_alive = self->keep_alive,
        .http_1_0 = self->http_1_0,
        .head_only = self->head_only,
    };
}

static void destroy(struct exchange *self)
{
    buffer_deinit(&self->request.reply);
    arena_deinit(&self->arena);
    free(self);
}

void exchange_release(struct exchange *self)
{
    struct loop *loop = self->loop;

    counter_add(&loop->options->counters->request_bytes, -self->counted_bytes);
    self->counted_bytes = 0;
    list_remove(&self->link);
    self->connection = NULL;
    if (loop->spare_count >= SPARE_MAX) {
        destroy(self);
        return;
    }
    arena_reset(&self->arena);
    arena_set_max(&self->arena, 0);
    buffer_clear(&self->request.reply, REPLY_KEPT);
    self->request = (struct rpc_request){.reply = self->request.reply};
    list_append(&loop->exchanges_spare, &self->link);
    loop->spare_count++;
}

void exchange_orphan(struct exchange *self)
{
    ASSERT(self->connection != NULL);
    self->connection = NULL;
    rpc_cancel(&self->request);
}

void exchange_free_spare(struct loop *loop)
{
    struct list *spare;

    while ((spare = list_take_first(&loop->exchanges_spare)) != NULL)
        destroy(CONTAINER_OF(spare, struct exchange, link));
    loop->spare_count = 0;
}
