/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_time.c -- how long a connection may stay in its state, and what happens then.
 */
#include "net/connection_parts.h"
#include "net/loop.h"

#define BODY_BYTES_PER_MS 1 /* the least that must come, after the grace */
#define LINGER_MS 3000

static int64_t reading_deadline(const struct connection *self)
{
    const struct net_options *options = self->loop->options;
    const struct http_request *request = self->reader.request;

    if (request == NULL)
        return self->since_ms + options->idle_timeout_ms;
    if (!self->reader.in_body)
        return request->begun_ms + options->header_timeout_ms;
    return request->body_begun_ms + options->body_timeout_ms +
           self->reader.body_raw_bytes / BODY_BYTES_PER_MS;
}

/* A broker that stops holds nothing back. */
static int64_t held_until(const struct connection *self)
{
    bool stopping = self->loop->phase >= LOOP_DRAINING;

    return self->since_ms + (stopping ? 0 : self->exchange->request.hold_ms);
}

int64_t connection_deadline(const struct connection *self)
{
    if (self->state == CONNECTION_CALLING && self->exchange->request.timeout_ms > 0)
        return self->since_ms + self->exchange->request.timeout_ms;
    if (self->state == CONNECTION_CALLING)
        return TIMEOUT_NEVER;
    if (self->state == CONNECTION_HOLDING)
        return held_until(self);
    if (self->state == CONNECTION_SHAKING)
        return self->since_ms + self->loop->options->handshake_timeout_ms;
    if (self->unsent_bytes > 0)
        return uptake_deadline(&self->uptake, self->loop->options->write_timeout_ms);
    if (self->state == CONNECTION_LINGERING)
        return self->since_ms + LINGER_MS;
    return reading_deadline(self);
}

static void refuse_slowness(struct connection *self)
{
    struct error error = ERROR_NONE;

    error_set(&error, STATUS_TIMEOUT, "the request came too slowly");
    connection_put_refusal(self, 408, &error);
    connection_resume(self);
}

void connection_expired(struct heap_node *node)
{
    struct connection *self = CONTAINER_OF(node, struct connection, deadline);

    connection_flush(self);
    if (self->state == CONNECTION_CLOSED)
        return;
    if (self->unsent_bytes > 0)
        uptake_look(&self->uptake, http_writer_taken_bytes(&self->writer), loop_now_ms(self->loop),
                    self->loop->options->write_timeout_ms);
    if (connection_deadline(self) > loop_now_ms(self->loop))
        connection_resume(self);
    else if (self->state == CONNECTION_CALLING)
        connection_time_out_call(self);
    else if (self->state == CONNECTION_HOLDING)
        connection_answer_held(self);
    else if (self->unsent_bytes == 0 && self->reader.request != NULL)
        refuse_slowness(self);
    else
        connection_close(self);
}
