/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric_text.h -- Prometheus' text format from tables: a row says what a metric is and how to
 * read it off an object; the objects are the broker's shards, queues, datasets.
 */
#ifndef ACKD_RPC_METRIC_TEXT_H
#define ACKD_RPC_METRIC_TEXT_H

#include <math.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/histogram.h"
#include "base/slice.h"

#define METRIC_NONE ((double)NAN)

struct metric_row {
    const char *name;   /* rows of one name stand together: they are one family */
    const char *labels; /* of this row beside the object's, such as `state="ready"`; or "" */
    const char *type;   /* "counter" or "gauge" */
    const char *text;
    double (*read)(const void *object); /* METRIC_NONE: it has no such sample */
};

struct metric_histogram_row {
    const char *name;
    const char *text;
    const struct histogram_scale *scale;
    double unit; /* what a value is multiplied with: 1e-9 makes seconds of nanoseconds */
    const struct histogram *(*read)(const void *object);
};

/* Objects of one kind, all with the same labels. */
struct metric_objects {
    size_t count;
    const void *(*object)(const void *context, size_t at);
    void (*put_labels)(struct buffer *out, const void *object); /* `queue="a"` */
    const void *context;
};

/* # HELP and # TYPE. */
void metric_text_head(struct buffer *out, const char *name, const char *type, const char *text);
/* A family of one sample without labels. */
void metric_text_single(struct buffer *out, const char *name, const char *type, const char *text,
                        double value);
/* `name="value"`, the value escaped. */
void metric_text_label(struct buffer *out, const char *name, struct slice value);
/* Every row for every object, family by family. */
void metric_text_rows(struct buffer *out, const struct metric_row *rows, size_t row_count,
                      const struct metric_objects *objects);
void metric_text_histograms(struct buffer *out, const struct metric_histogram_row *rows,
                            size_t row_count, const struct metric_objects *objects);

#endif
