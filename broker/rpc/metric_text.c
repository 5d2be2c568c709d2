/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric_text.c -- Prometheus' text format, version 0.0.4.
 */
#include "rpc/metric_text.h"

#include <inttypes.h>
#include <string.h>

static void put_sample(struct buffer *out, const struct metric_row *row,
                       const struct metric_objects *objects, const void *object);
static void put_histogram(struct buffer *out, const struct metric_histogram_row *row,
                          const struct metric_objects *objects, const void *object);

void metric_text_head(struct buffer *out, const char *name, const char *type, const char *text)
{
    buffer_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, text, name, type);
}

static void put_value(struct buffer *out, double value)
{
    buffer_append_printf(out, " %.15g\n", value);
}

void metric_text_single(struct buffer *out, const char *name, const char *type, const char *text,
                        double value)
{
    metric_text_head(out, name, type, text);
    buffer_append_string(out, name);
    put_value(out, value);
}

void metric_text_label(struct buffer *out, const char *name, struct slice value)
{
    buffer_append_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.size; i++) {
        char c = (char)value.data[i];

        if (c == '\n')
            buffer_append_string(out, "\\n");
        else if (c == '"' || c == '\\')
            buffer_append_printf(out, "\\%c", c);
        else
            buffer_append(out, slice_of(&c, 1));
    }
    buffer_append_string(out, "\"");
}

void metric_text_rows(struct buffer *out, const struct metric_row *rows, size_t row_count,
                      const struct metric_objects *objects)
{
    const char *family = "";

    for (size_t i = 0; i < row_count; i++) {
        if (strcmp(rows[i].name, family) != 0)
            metric_text_head(out, rows[i].name, rows[i].type, rows[i].text);
        family = rows[i].name;
        for (size_t k = 0; k < objects->count; k++)
            put_sample(out, &rows[i], objects, objects->object(objects->context, k));
    }
}

static void put_sample(struct buffer *out, const struct metric_row *row,
                       const struct metric_objects *objects, const void *object)
{
    double value = row->read(object);

    if (isnan(value))
        return;
    buffer_append_printf(out, "%s{", row->name);
    objects->put_labels(out, object);
    buffer_append_printf(out, "%s%s}", *row->labels == '\0' ? "" : ",", row->labels);
    put_value(out, value);
}

void metric_text_histograms(struct buffer *out, const struct metric_histogram_row *rows,
                            size_t row_count, const struct metric_objects *objects)
{
    for (size_t i = 0; i < row_count; i++) {
        metric_text_head(out, rows[i].name, "histogram", rows[i].text);
        for (size_t k = 0; k < objects->count; k++)
            put_histogram(out, &rows[i], objects, objects->object(objects->context, k));
    }
}

static void put_series(struct buffer *out, const char *name, const char *suffix,
                       const struct metric_objects *objects, const void *object)
{
    buffer_append_printf(out, "%s%s{", name, suffix);
    objects->put_labels(out, object);
}

/* Buckets are cumulative, and the last one is the count. */
static void put_histogram(struct buffer *out, const struct metric_histogram_row *row,
                          const struct metric_objects *objects, const void *object)
{
    const struct histogram *histogram = row->read(object);
    int64_t count = 0;

    for (size_t i = 0; i < row->scale->count; i++) {
        count += histogram->counts[i];
        put_series(out, row->name, "_bucket", objects, object);
        buffer_append_printf(out, ",le=\"%.15g\"} %" PRId64 "\n",
                             (double)row->scale->bounds[i] * row->unit, count);
    }
    count += histogram->counts[HISTOGRAM_BOUNDS_MAX];
    put_series(out, row->name, "_bucket", objects, object);
    buffer_append_printf(out, ",le=\"+Inf\"} %" PRId64 "\n", count);
    put_series(out, row->name, "_sum", objects, object);
    buffer_append_string(out, "}");
    put_value(out, (double)histogram->sum * row->unit);
    put_series(out, row->name, "_count", objects, object);
    buffer_append_printf(out, "} %" PRId64 "\n", count);
}
