/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis.c -- Redis Streams with a consumer group, in RESP.
 *
 *   XADD q * d DATA                               $ID
 *   XREADGROUP GROUP g c COUNT n STREAMS q >      *1 *2 $q *n (*2 $ID *2 $d $DATA) ... | *-1
 *   XACK q g ID...  and  XDEL q ID...             :n  :n
 *
 * An acked entry is deleted as well: a work queue keeps nothing that is done.
 */
#include "peer.h"

/* Where in a reply to XREADGROUP the next element stands. */
enum { IDLE, STREAM, NAME, ENTRIES, ENTRY, ID, FIELDS, FIELD, DATA };

static void hello(const struct peer_link *link, struct buffer *out)
{
    (void)link;
    buffer_append_string(out, "XGROUP CREATE q g 0 MKSTREAM\r\nPING\r\n");
}

static void publish(const struct peer_link *link, struct slice payload, struct buffer *out)
{
    (void)link;
    buffer_append_printf(out, "*5\r\n$4\r\nXADD\r\n$1\r\nq\r\n$1\r\n*\r\n$1\r\nd\r\n$%zu\r\n",
                         payload.size);
    buffer_append(out, payload);
    buffer_append_string(out, "\r\n");
}

static void lease(const struct peer_link *link, size_t count, bool waits, struct buffer *out)
{
    buffer_append_printf(out, "XREADGROUP GROUP g c%zu COUNT %zu%s STREAMS q >\r\n", link->index,
                         count, waits ? " BLOCK 0" : "");
}

static void put_command(const char *head, int words, struct slice tokens, size_t count,
                        struct buffer *out)
{
    buffer_append_printf(out, "*%zu\r\n%s", (size_t)words + count, head);
    for (size_t i = 0; i < count; i++) {
        struct slice token = peer_token(&tokens);

        buffer_append_printf(out, "$%zu\r\n", token.size);
        buffer_append(out, token);
        buffer_append_string(out, "\r\n");
    }
}

static void ack(struct slice tokens, size_t count, struct buffer *out)
{
    put_command("$4\r\nXACK\r\n$1\r\nq\r\n$1\r\ng\r\n", 3, tokens, count, out);
    put_command("$4\r\nXDEL\r\n$1\r\nq\r\n", 2, tokens, count, out);
}

static void begin_array(struct peer_link *link, const uint8_t *at, const uint8_t *end,
                        struct event *event)
{
    if (*at == '-') {
        event->kind = EVENT_EMPTY;
        link->state = IDLE;
        return;
    }
    if (link->state == ENTRIES)
        link->left = (int)peer_number(&at, end);
    link->state++;
}

static void take_bulk(struct peer_link *link, struct slice data, struct event *event)
{
    switch (link->state) {
    case IDLE: /* XADD's */
        event->kind = EVENT_PUBLISHED;
        return;
    case ID:
        link->token_size = data.size < TOKEN_BYTES_MAX ? data.size : TOKEN_BYTES_MAX;
        memcpy(link->token, data.data, link->token_size);
        break;
    case DATA:
        event->kind = EVENT_TASK;
        event->token = slice_of(link->token, link->token_size);
        event->payload = data;
        link->state = --link->left > 0 ? ENTRY : IDLE;
        return;
    default:
        break;
    }
    link->state++;
}

static size_t read_bulk(struct peer_link *link, struct slice input, struct slice line,
                        struct event *event)
{
    const uint8_t *at = line.data + 1;
    size_t size = peer_number(&at, line.data + line.size);

    if (input.size < line.size + 2 + size + 2)
        return 0;
    take_bulk(link, slice_of(line.data + line.size + 2, size), event);
    return line.size + 2 + size + 2;
}

static size_t read_reply(struct peer_link *link, struct slice input, struct event *ret_event)
{
    struct slice line;

    if (!peer_line(input, &line) || line.size == 0)
        return 0;
    switch (line.data[0]) {
    case '$':
        return read_bulk(link, input, line, ret_event);
    case '*':
        begin_array(link, line.data + 1, line.data + line.size, ret_event);
        break;
    case '+':
        if (peer_starts(line, "+PONG"))
            ret_event->kind = EVENT_READY;
        break;
    case '-':
        if (!peer_starts(line, "-BUSYGROUP"))
            *ret_event = (struct event){.kind = EVENT_FAILED, .text = line};
        break;
    default:
        break;
    }
    return line.size + 2;
}

const struct peer peer_redis = {"redis", hello, publish, lease, ack, read_reply};
