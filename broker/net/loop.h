/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h -- a net thread: a libuv loop with its connections, its mailbox and its timeouts.
 *
 * Other threads reach it in two ways: letters into the mailbox (the shards), and orders under
 * `mutex` (new sockets, the next phase), both followed by a wake-up.
 */
#ifndef ACKD_NET_LOOP_H
#define ACKD_NET_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/list.h"
#include "base/ration.h"
#include "net/handshakes.h"
#include "net/http_request.h"
#include "net/net.h"
#include "net/timeouts.h"
#include "shard/mailbox.h"

#define LOOP_READ_BYTES ((size_t)64 << 10)
/* With a record that had begun before. */
#define LOOP_OPEN_BYTES (LOOP_READ_BYTES + ((size_t)16 << 10))
#define LOOP_INBOX_MAX 256

enum loop_phase {
    LOOP_SERVING,
    LOOP_DRAINING, /* connections end with their reply */
    LOOP_HALTED,   /* no request is begun any more */
    LOOP_CLOSING   /* everything is closed, then the thread ends */
};

struct listener;

struct loop {
    /* Fixed after the start. */
    const struct net_options *options;
    struct listener *listener; /* NULL: another loop accepts */
    struct http_limits limits;
    int drained_fd; /* written to when the last connection of all has gone while draining */
    pthread_t thread;
    bool started;

    /* Guarded by mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t phase_changed;
    enum loop_phase phase_wanted;
    enum loop_phase phase_reached;
    int inbox[LOOP_INBOX_MAX]; /* sockets to adopt */
    int inbox_count;

    _Atomic int64_t connection_count; /* the inbox included; any thread reads */

    /* This thread's own. */
    uv_loop_t uv;
    uv_async_t wake;
    struct mailbox mailbox;
    struct timeouts timeouts;
    enum loop_phase phase;
    struct list connections;
    struct list exchanges; /* in flight */
    struct list exchanges_spare;
    int spare_count;
    struct list held; /* connections whose replies are held back, the longest first */
    int held_count;
    struct ration address_complaints; /* of connections refused to an address */
    struct http_request *request_spare;
    uint8_t *read_buffer; /* LOOP_READ_BYTES; used within one read callback */
    uint8_t *open_buffer; /* LOOP_OPEN_BYTES: what TLS made of it; NULL without TLS */
    struct handshakes handshakes;
    int64_t dated_ms; /* by loop_now_ms, when `date` was last looked at */
    int64_t date_s;   /* what it says */
    char date[32];
};

/* Not started yet: the thread that calls may still add handles to self->uv. 0 or libuv's error. */
int loop_init(struct loop *self, const struct net_options *options, int drained_fd);
void loop_deinit(struct loop *self);
int loop_start(struct loop *self);
/* Any thread: hands a socket over; false, and it stays the caller's, if the inbox is full. */
bool loop_adopt(struct loop *self, int socket);
/* Any thread but its own: asks for a phase; loop_await waits until it is reached. */
void loop_order(struct loop *self, enum loop_phase phase);
void loop_await(struct loop *self, enum loop_phase phase);
void loop_join(struct loop *self);

/* The loop's thread. */
int64_t loop_now_ms(const struct loop *self);
const char *loop_date(struct loop *self);
/* A connection is gone. */
void loop_forget(struct loop *self);

#endif
