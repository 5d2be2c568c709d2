/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonl.c -- one JSON value a line.
 *
 * The payload is the line as it stands, so that numbers keep all their digits; the parsed value
 * serves to find a bad line and to pick fields.
 */
#include <string.h>

#include "cli/rows/rows.h"

static struct slice trimmed(struct slice line)
{
    while (line.size > 0 && strchr(" \t\r", line.data[line.size - 1]) != NULL)
        line.size--;
    return line;
}

static json_t *parse(struct slice line, json_error_t *ret_error)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *json = json_loadb((const char *)line.data, line.size, flags, ret_error);

    /* An integer over 64 bits is valid JSON: its digits stay in the line. */
    if (json == NULL && json_error_code(ret_error) == json_error_numeric_overflow)
        json = json_loadb((const char *)line.data, line.size, flags | JSON_DECODE_INT_AS_REAL,
                          ret_error);
    return json;
}

static enum rows_outcome next(struct rows *self, struct row *ret_row, struct row_fault *ret_fault)
{
    json_error_t error;
    struct slice line;
    enum rows_outcome outcome;

    do {
        outcome = rows_line(self, &line, ret_fault);
        if (outcome != ROWS_ROW)
            return outcome;
    } while (rows_is_blank(line));
    ret_row->line = self->source.line;
    ret_row->text = trimmed(line);
    self->json = parse(ret_row->text, &error);
    if (self->json != NULL)
        return ROWS_ROW;
    return rows_bad(ret_fault, self->source.line, error.column < 1 ? 1 : error.column,
                    "not JSON: %s", error.text);
}

const struct rows_format rows_jsonl = {"jsonl", next, NULL};
