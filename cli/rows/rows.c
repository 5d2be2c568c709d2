/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c -- a dataset, row by row: what all formats share.
 */
#include "cli/rows/rows.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *ending;
    const struct rows_format *format;
} endings[] = {
    {".jsonl", &rows_jsonl}, {".ndjson", &rows_jsonl}, {".json", &rows_jsonl},
    {".csv", &rows_csv},     {".txt", &rows_lines},    {".lst", &rows_lines},
};

static const struct rows_format *format_of_ending(const char *path)
{
    size_t length = strlen(path);

    if (strcmp(path, "-") == 0)
        return &rows_jsonl;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t ending = strlen(endings[i].ending);

        if (length > ending && strcasecmp(path + length - ending, endings[i].ending) == 0)
            return endings[i].format;
    }
    return NULL;
}

const struct rows_format *rows_format_of(const char *name, const char *path)
{
    static const struct rows_format *const formats[] = {&rows_jsonl, &rows_csv, &rows_lines};

    if (strcmp(name, "auto") == 0)
        return format_of_ending(path);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

bool rows_open(struct rows *self, const struct rows_format *format, const char *path)
{
    *self = (struct rows){.format = format, .path = path};
    return source_open(&self->source, path);
}

enum rows_outcome rows_next(struct rows *self, struct row *ret_row, struct row_fault *ret_fault)
{
    enum rows_outcome outcome;

    json_decref(self->json);
    self->json = NULL;
    *ret_row = (struct row){0};
    *ret_fault = (struct row_fault){0};
    outcome = self->format->next(self, ret_row, ret_fault);
    if (outcome == ROWS_ROW || outcome == ROWS_BAD)
        ret_row->number = ++self->number;
    ret_row->json = self->json;
    return outcome;
}

void rows_close(struct rows *self)
{
    if (self->format->close != NULL)
        self->format->close(self);
    json_decref(self->json);
    self->json = NULL;
    source_close(&self->source);
}

enum rows_outcome rows_line(struct rows *self, struct slice *ret_line, struct row_fault *ret_fault)
{
    switch (source_line(&self->source, ret_line)) {
    case SOURCE_LINE:
        return ROWS_ROW;
    case SOURCE_END:
        return ROWS_END;
    case SOURCE_TOO_LONG:
        (void)rows_bad(ret_fault, self->source.line + 1, 0, "the line is longer than %d MiB",
                       SOURCE_LINE_BYTES_MAX >> 20);
        return ROWS_FAILED;
    case SOURCE_FAILED:
        break;
    }
    (void)rows_bad(ret_fault, self->source.line + 1, 0, "can't be read: %s", strerror(errno));
    return ROWS_FAILED;
}

enum rows_outcome rows_bad(struct row_fault *fault, int64_t line, int64_t column,
                           const char *format, ...)
{
    va_list args;

    fault->line = line;
    fault->column = column;
    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
    return ROWS_BAD;
}

bool rows_is_blank(struct slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
            return false;
    return true;
}

const json_t *row_field(const struct row *row, const char *name)
{
    const json_t *value = json_object_get(row->json, name);
    const json_t *object = row->json;

    while (value == NULL) {
        size_t length = strcspn(name, ".");

        if (name[length] == '\0')
            return NULL;
        object = json_object_getn(object, name, length);
        name += length + 1;
        value = json_object_get(object, name);
    }
    return json_is_null(value) ? NULL : value;
}

/* A number too large for an integer was read as a real; whole ones are still written as such. */
static void append_real(double real, struct buffer *out)
{
    if (real == (double)(int64_t)real && real > -1e15 && real < 1e15)
        buffer_append_printf(out, "%lld", (long long)real);
    else
        buffer_append_printf(out, "%.17g", real);
}

static int append_chunk(const char *data, size_t size, void *context)
{
    struct buffer *out = context;

    buffer_append(out, slice_of(data, size));
    return out->failed ? -1 : 0;
}

bool row_value_text(const json_t *value, struct buffer *out)
{
    if (json_is_string(value))
        buffer_append(out, slice_of(json_string_value(value), json_string_length(value)));
    else if (json_is_real(value))
        append_real(json_real_value(value), out);
    else
        json_dump_callback(value, append_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY);
    return !out->failed;
}
