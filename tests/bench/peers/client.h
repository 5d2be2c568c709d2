/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h -- connections to a peer, all in one epoll set and one thread.
 */
#ifndef ACKD_TESTS_BENCH_CLIENT_H
#define ACKD_TESTS_BENCH_CLIENT_H

#include "peer.h"

/* One connection. A request is one run of bytes, which stays as it is until it is out. */
struct client {
    struct peer_link link;
    int socket;
    bool wants_out;
    struct slice out; /* what is left of the request */
    struct buffer in;
    struct buffer request; /* memory for the sender's requests */

    /* The work's own. */
    int64_t begun_ns;
    size_t awaited;       /* replies, or tasks */
    struct buffer tokens; /* of tasks that are held */
    size_t held;
};

struct clients {
    const struct peer *peer;
    void (*happened)(struct clients *self, struct client *client, const struct event *event);
    void (*ticked)(struct clients *self); /* at the time set by clients_wake; NULL: never */
    void *context;

    struct client *all;
    size_t count;
    int64_t now_ns;
    int epoll;
    int timer;
    bool stopped;
    bool failed;
    bool quiet; /* failures are not told */
};

int64_t monotonic_ns(void);

/* Connects and greets. False, and told unless `quietly`, if that fails. */
bool clients_open(struct clients *self, const struct peer *peer, int port, size_t count,
                  bool quietly);
void clients_close(struct clients *self);
/* Sends client->request. */
void clients_send(struct clients *self, struct client *client);
void clients_wake(struct clients *self, int64_t at_ns);
void clients_stop(struct clients *self);
/* Until clients_stop or a failure; false for the latter. */
bool clients_run(struct clients *self);

#endif
