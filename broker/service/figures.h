/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures.h -- what monitoring wants to know of the whole broker, in one call.
 *
 * Not a method of the wire: its answer has parts that no client needs, and is bounded for those
 * who keep what they read as series.
 */
#ifndef ACKD_SERVICE_FIGURES_H
#define ACKD_SERVICE_FIGURES_H

#include "service/service.h"
#include "shard/call.h"

struct figures {
    ProtobufCMessage base; /* so that it can be a response; has no form on the wire */
    struct shard_stats *shards;
    size_t shard_count;
    struct queue_figures *queues; /* the oldest */
    size_t queue_count;
    struct queue_figures others; /* the other queues together; its name is empty */
    size_t other_count;
    /* Those that began last; behind them, if there are others, all other tasks as one entry whose
     * queue has no name. */
    struct dataset_figures *datasets;
    size_t dataset_count;
    int64_t dataset_total;
};

/* At most `max` queues and `max` datasets by themselves. The response is a struct figures. */
void service_figures(struct service *self, struct service_call *call, size_t max);

#endif
