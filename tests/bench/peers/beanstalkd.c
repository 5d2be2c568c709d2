/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beanstalkd.c -- its text protocol. There is no batch: a batch is as many commands in one write.
 *
 *   put 0 0 3600 SIZE\r\nDATA\r\n       INSERTED ID
 *   reserve-with-timeout 0 | reserve    RESERVED ID SIZE\r\nDATA | TIMED_OUT
 *   delete ID                           DELETED
 */
#include "peer.h"

#define TTR_S 3600

static void hello(const struct peer_link *link, struct buffer *out)
{
    (void)link;
    buffer_append_string(out, "list-tube-used\r\n");
}

static void publish(const struct peer_link *link, struct slice payload, struct buffer *out)
{
    (void)link;
    buffer_append_printf(out, "put 0 0 %d %zu\r\n", TTR_S, payload.size);
    buffer_append(out, payload);
    buffer_append_string(out, "\r\n");
}

static void lease(const struct peer_link *link, size_t count, bool waits, struct buffer *out)
{
    (void)link;
    for (size_t i = 0; i < count; i++)
        buffer_append_string(out, waits ? "reserve\r\n" : "reserve-with-timeout 0\r\n");
}

static void ack(struct slice tokens, size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(out, "delete ");
        buffer_append(out, peer_token(&tokens));
        buffer_append_string(out, "\r\n");
    }
}

static size_t read_task(struct slice input, struct slice line, struct event *event)
{
    const uint8_t *at = line.data + strlen("RESERVED ");
    const uint8_t *end = line.data + line.size;
    const uint8_t *id = at;
    size_t size;

    (void)peer_number(&at, end);
    event->token = slice_of(id, (size_t)(at - id));
    at++;
    size = peer_number(&at, end);
    if (input.size < line.size + 2 + size + 2)
        return 0;
    event->kind = EVENT_TASK;
    event->payload = slice_of(line.data + line.size + 2, size);
    return line.size + 2 + size + 2;
}

static size_t read_reply(struct peer_link *link, struct slice input, struct event *ret_event)
{
    struct slice line;

    (void)link;
    if (!peer_line(input, &line))
        return 0;
    if (peer_starts(line, "RESERVED "))
        return read_task(input, line, ret_event);
    if (peer_starts(line, "INSERTED "))
        ret_event->kind = EVENT_PUBLISHED;
    else if (peer_starts(line, "DELETED"))
        ret_event->kind = EVENT_OTHER;
    else if (peer_starts(line, "USING"))
        ret_event->kind = EVENT_READY;
    else if (peer_starts(line, "TIMED_OUT"))
        ret_event->kind = EVENT_EMPTY;
    else
        *ret_event = (struct event){.kind = EVENT_FAILED, .text = line};
    return line.size + 2;
}

const struct peer peer_beanstalkd = {"beanstalkd", hello, publish, lease, ack, read_reply};
