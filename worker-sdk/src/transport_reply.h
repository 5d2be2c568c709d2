/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_reply.h -- what the other side's answer, or silence, means as a status.
 */
#ifndef ACKD_SDK_TRANSPORT_REPLY_H
#define ACKD_SDK_TRANSPORT_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

/* A transfer without an answer. */
struct reply_failure {
    const char *url;
    int64_t timeout_ms;
    int code;            /* CURLcode */
    const char *trouble; /* what libcurl says of it; may be "" */
    bool sent;           /* the request, or part of it, has left */
    long os_errno;       /* 0: none */
};

/* http:// or https://, a host, no blanks or control characters, no query. */
bool reply_url_is_valid(const char *url);
/* An HTTP status other than 200: the Connect error in `body`, or the best guess without one. */
enum status reply_error(const char *url, long http_status, struct slice body, struct error *error);
/* No answer. */
enum status reply_failed(const struct reply_failure *failure, struct error *error);
/* transport_interrupt was called. */
enum status reply_interrupted(struct error *error);

#endif
