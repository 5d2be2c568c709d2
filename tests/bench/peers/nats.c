/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nats.c -- NATS JetStream: a work-queue stream with one durable pull consumer.
 *
 *   PUB q INBOX SIZE\r\nDATA                   MSG INBOX 1 SIZE\r\n{"stream":"Q","seq":...}
 *   PUB $JS.API.CONSUMER.MSG.NEXT.Q.c INBOX    MSG q 1 $JS.ACK... SIZE\r\nDATA, one a task
 *   PUB $JS.ACK... 4\r\n+ACK                   nothing: JetStream confirms no plain ack
 */
#include <stdio.h>

#include "peer.h"

#define STREAM                                                                                     \
    "{\"name\":\"Q\",\"subjects\":[\"q\"],\"retention\":\"workqueue\",\"storage\":\"file\","       \
    "\"num_replicas\":1,\"discard\":\"new\"}"
#define CONSUMER                                                                                   \
    "{\"stream_name\":\"Q\",\"config\":{\"durable_name\":\"c\",\"ack_policy\":\"explicit\","       \
    "\"deliver_policy\":\"all\",\"ack_wait\":3600000000000,\"max_ack_pending\":1000000}}"

enum { GREETING, STREAM_MADE, GREETED };

static void put(struct buffer *out, const struct peer_link *link, const char *subject,
                struct slice data)
{
    buffer_append_printf(out, "PUB %s _INBOX.%zu %zu\r\n", subject, link->index, data.size);
    buffer_append(out, data);
    buffer_append_string(out, "\r\n");
}

static void hello(const struct peer_link *link, struct buffer *out)
{
    buffer_append_printf(
        out,
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,"
        "\"no_responders\":true,\"protocol\":1,\"lang\":\"c\",\"version\":\"1\"}\r\n"
        "SUB _INBOX.%zu 1\r\n",
        link->index);
    put(out, link, "$JS.API.STREAM.CREATE.Q", slice_of_string(STREAM));
    put(out, link, "$JS.API.CONSUMER.DURABLE.CREATE.Q.c", slice_of_string(CONSUMER));
}

static void publish(const struct peer_link *link, struct slice payload, struct buffer *out)
{
    put(out, link, "q", payload);
}

static void lease(const struct peer_link *link, size_t count, bool waits, struct buffer *out)
{
    char request[96];
    int size = snprintf(request, sizeof request, "{\"batch\":%zu,%s}", count,
                        waits ? "\"expires\":3600000000000" : "\"no_wait\":true");

    put(out, link, "$JS.API.CONSUMER.MSG.NEXT.Q.c", slice_of(request, (size_t)size));
}

static void ack(struct slice tokens, size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(out, "PUB ");
        buffer_append(out, peer_token(&tokens));
        buffer_append_string(out, " 4\r\n+ACK\r\n");
    }
}

static bool holds(struct slice data, const char *word)
{
    return data.size > 0 && memmem(data.data, data.size, word, strlen(word)) != NULL;
}

/* An answer of JetStream itself: to the two calls of the greeting, or to a publish. */
static void take_answer(struct peer_link *link, struct slice data, struct event *event)
{
    if (holds(data, "\"error\"")) {
        *event = (struct event){.kind = EVENT_FAILED, .text = data};
        return;
    }
    if (link->state == GREETED)
        event->kind = EVENT_PUBLISHED;
    else if (++link->state == GREETED)
        event->kind = EVENT_READY;
}

/* "MSG SUBJECT SID [REPLY] SIZE", or with headers, which only say that there is no task:
 * "HMSG SUBJECT SID [REPLY] HEADER-SIZE SIZE". */
static size_t read_message(struct peer_link *link, struct slice input, struct slice line,
                           struct event *event)
{
    const uint8_t *end = line.data + line.size;
    const uint8_t *at = memrchr(line.data, ' ', line.size);
    const uint8_t *token = memmem(line.data, line.size, " $JS.ACK", 8);
    const uint8_t *size_at = at + 1;
    size_t size = peer_number(&size_at, end);
    struct slice data = slice_of(end + 2, size);

    if (input.size < line.size + 2 + size + 2)
        return 0;
    if (line.data[0] == 'H') {
        event->kind = holds(data, " 503") ? EVENT_FAILED : EVENT_EMPTY;
        event->text = data;
    } else if (token != NULL) {
        *event = (struct event){.kind = EVENT_TASK,
                                .token = slice_of(token + 1, (size_t)(at - token - 1)),
                                .payload = data};
    } else {
        take_answer(link, data, event);
    }
    return line.size + 2 + size + 2;
}

static size_t read_reply(struct peer_link *link, struct slice input, struct event *ret_event)
{
    struct slice line;

    if (!peer_line(input, &line))
        return 0;
    if (peer_starts(line, "MSG ") || peer_starts(line, "HMSG "))
        return read_message(link, input, line, ret_event);
    if (peer_starts(line, "PING"))
        link->owes_pong = true;
    else if (peer_starts(line, "-ERR"))
        *ret_event = (struct event){.kind = EVENT_FAILED, .text = line};
    return line.size + 2;
}

const struct peer peer_nats = {"nats", hello, publish, lease, ack, read_reply};
