/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traceparent.h -- which trace something belongs to: W3C Trace Context's `traceparent`.
 *
 *   00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *   version    trace ID (32 hex)         parent (16 hex)  flags
 *
 * A later version may have more behind a further '-'. As the specification has it, a text that is
 * not well-formed counts as none.
 */
#ifndef ACKD_BASE_TRACEPARENT_H
#define ACKD_BASE_TRACEPARENT_H

#include <stdbool.h>

#include "base/slice.h"

#define TRACEPARENT_KEY "traceparent" /* header and attribute */
#define TRACEPARENT_BYTES_MAX 256

struct trace_id {
    char text[33]; /* "": none */
};

bool traceparent_is_valid(struct slice text);
/* The trace ID of a valid one; of any other, none. */
struct trace_id traceparent_trace_id(struct slice text);

#endif
