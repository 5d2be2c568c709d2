/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feeder.h -- publishes tasks over all links of the load, as fast as they are taken.
 *
 * A request is made once and sent again and again. With task IDs, or several queues, each place of
 * the pipeline has a request of its own, in which they are written over before it goes out. IDs
 * count up over all requests, as those of a dataset do; the queues take turns.
 */
#ifndef ACKD_CLI_BENCH_FEEDER_H
#define ACKD_CLI_BENCH_FEEDER_H

#include "cli/bench/bench.h"
#include "cli/bench/request.h"

struct feeder {
    struct bench *bench;
    const char *queue;
    size_t batch;
    bool has_ids;
    size_t spread; /* queues: that one, and those numbered after it */
    bool is_patched;
    struct request *requests;
    size_t request_count;
    size_t queue_at;  /* of the queue's number in the body */
    size_t id_at;     /* of the first task's ID in the body */
    size_t id_stride; /* from one to the next */

    uint64_t next_id;
    size_t next_queue;
    int64_t *stored_in;          /* by queue, as soon as it is sent */
    int64_t left;                /* tasks still to send */
    int64_t until_ns;            /* none is sent any more */
    int64_t stored;              /* since the start */
    struct histogram *latencies; /* of requests; NULL: nobody wants them */
};

/* Zeroed it may be given to feeder_deinit. */
/* `queue` stands for all queues of bench->spread, if it is the first of them. */
void feeder_init(struct feeder *self, struct bench *bench, const char *queue, size_t batch,
                 bool has_ids);
void feeder_deinit(struct feeder *self);
/* Publishes until `count` tasks (rounded up to whole requests) are stored or the time comes. */
enum exit_code feeder_run(struct feeder *self, int64_t count, int64_t until_ns);
/* A PublishRequest of so many tasks, for those who send it themselves. */
void feeder_make_request(struct bench *bench, const char *queue, size_t batch, bool has_ids,
                         struct request *ret_request);
/* A batch that suits filling a queue with such payloads. */
size_t feeder_fill_batch(size_t payload_bytes);

#endif
