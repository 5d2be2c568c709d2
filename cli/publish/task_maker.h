/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_maker.h -- from a row to a task: which field is the ID, which the payload, which attributes.
 *
 * A task whose row names no ID gets one that is the same each time, so that a dataset published
 * again makes no task twice:
 *
 *     pages.jsonl:000123:1a2b3c4d        row 123 of pages.jsonl, and a checksum of what it says
 *     crawl/pages.jsonl:000123:1a2b3c4d  the same with --dataset crawl
 *     pages.jsonl:000101-000200:5e6f7a8b rows 101 to 200 in one task
 *
 * A row that changed is another task; rows put in front of others make them other tasks.
 */
#ifndef ACKD_CLI_PUBLISH_TASK_MAKER_H
#define ACKD_CLI_PUBLISH_TASK_MAKER_H

#include "ackd/v1/task.pb-c.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "cli/cli.h"
#include "cli/rows/rows.h"

struct task_maker {
    const char *id_field;      /* NULL: made from the place */
    const char *payload_field; /* NULL: the whole row */
    const char **attributes;   /* FIELD or KEY=VALUE */
    size_t attribute_count;
    const char *traceparent; /* attribute of the tasks that have none of this name; NULL: none */
    int32_t priority;
    int64_t delay_ms;
    char prefix[208]; /* of IDs; see task_maker_begin_file */
};

/* What could be wrong with one row. */
struct task_fault {
    char message[256];
};

/* Reads the options of `publish`. */
void task_maker_init(struct task_maker *self, const struct cli *cli);
/* The rows to come are of this file ("-": stdin) and dataset (may be ""). */
void task_maker_begin_file(struct task_maker *self, const char *path, const char *dataset);
/* Fills the task from the row; its memory comes from `arena`. False: the row can't be a task. */
bool task_maker_fill(const struct task_maker *self, const struct row *row, Ackd__V1__NewTask *task,
                     struct arena *arena, struct task_fault *ret_fault);
/* The same for rows first .. last joined into `text`. */
bool task_maker_fill_joined(const struct task_maker *self, struct slice text, int64_t first,
                            int64_t last, Ackd__V1__NewTask *task, struct arena *arena,
                            struct task_fault *ret_fault);

#endif
