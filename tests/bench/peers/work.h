/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work.h -- what is measured of a peer: the same as `ackctl bench` does with ackd.
 */
#ifndef ACKD_TESTS_BENCH_WORK_H
#define ACKD_TESTS_BENCH_WORK_H

#include "cli/bench/histogram.h"
#include "client.h"

struct work {
    const struct peer *peer;
    int port;
    size_t payload_bytes;
    size_t batch;
    size_t connections;
    int64_t time_ns;
    int64_t tasks; /* of fill */
    int64_t rate;  /* of dispatch, a second */

    /* What was found. */
    int64_t done;
    int64_t took_ns;
    struct histogram latencies;

    /* While it runs. */
    struct clients clients;
    struct slice payload;
    int64_t until_ns;
    int64_t left;   /* tasks still to publish */
    int64_t stock;  /* tasks that nobody has asked for */
    size_t busy;    /* clients with a request under way */
    int64_t due_ns; /* of the next publish */
    int64_t sent;
    int64_t received;
};

struct work_kind {
    const char *name;
    bool (*run)(struct work *self);
};

/* fill, publish, cycle, dispatch, first; ended by NULL. */
extern const struct work_kind work_kinds[];

#endif
