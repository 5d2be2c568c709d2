/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.h -- one connection to the broker, and one HTTP exchange on it.
 */
#ifndef ACKD_SDK_CONNECTION_H
#define ACKD_SDK_CONNECTION_H

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/status.h"

/* Used by one thread at a time; connection_wake is for any. */
struct connection {
    struct list link; /* its pool's */
    CURL *easy;
    CURLM *multi;
    struct buffer request; /* scratch for whoever encodes one */
    struct buffer reply;   /* the body, after an exchange */
    size_t reply_bytes_max;
    int sends;                     /* requests of this exchange that left */
    char trouble[CURL_ERROR_SIZE]; /* what libcurl says of a failure */
    int64_t retry_after_ms;        /* as the last reply says; 0: it does not */
    bool reply_too_large;
};

/* What goes out. */
struct exchange {
    const char *url;          /* of the broker */
    const char *path;         /* "ackd.v1.TaskService/Lease" */
    const char *content_type; /* NULL: a GET */
    const char *user_agent;
    const char *authorization;   /* a header line; NULL: none */
    const struct access *access; /* whom to believe, and what certificate to show */
    struct slice body;
    int64_t connect_timeout_ms;     /* > 0 */
    int64_t timeout_ms;             /* > 0; of all */
    const atomic_bool *interrupted; /* ends it, once woken */
};

/* NULL: no memory. */
struct connection *connection_new(void);
void connection_free(struct connection *self);
/* One request, one reply, or why there is none. */
enum status connection_exchange(struct connection *self, const struct exchange *exchange,
                                long *ret_http_status, struct error *error) MUST_USE;
/* Makes an exchange under way look at `interrupted`. */
void connection_wake(struct connection *self);

#endif
