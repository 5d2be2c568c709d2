/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h -- the tasks of one publish request, and from where each came.
 */
#ifndef ACKD_CLI_PUBLISH_BATCH_H
#define ACKD_CLI_PUBLISH_BATCH_H

#include "ackd/v1/task.pb-c.h"
#include "base/arena.h"
#include "base/buffer.h"

#define BATCH_TASKS_MAX 1000
#define BATCH_BYTES_MAX (4 << 20) /* a task larger than this goes alone */

/* For messages: "pages.jsonl:17". */
struct origin {
    const char *path; /* borrowed; as the user named it */
    int64_t line;     /* 0: the file as a whole */
};

struct batch {
    struct arena arena; /* holds the tasks */
    Ackd__V1__NewTask *tasks[BATCH_TASKS_MAX];
    struct origin origins[BATCH_TASKS_MAX];
    size_t count;
};

void batch_init(struct batch *self);
void batch_deinit(struct batch *self);
void batch_clear(struct batch *self);
/* Whether it must be sent before another task is added. */
bool batch_is_full(const struct batch *self);
/* A new task at the end, to be filled from batch->arena. NULL: no memory. */
Ackd__V1__NewTask *batch_add(struct batch *self, struct origin origin);
/* Takes the last task out again. */
void batch_drop_last(struct batch *self);

/* "pages.jsonl:17:5: " for the head of a message. */
void origin_describe(struct origin origin, int64_t column, struct buffer *out);

#endif
