/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result_format.c -- results as rows of JSONL or CSV.
 */
#include "cli/result_format.h"

#include <jansson.h>
#include <string.h>

#include "cli/units.h"

void result_format_init(struct result_format *self, const char *format, const char *as)
{
    *self = (struct result_format){.is_csv = strcmp(format, "csv") == 0, .as = RESULT_AS_TEXT};
    if (strcmp(as, "json") == 0)
        self->as = RESULT_AS_JSON;
    if (strcmp(as, "base64") == 0)
        self->as = RESULT_AS_BASE64;
}

void result_format_deinit(struct result_format *self)
{
    buffer_deinit(&self->base64);
}

void result_format_begin(struct result_format *self, FILE *out)
{
    if (self->is_csv)
        fputs("taskId,dataset,fence,storedAt,result,resultBase64\r\n", out);
}

static const char *base64_of(struct result_format *self, struct slice data)
{
    buffer_clear(&self->base64, SIZE_MAX);
    if (buffer_reserve(&self->base64, base64_size(data.size)) == NULL)
        return "";
    base64_encode(data, (char *)self->base64.data);
    return (const char *)self->base64.data;
}

/* The result as --as wants it, or NULL if it is not of that kind. */
static json_t *value_of(const struct result_format *self, struct slice data)
{
    if (self->as == RESULT_AS_TEXT)
        return json_stringn((const char *)data.data, data.size);
    if (self->as == RESULT_AS_JSON)
        return json_loadb((const char *)data.data, data.size, JSON_DECODE_ANY | JSON_ALLOW_NUL,
                          NULL);
    return NULL;
}

static void note_misfit(struct result_format *self, bool fits)
{
    if (!fits && self->as != RESULT_AS_BASE64)
        self->not_as_wanted++;
}

/* Never NULL: jansson takes that for a missing string. */
static struct slice data_of(const Ackd__V1__Result *result)
{
    return result->data.data == NULL ? slice_of_string("")
                                     : slice_of(result->data.data, result->data.len);
}

static void write_jsonl(struct result_format *self, const Ackd__V1__Result *result, FILE *out)
{
    struct slice data = data_of(result);
    json_t *row = json_object();
    json_t *value = value_of(self, data);
    struct text time;

    json_object_set_new(row, "taskId", json_string(result->task_id));
    json_object_set_new(row, "dataset", json_string(result->dataset));
    json_object_set_new(row, "fence", json_integer(result->fence));
    json_object_set_new(row, "storedAt",
                        json_string(units_time_utc(&time, result->stored_unix_ms)));
    note_misfit(self, value != NULL);
    if (value != NULL)
        json_object_set_new(row, "result", value);
    else
        json_object_set_new(row, "resultBase64", json_string(base64_of(self, data)));
    json_dumpf(row, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(row);
}

static void write_csv_field(struct slice text, FILE *out)
{
    bool is_quoted = false;

    for (size_t i = 0; i < text.size && !is_quoted; i++)
        is_quoted = strchr("\",\r\n", text.data[i]) != NULL && text.data[i] != '\0';
    if (!is_quoted) {
        fwrite(text.data, 1, text.size, out);
        return;
    }
    fputc('"', out);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            fputc('"', out);
        fputc(text.data[i], out);
    }
    fputc('"', out);
}

/* CSV has text only: with --as json the JSON text stands in the field. */
static bool fits_csv(const struct result_format *self, struct slice data)
{
    json_t *value = value_of(self, data);
    bool fits = value != NULL && memchr(data.data, '\0', data.size) == NULL;

    json_decref(value);
    return fits;
}

static void write_csv(struct result_format *self, const Ackd__V1__Result *result, FILE *out)
{
    struct slice data = slice_of(
        result->data.data == NULL ? (const uint8_t *)"" : result->data.data, result->data.len);
    bool fits = fits_csv(self, data);
    struct text time;

    note_misfit(self, fits);
    write_csv_field(slice_of_string(result->task_id), out);
    fputc(',', out);
    write_csv_field(slice_of_string(result->dataset), out);
    fprintf(out, ",%lld,%s,", (long long)result->fence,
            units_time_utc(&time, result->stored_unix_ms));
    if (fits)
        write_csv_field(data, out);
    fputc(',', out);
    if (!fits)
        fputs(base64_of(self, data), out);
    fputs("\r\n", out);
}

void result_format_write(struct result_format *self, const Ackd__V1__Result *result, FILE *out)
{
    if (self->is_csv)
        write_csv(self, result, out);
    else
        write_jsonl(self, result, out);
}
