/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h -- the broker that is measured: one that runs already (--url), or one started for the
 * run on a fresh directory (--spawn), which ends and vanishes with it, with its certificate and its
 * token if it has such (--tls).
 *
 * What a broker takes from its machine is read from the kernel where the process is ours, and else
 * from the broker's own /metrics.
 */
#ifndef ACKD_CLI_BENCH_TARGET_H
#define ACKD_CLI_BENCH_TARGET_H

#include <limits.h>
#include <sys/types.h>

#include "cli/bench/load.h"
#include "cli/cli.h"
#include "cli/url.h"

struct target {
    struct cli *cli;
    struct address address;
    struct url url;
    const char *url_text;
    const char *lines;        /* header lines of each request: Host, and who calls */
    bool is_sealed;           /* started with TLS, and a token of its own */
    char directory[PATH_MAX]; /* made for the run, on the disk that is measured; "": none */
    pid_t pid;                /* 0: not started by us */
};

/* What the broker has used so far, and how its store stands. */
struct target_sample {
    int64_t at_ns;
    double cpu_s;
    int64_t rss_bytes;
    int64_t anonymous_bytes; /* of rss_bytes, without mapped files; -1: not known */
    int64_t commits;
    int64_t used_bytes; /* live pages of all shards */
    int64_t file_bytes;
    bool is_durable; /* the store is on disk */
};

/* Makes a directory and starts the broker, with TLS and a token if it shall be `sealed`; or finds
 * the one at --url. Zeroed, it may be given to target_close. */
enum exit_code target_open(struct target *self, struct cli *cli, bool sealed);
void target_close(struct target *self);
/* ackctl's own calls go to this one from here on. */
void target_select(struct target *self);

/* Makes self->directory, if there is none yet, for what else wants the broker's disk. */
enum exit_code target_make_directory(struct target *self);
enum exit_code target_sample(struct target *self, struct target_sample *ret_sample);

/* Only of a broker that we started: SIGKILL, and the start on the same data. */
void target_kill(struct target *self);
enum exit_code target_start(struct target *self);

#endif
