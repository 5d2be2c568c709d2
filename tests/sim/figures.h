/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures.h -- what the simulations of a run went through, together.
 */
#ifndef ACKD_TESTS_SIM_FIGURES_H
#define ACKD_TESTS_SIM_FIGURES_H

#include "coverage.h"

#define FIGURES_TABLE(X)                                                                           \
    X(seeds, "seeds")                                                                              \
    X(virtual_ms, "virtual time, ms")                                                              \
    X(batches, "batches")                                                                          \
    X(joined, "calls that came while a batch was open")                                            \
    X(requests, "requests served")                                                                 \
    X(messages, "messages sent")                                                                   \
    X(lost, "messages lost")                                                                       \
    X(doubled, "messages doubled")                                                                 \
    X(crashes, "crashes between batches")                                                          \
    X(deaths, "crashes within a batch")                                                            \
    X(disk_errors, "disk errors reported")                                                         \
    X(unsynced, "commits that failed, nothing stored")                                             \
    X(unknown, "commits that failed, all stored")                                                  \
    X(full, "batches that found no room")                                                          \
    X(restarts, "restarts in peace")                                                               \
    X(leaps, "leaps of both clocks")                                                               \
    X(sets, "settings of the wall clock")                                                          \
    X(maybes, "batches with unknown outcome")                                                      \
    X(maybes_stored, "of these seen to have happened")                                             \
    X(published, "tasks published")                                                                \
    X(leased, "leases")                                                                            \
    X(done, "tasks done")                                                                          \
    X(salvaged, "of these by a late result")

struct figures {
#define X(name, text) int64_t name;
    FIGURES_TABLE(X)
#undef X
    struct coverage coverage;
};

#endif
