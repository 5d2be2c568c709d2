/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric_text.c -- Prometheus' text format.
 *
 * Label values are queue names and numbers, which need no escaping.
 */
#include "rpc/metric_text.h"

#include <stdio.h>
#include <string.h>

static void put_sample(struct buffer *out, const struct metric_row *row,
                       const struct metric_objects *objects, const void *object);

void metric_text_head(struct buffer *out, const char *name, const char *type, const char *text)
{
    buffer_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, text, name, type);
}

void metric_text_value(struct buffer *out, double value)
{
    buffer_append_printf(out, " %.15g\n", value);
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
    char scratch[32];

    buffer_append_printf(out, "%s{%s=\"%s\"%s%s}", row->name, objects->label,
                         objects->name(object, scratch), *row->labels == '\0' ? "" : ",",
                         row->labels);
    metric_text_value(out, row->read(object));
}
