/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv.c -- comma-separated values by RFC 4180, with a header.
 *
 *              ,                    "                  ""  -> a quote
 *   START ----------> FIELD   START ----> QUOTED -----------+
 *     ^                 |                  |  ^-------------+
 *     +------ , --------+                  | "
 *     +------ , ----- AFTER <--------------+
 *
 * The machine walks a line; where the line ends inside quotes, the next one is joined on with the
 * line end between them. A record whose quotes never end would eat the file: it is bad as a whole,
 * and named by the line on which it began.
 */
#include <string.h>

#include "cli/rows/rows.h"

enum csv_state { FIELD_START, FIELD_PLAIN, FIELD_QUOTED, FIELD_AFTER_QUOTE };

struct scanner {
    struct csv *csv;
    enum csv_state state;
    const char *fault; /* the first one; the record is read to its end all the same */
    int64_t fault_column;
};

static void put(struct csv *csv, uint8_t byte)
{
    buffer_append(&csv->fields, slice_of(&byte, 1));
}

static void end_field(struct scanner *self)
{
    put(self->csv, '\0');
    self->csv->field_count++;
    self->state = FIELD_START;
}

static void note_fault(struct scanner *self, const char *fault, size_t column)
{
    if (self->fault != NULL)
        return;
    self->fault = fault;
    self->fault_column = (int64_t)column + 1;
}

static void scan_unquoted(struct scanner *self, uint8_t byte, size_t column)
{
    if (byte == ',') {
        end_field(self);
        return;
    }
    if (byte == '"' && self->state == FIELD_START) {
        self->state = FIELD_QUOTED;
        return;
    }
    if (byte == '"')
        note_fault(self, "a quote inside a field that does not begin with one", column);
    self->state = FIELD_PLAIN;
    put(self->csv, byte);
}

static void scan_byte(struct scanner *self, uint8_t byte, size_t column)
{
    if (byte == '\0')
        note_fault(self, "a NUL byte", column);
    switch (self->state) {
    case FIELD_START:
    case FIELD_PLAIN:
        scan_unquoted(self, byte, column);
        break;
    case FIELD_QUOTED:
        if (byte == '"')
            self->state = FIELD_AFTER_QUOTE;
        else
            put(self->csv, byte);
        break;
    case FIELD_AFTER_QUOTE:
        if (byte == ',') {
            end_field(self);
            break;
        }
        if (byte != '"')
            note_fault(self, "text after a closing quote", column);
        self->state = byte == '"' ? FIELD_QUOTED : FIELD_PLAIN;
        put(self->csv, byte);
        break;
    }
}

/* A line without the CR of a CRLF, unless that CR stands inside quotes. */
static void scan_line(struct scanner *self, struct slice line)
{
    for (size_t i = 0; i < line.size; i++) {
        bool is_line_end = line.data[i] == '\r' && i + 1 == line.size;

        if (is_line_end && self->state != FIELD_QUOTED)
            break;
        scan_byte(self, line.data[i], i);
    }
}

/* One record into csv->fields. */
static enum rows_outcome read_record(struct rows *self, int64_t *ret_line,
                                     struct row_fault *ret_fault)
{
    struct scanner scanner = {.csv = &self->csv};
    struct slice line;
    enum rows_outcome outcome;

    buffer_clear(&self->csv.fields, 1 << 20);
    self->csv.field_count = 0;
    do {
        outcome = rows_line(self, &line, ret_fault);
        if (outcome != ROWS_ROW)
            return outcome;
    } while (rows_is_blank(line));
    *ret_line = self->source.line;
    scan_line(&scanner, line);
    while (scanner.state == FIELD_QUOTED) {
        outcome = rows_line(self, &line, ret_fault);
        if (outcome == ROWS_FAILED)
            return outcome;
        if (outcome == ROWS_END || self->csv.fields.size > SOURCE_LINE_BYTES_MAX)
            return rows_bad(ret_fault, *ret_line, 0, "a quoted field never ends");
        put(&self->csv, '\n');
        scan_line(&scanner, line);
    }
    end_field(&scanner);
    if (scanner.fault != NULL)
        return rows_bad(ret_fault, *ret_line, scanner.fault_column, "%s", scanner.fault);
    if (!utf8_is_valid(buffer_view(&self->csv.fields)))
        return rows_bad(ret_fault, *ret_line, 0, "not UTF-8");
    return ROWS_ROW;
}

static const char *next_field(const char *field)
{
    return field + strlen(field) + 1;
}

static bool has_column(const json_t *header, const char *name)
{
    for (size_t i = 0; i < json_array_size(header); i++)
        if (strcmp(json_string_value(json_array_get(header, i)), name) == 0)
            return true;
    return false;
}

static enum rows_outcome read_header(struct rows *self, struct row_fault *ret_fault)
{
    struct csv *csv = &self->csv;
    int64_t line = 1;
    enum rows_outcome outcome = read_record(self, &line, ret_fault);
    const char *field = (const char *)csv->fields.data;

    csv->has_no_header = outcome != ROWS_ROW;
    if (outcome == ROWS_BAD)
        return ROWS_FAILED; /* without names there are no rows */
    if (outcome != ROWS_ROW)
        return outcome;
    csv->header = json_array();
    for (size_t i = 0; i < csv->field_count; i++, field = next_field(field)) {
        if (field[0] == '\0' || has_column(csv->header, field)) {
            csv->has_no_header = true;
            if (field[0] == '\0')
                (void)rows_bad(ret_fault, line, 0, "column %zu of the header has no name", i + 1);
            else
                (void)rows_bad(ret_fault, line, 0, "the header names \"%s\" twice", field);
            return ROWS_FAILED;
        }
        json_array_append_new(csv->header, json_string(field));
    }
    return ROWS_ROW;
}

static int append_chunk(const char *data, size_t size, void *context)
{
    buffer_append(context, slice_of(data, size));
    return 0;
}

static void build_object(struct rows *self)
{
    const char *field = (const char *)self->csv.fields.data;

    self->json = json_object();
    for (size_t i = 0; i < self->csv.field_count; i++, field = next_field(field))
        json_object_set_new(self->json, json_string_value(json_array_get(self->csv.header, i)),
                            json_string(field));
    buffer_clear(&self->csv.text, 1 << 20);
    json_dump_callback(self->json, append_chunk, &self->csv.text, JSON_COMPACT);
}

static enum rows_outcome next(struct rows *self, struct row *ret_row, struct row_fault *ret_fault)
{
    struct csv *csv = &self->csv;
    enum rows_outcome outcome;

    if (csv->has_no_header)
        return ROWS_END;
    if (csv->header == NULL) {
        outcome = read_header(self, ret_fault);
        if (outcome != ROWS_ROW)
            return outcome;
    }
    outcome = read_record(self, &ret_row->line, ret_fault);
    if (outcome != ROWS_ROW)
        return outcome;
    if (csv->field_count != json_array_size(csv->header))
        return rows_bad(ret_fault, ret_row->line, 0, "%zu fields, but the header has %zu",
                        csv->field_count, json_array_size(csv->header));
    build_object(self);
    ret_row->text = buffer_view(&csv->text);
    return ROWS_ROW;
}

static void close_csv(struct rows *self)
{
    json_decref(self->csv.header);
    buffer_deinit(&self->csv.fields);
    buffer_deinit(&self->csv.text);
}

const struct rows_format rows_csv = {"csv", next, close_csv};
