/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.h -- the addresses that are listened on, and giving out what comes in.
 */
#ifndef ACKD_NET_LISTENER_H
#define ACKD_NET_LISTENER_H

#include <uv.h>

#include "net/net.h"

#define LISTENER_ADDRESS_SIZE 64

struct loop;

struct listener_socket {
    struct listener *listener;
    uv_poll_t poll;
    int socket;
    char address[LISTENER_ADDRESS_SIZE]; /* with the real port */
};

struct listener {
    struct loop *loops; /* who gets the connections; the first one's thread accepts */
    int loop_count;
    int64_t connections_max;
    bool tls; /* who is refused could not read why */
    struct counters *counters;
    struct listener_socket sockets[NET_LISTEN_MAX];
    int count;
    uv_timer_t pause;      /* runs while the machine has no descriptors left */
    int64_t complained_ms; /* when refusing was last logged */
    bool polling;
};

/* Binds and listens on every address. On an error nothing is left open. */
enum status listener_open(struct listener *self, const struct net_options *options,
                          struct error *error) MUST_USE;
/* Begins to accept on the first loop, before its thread runs. */
void listener_start(struct listener *self, struct loop *loops, int loop_count);
/* Stops accepting and closes the sockets; on the first loop's thread. */
void listener_close(struct listener *self);
/* The same for a listener that was never started. */
void listener_abort(struct listener *self);

#endif
