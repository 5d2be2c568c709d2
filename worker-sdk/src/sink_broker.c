/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_broker.c -- the sink that is the broker itself, and what all sinks share.
 *
 * It has no commit: the worker sends the result with the ack, and the broker stores both in one
 * transaction. It looks nothing up either: a task whose result the broker has is done there.
 */
#include "ackd/sink.h"

struct ackd_sink *ackd_sink_broker(void)
{
    static struct ackd_sink sink = {.size = sizeof sink, .name = "broker"};

    return &sink;
}

void ackd_sink_free(struct ackd_sink *sink)
{
    if (sink != NULL && sink->free != NULL)
        sink->free(sink);
}
