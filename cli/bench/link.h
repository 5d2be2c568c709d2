/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h -- one kept-alive HTTP/1.1 connection of the load generator: requests go out as they lie
 * in the caller's memory, replies are cut out of what comes in.
 *
 * Pipelining: up to LINK_DEPTH_MAX requests may be under way, and their replies come in order. A
 * request's bytes must stay as they are until its reply has come.
 *
 * Nothing here blocks, and nothing is allocated while replies come whole: they are read into
 * memory that all links share, and only the start of one that is not whole yet is kept.
 */
#ifndef ACKD_CLI_BENCH_LINK_H
#define ACKD_CLI_BENCH_LINK_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "cli/bench/seal.h"

#define LINK_DEPTH_MAX 64
#define LINK_READ_BYTES ((size_t)512 << 10)

/* A request under way. */
struct link_call {
    struct slice request;
    int64_t begun_ns;
    int tag; /* the sender's own */
};

struct link {
    int socket;     /* -1: closed */
    SSL *ssl;       /* NULL: in the clear */
    size_t index;   /* among the load's links */
    void *user;     /* the scenario's own */
    bool wants_out; /* the socket took only part; epoll watches for room */

    struct link_call calls[LINK_DEPTH_MAX]; /* a ring: answered .. begun */
    unsigned answered;
    unsigned begun;
    unsigned sent;     /* whole requests that are out */
    size_t sent_bytes; /* of calls[sent] */

    struct buffer partial; /* the start of a reply */
    bool has_more;         /* the last read took all that it had room for */
};

struct link_reply {
    int http_status;
    struct slice body; /* valid until the callback returns */
    int64_t latency_ns;
    int tag;
};

/* What can be wrong with a connection; `errno` says more for LINK_FAILED. */
enum link_state { LINK_FINE, LINK_FAILED, LINK_ENDED, LINK_NOT_HTTP };

/* Where to connect to. */
struct address {
    struct sockaddr_storage storage;
    socklen_t size;
    SSL_CTX *seal;    /* NULL: in the clear */
    const char *host; /* that the certificate must be for */
};

/* False, with errno, if it can't be connected. Connects blocking. */
bool link_open(struct link *self, const struct address *address);
void link_close(struct link *self);

static inline unsigned link_in_flight(const struct link *self)
{
    return self->begun - self->answered;
}

/* Queues a request; link_flush sends it. */
void link_queue(struct link *self, struct slice request, int tag, int64_t now_ns);
enum link_state link_flush(struct link *self);
/* Reads what there is and calls `replied` for each whole reply. `shared` has LINK_READ_BYTES. */
enum link_state link_read(struct link *self, uint8_t *shared, int64_t now_ns,
                          void (*replied)(void *context, struct link *link,
                                          const struct link_reply *reply),
                          void *context);

#endif
