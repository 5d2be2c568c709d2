/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h -- a worker of the load generator: it leases a batch, and carries the acks of that batch
 * with its next lease.
 *
 * The request is the part that stays (queue, how many, session) and behind it the acks; of a
 * reply's tasks nothing but the lease tokens is read.
 */
#ifndef ACKD_CLI_BENCH_WORKER_H
#define ACKD_CLI_BENCH_WORKER_H

#include "cli/bench/bench.h"
#include "cli/bench/request.h"

struct worker {
    struct request request; /* LeaseRequest */
    size_t fixed_bytes;     /* of the body, before the acks */
    size_t carried;         /* acks behind them */
};

/* Zeroed it may be given to worker_deinit. Opens a session for its leases. */
enum exit_code worker_init(struct worker *self, struct bench *bench, size_t batch);
void worker_deinit(struct worker *self);
/* Reads the reply to the request: tells if a carried ack was refused, and has the request carry
 * the acks of the tasks that came. */
enum exit_code worker_take(struct worker *self, struct slice reply, size_t *ret_tasks);
/* A request that only acks what is carried (max_tasks 0). */
void worker_ack_only(struct worker *self);

#endif
