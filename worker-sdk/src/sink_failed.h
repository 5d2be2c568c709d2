/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_failed.h -- sinks that could not be made: opening one says why. So that making a sink need
 * not be able to fail.
 */
#ifndef ACKD_SDK_SINK_FAILED_H
#define ACKD_SDK_SINK_FAILED_H

#include "ackd/sink.h"

static inline enum ackd_status sink_open_no_memory(struct ackd_sink *self, struct ackd_error *error)
{
    return ackd_error_set(error, ACKD_INTERNAL, "no memory for the %s sink", self->name);
}

static inline struct ackd_sink *sink_no_memory(void)
{
    static struct ackd_sink sink = {
        .size = sizeof sink, .name = "wanted", .open = sink_open_no_memory};

    return &sink;
}

#endif
