/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ceiling.h -- what LMDB itself can do on this disk: the broker's record traffic, straight into an
 * environment of its own, by one thread in this process, with nothing around it.
 *
 * A commit of LMDB with its default flags writes the pages, flushes, writes the meta page and
 * flushes again. The broker's small commits go to a log first, which is flushed once: its share of
 * this may pass 1.
 *
 *   publish   N records of the payload and its head, appended to `task`, in one commit
 *             (with IDs: and N appended to `id`)
 *   lease+ack N leases and N acks in one commit: a record appended to `active` for each lease; for
 *             each ack the task's record removed, and its `active` record written again
 */
#ifndef ACKD_CLI_BENCH_CEILING_H
#define ACKD_CLI_BENCH_CEILING_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/bench/histogram.h"
#include "cli/exit.h"

struct ceiling {
    MDB_env *env;
    MDB_dbi task, active, id;
    size_t payload_bytes;
    bool has_ids;
    uint64_t published; /* records put in `task` so far: keys 1 .. published */
    uint64_t leased;    /* records put in `active` so far */
    uint64_t acked;
    uint8_t *payload;
};

/* What came of one measured stretch. */
struct ceiling_score {
    double rate_per_s; /* tasks */
    double cpu_s;      /* user and system */
    int64_t tasks;
    struct histogram commits;
};

/* Zeroed it may be given to ceiling_close. Makes an environment below `directory`. */
enum exit_code ceiling_open(struct ceiling *self, const char *directory, size_t payload_bytes,
                            bool has_ids);
void ceiling_close(struct ceiling *self);

/* Commits of `per_commit` tasks for about `time_ns`. */
enum exit_code ceiling_publish(struct ceiling *self, size_t per_commit, int64_t time_ns,
                               struct ceiling_score *ret_score);
enum exit_code ceiling_cycle(struct ceiling *self, size_t per_commit, int64_t time_ns,
                             struct ceiling_score *ret_score);

#endif
