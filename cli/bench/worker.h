/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h -- a worker of the load generator: it leases a batch, and carries the acks of that batch
 * with its next lease; or acks them by a call of their own.
 *
 * A request is the part that stays (queue, how many, session) and behind it the acks; of a reply's
 * tasks nothing but the lease tokens is read.
 */
#ifndef ACKD_CLI_BENCH_WORKER_H
#define ACKD_CLI_BENCH_WORKER_H

#include "cli/bench/bench.h"
#include "cli/bench/request.h"

struct worker_options {
    const char *queue;
    size_t batch;
    int64_t wait_ms;
    bool acks_apart;
};

struct worker {
    struct request lease; /* LeaseRequest */
    size_t fixed_bytes;   /* of its body, before carried acks */
    struct request ack;   /* AckRequest, if the acks go apart */
    bool acks_apart;
    size_t acks; /* in `lease` or in `ack` */
};

/* Zeroed it may be given to worker_deinit. Opens a session for its leases. */
enum exit_code worker_init(struct worker *self, struct bench *bench,
                           const struct worker_options *options);
void worker_deinit(struct worker *self);
/* Reads the reply to `lease`: tells if a carried ack was refused, and writes the acks of the tasks
 * that came where they belong. */
enum exit_code worker_take(struct worker *self, struct slice reply, size_t *ret_tasks);
/* Reads the reply to `ack`. */
enum exit_code worker_check_acked(struct worker *self, struct slice reply);
/* From now on `lease` only acks what it carries (max_tasks 0). */
void worker_ack_only(struct worker *self);

#endif
