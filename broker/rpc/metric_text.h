/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric_text.h -- Prometheus' text format from tables: a row says what a metric is and how to
 * read it off an object; the objects are the broker, its shards, its queues.
 */
#ifndef ACKD_RPC_METRIC_TEXT_H
#define ACKD_RPC_METRIC_TEXT_H

#include <stddef.h>

#include "base/buffer.h"

struct metric_row {
    const char *name;   /* rows of one name stand together: they are one family */
    const char *labels; /* of this row beside the object's, such as `state="ready"`; or "" */
    const char *type;   /* "counter" or "gauge" */
    const char *text;
    double (*read)(const void *object);
};

/* Objects of one kind, all with the same label. */
struct metric_objects {
    const char *label; /* "queue" */
    size_t count;
    const void *(*object)(const void *context, size_t at);
    const char *(*name)(const void *object, char scratch[32]); /* the label's value */
    const void *context;
};

/* # HELP and # TYPE. */
void metric_text_head(struct buffer *out, const char *name, const char *type, const char *text);
void metric_text_value(struct buffer *out, double value);
/* Every row for every object, family by family. */
void metric_text_rows(struct buffer *out, const struct metric_row *rows, size_t row_count,
                      const struct metric_objects *objects);

#endif
