/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher.h -- one run of `ackctl publish`: its inputs, row by row, until they are with the
 * broker.
 *
 *   inputs -> rows (rows/) -> tasks (task_maker) -> batches -> broker (sender)
 */
#ifndef ACKD_CLI_PUBLISH_PUBLISHER_H
#define ACKD_CLI_PUBLISH_PUBLISHER_H

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/publish/batch.h"
#include "cli/publish/sender.h"
#include "cli/publish/task_maker.h"

/* Rows that wait to become one task, for --rows-per-task. Task k is made of rows k*N+1 .. k*N+N,
 * whichever of them are invalid, so that a row which is mended moves no others. */
struct joined {
    struct buffer text;
    int64_t count;
    int64_t first; /* row numbers */
    int64_t last;
    struct origin origin; /* of the first */
};

struct publisher {
    struct cli *cli;
    struct task_maker maker;
    struct batch batch;
    struct sender sender;
    struct progress progress;
    struct joined joined;
    struct table dry_table;
    bool is_dry;
    bool skips_invalid;
    int64_t rows_per_task;

    int64_t rows;    /* read, bad ones included */
    int64_t tasks;   /* made */
    int64_t invalid; /* rows that can't be tasks */
    double done;     /* of `whole`: bytes, or files */
    double whole;    /* 0: not known */
};

/* Reads the command's options. */
void publisher_init(struct publisher *self, struct cli *cli);
void publisher_deinit(struct publisher *self);
/* Reads all inputs and sends what they hold; tells what is wrong. Ends early when a signal came. */
enum exit_code publisher_run(struct publisher *self);

#endif
