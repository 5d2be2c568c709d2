/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload.h -- what is counted: rounds of requests, each round one request of every client.
 */
#ifndef ACKD_TESTS_GUARD_WORKLOAD_H
#define ACKD_TESTS_GUARD_WORKLOAD_H

#include "client.h"

struct workload {
    const char *name;
    const char *text;
    void (*ask)(struct client *client, const struct workload *workload, const char *session);
    void (*check)(struct client *client, const struct workload *workload);
    size_t batch;         /* tasks a request */
    size_t clients;       /* their requests of a round wait together: one commit for all */
    size_t rounds_before; /* not counted: until all memory and tables have their size */
    size_t rounds;
    bool has_ids;
    bool leases;
};

/* The table's end has no name. */
extern const struct workload workloads[];

/* Runs it on an empty broker; returns how many tasks were counted. */
size_t workload_run(const struct workload *self, const char *directory);

#endif
