/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_head.h -- finding the end of a request's head in raw bytes, and what no head may hold.
 */
#ifndef ACKD_NET_HTTP_HEAD_H
#define ACKD_NET_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum http_head_place {
    HTTP_HEAD_BEFORE,     /* blank lines before the request line */
    HTTP_HEAD_LINE,       /* in the request line */
    HTTP_HEAD_LINE_START, /* a field's first byte, or the blank line's */
    HTTP_HEAD_FIELD,      /* in a field */
    HTTP_HEAD_END,        /* behind the blank line */
    HTTP_HEAD_FOLDED,     /* a field goes on in a line that begins with a blank (obs-fold) */
    HTTP_HEAD_BARE_CR     /* a CR that no LF follows */
};

struct http_head {
    enum http_head_place place;
    bool after_cr;
    bool blank;          /* the line so far holds nothing */
    uint32_t bytes;      /* so far */
    uint32_t line_bytes; /* of them up to the request line's end */
    uint32_t spaces;     /* in the request line */
};

void http_head_init(struct http_head *self);
/* How many of the bytes belong to the head; it stops behind its end, or at what is refused. */
size_t http_head_scan(struct http_head *self, struct slice bytes);

#endif
