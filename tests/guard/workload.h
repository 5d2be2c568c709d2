/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload.h -- what is counted: rounds of requests, each round one request of every client.
 */
#ifndef ACKD_TESTS_GUARD_WORKLOAD_H
#define ACKD_TESTS_GUARD_WORKLOAD_H

#include "client.h"

enum workload_kind { PUBLISH, PUBLISH_IDS, CYCLE };

struct workload {
    const char *name;
    const char *text;
    enum workload_kind kind;
    size_t payload_bytes;
    size_t batch;         /* tasks a request */
    size_t clients;       /* their requests of a round wait together: one commit for all */
    size_t rounds_before; /* not counted: until all memory and tables have their size */
    size_t rounds;
};

/* The table's end has no name. */
extern const struct workload workloads[];

/* Runs it on an empty broker; returns how many tasks were counted. */
size_t workload_run(const struct workload *self, const char *directory);

#endif
