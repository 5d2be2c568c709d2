/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_broker.h -- an HTTP server that does whatever a test wants of the other side: answer, answer
 * wrongly, hang, or break the connection at a chosen moment.
 *
 * One thread serves one connection after the other, and waits for the next request only while the
 * test lets it. Good for one client connection at a time.
 */
#ifndef ACKD_TESTS_FAKE_BROKER_H
#define ACKD_TESTS_FAKE_BROKER_H

#include <stdbool.h>
#include <stddef.h>

enum fake_act {
    FAKE_ANSWER,     /* `http_status` and `body`; the connection stays open */
    FAKE_HANG,       /* no answer; the connection stays open until the client closes it */
    FAKE_BREAK,      /* close the connection without an answer */
    FAKE_BREAK_HALF, /* close it in the middle of the answer's body */
};

/* One step of the script: what the next request gets. The last step repeats. */
struct fake_step {
    enum fake_act act;
    int http_status;
    const char *body;
    size_t body_size;  /* 0: strlen(body) */
    const char *field; /* one more of the head, such as "Retry-After: 7"; or NULL */
};

struct fake_broker;

struct fake_broker *fake_broker_start(const struct fake_step *steps, size_t count);
void fake_broker_stop(struct fake_broker *self);
/* "http://127.0.0.1:PORT" */
const char *fake_broker_url(const struct fake_broker *self);
/* Requests read so far. */
int fake_broker_requests(struct fake_broker *self);
/* Waits until that many requests have been read; false after 10 s. */
bool fake_broker_await(struct fake_broker *self, int requests);
/* Connections accepted so far. */
int fake_broker_connections(struct fake_broker *self);
/* The last request, head and body, as text. Valid until the next request. */
const char *fake_broker_last(struct fake_broker *self);

#endif
