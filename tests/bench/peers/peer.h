/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h -- another broker's protocol, as far as publish, lease and ack go.
 *
 * Each is spoken raw and pipelined, as its documentation recommends for speed: what a client
 * library would cost is not counted against it. A peer writes requests into a buffer and takes
 * replies apart; work.c decides what is sent when.
 */
#ifndef ACKD_TESTS_BENCH_PEER_H
#define ACKD_TESTS_BENCH_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buffer.h"

#define TOKEN_BYTES_MAX 128

/* What a peer remembers of a connection. */
struct peer_link {
    size_t index;
    int state; /* the protocol's own: where in a reply, or in the greeting */
    int left;
    char token[TOKEN_BYTES_MAX]; /* of the task whose payload is still to come */
    size_t token_size;
    bool owes_pong; /* NATS: the server has asked whether we live */
};

enum event_kind {
    EVENT_OTHER,     /* nothing that anybody waits for */
    EVENT_READY,     /* greeted */
    EVENT_PUBLISHED, /* one task is stored, as durable as the peer makes it */
    EVENT_TASK,      /* one task is leased */
    EVENT_EMPTY,     /* there was none */
    EVENT_FAILED,    /* the peer refuses; the text says why */
};

struct event {
    enum event_kind kind;
    struct slice token;   /* of a task; valid as long as the input and the link are left alone */
    struct slice payload; /* of a task */
    struct slice text;    /* of a failure */
};

struct peer {
    const char *name;
    /* What a fresh connection sends: answered by EVENT_READY. Makes queue and group if missing. */
    void (*hello)(const struct peer_link *link, struct buffer *out);
    void (*publish)(const struct peer_link *link, struct slice payload, struct buffer *out);
    /* Up to `count` tasks, or with `waits` one, as soon as there is one. */
    void (*lease)(const struct peer_link *link, size_t count, bool waits, struct buffer *out);
    /* `tokens` are parted by spaces, with one behind the last. */
    void (*ack)(struct slice tokens, size_t count, struct buffer *out);
    /* Takes apart what the input begins with and returns its size; 0: it is not whole yet. */
    size_t (*read)(struct peer_link *link, struct slice input, struct event *ret_event);
};

extern const struct peer peer_beanstalkd;
extern const struct peer peer_redis;
extern const struct peer peer_nats;

/* For the peers: the first line of the input without its end; false if it is not whole. */
static inline bool peer_line(struct slice input, struct slice *ret_line)
{
    const uint8_t *end = input.size == 0 ? NULL : memmem(input.data, input.size, "\r\n", 2);

    *ret_line = slice_of(input.data, end == NULL ? 0 : (size_t)(end - input.data));
    return end != NULL;
}

/* The number that stands at `*at`, which moves behind it; 0 if there is none. */
static inline size_t peer_number(const uint8_t **at, const uint8_t *end)
{
    size_t number = 0;

    while (*at < end && **at >= '0' && **at <= '9')
        number = number * 10 + (size_t)(*(*at)++ - '0');
    return number;
}

/* The first of the tokens; *tokens moves behind it. */
static inline struct slice peer_token(struct slice *tokens)
{
    const uint8_t *end = memchr(tokens->data, ' ', tokens->size);
    struct slice token = slice_of(tokens->data, (size_t)(end - tokens->data));

    *tokens = slice_of(end + 1, tokens->size - token.size - 1);
    return token;
}

static inline bool peer_starts(struct slice line, const char *word)
{
    return slice_starts_with(line, slice_of_string(word));
}

#endif
