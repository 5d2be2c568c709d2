/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cycle.h -- workers on a queue that always has enough: lease, and ack with the next lease.
 *
 * When the stock is used up the workers pause, the clock stops, and the queue is filled again. The
 * acks that were still to come are carried by the first leases of the next stretch, so that in a
 * stretch as many tasks are acked as leased. If the queue is one of several that tasks are spread
 * over (feeder.h), each worker has one of them as its own.
 */
#ifndef ACKD_CLI_BENCH_CYCLE_H
#define ACKD_CLI_BENCH_CYCLE_H

#include "cli/bench/feeder.h"
#include "cli/bench/meter.h"
#include "cli/bench/worker.h"

struct cycle {
    struct bench *bench;
    const char *queue;
    size_t batch;
    struct feeder feeder;
    struct worker *workers; /* one a link of bench->load */
    size_t worker_count;
    struct histogram latencies; /* of requests */

    int64_t *taken;   /* by queue: tasks that requests have asked for */
    int64_t until_ns; /* no lease is sent any more */
    int64_t leased;   /* tasks, since the start */
};

/* Zeroed it may be given to cycle_deinit. bench->load is connected. */
enum exit_code cycle_init(struct cycle *self, struct bench *bench, const char *queue, size_t batch);
void cycle_deinit(struct cycle *self);

/* Tasks in the queue, or all of them, that no request has asked for. */
int64_t cycle_stock(const struct cycle *self);
/* Publishes until the stock is this large. */
enum exit_code cycle_fill(struct cycle *self, int64_t stock);
/* From the stock there is, until it is used up or so much time has passed. */
enum exit_code cycle_stretch(struct cycle *self, struct meter *meter, int64_t time_ns);
/* Fills and runs until so much time is measured. */
enum exit_code cycle_measure(struct cycle *self, struct meter *meter, int64_t time_ns);
/* Sends the last acks; then what was leased must be done, each task once. */
enum exit_code cycle_settle(struct cycle *self);

#endif
