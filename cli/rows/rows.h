/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.h -- a dataset, row by row, whatever its format.
 *
 *     rows_open -> rows_next ... rows_next -> rows_close
 *
 * A row that can't be read is no end: the next call goes on behind it, so that the caller may skip
 * bad rows or stop. Rows are numbered from 1, bad ones included, so that a row keeps its number
 * when another is mended.
 *
 *   jsonl  one JSON value a line; blank lines are skipped
 *   csv    RFC 4180 with a header: quoted fields, "" for a quote, line ends inside quotes; LF or
 *          CRLF; a row is a JSON object of strings, its keys in the header's order
 *   lines  each line is a row as it stands, without its line end; blank lines are skipped
 *   files  each file is a row: its content or its path
 */
#ifndef ACKD_CLI_ROWS_ROWS_H
#define ACKD_CLI_ROWS_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "cli/rows/source.h"

/* Valid until the next call. */
struct row {
    int64_t number;     /* from 1 */
    int64_t line;       /* where it begins, from 1; 0: of a file as a whole */
    struct slice text;  /* JSONL, lines: as it stands; CSV: the object; files: content or path */
    const json_t *json; /* JSONL: its value; CSV: the object; else NULL */
    const char *path;   /* files: the path; else NULL */
};

struct row_fault {
    int64_t line;   /* where; 0: of a file as a whole */
    int64_t column; /* from 1; 0: not known */
    char message[256];
};

enum rows_outcome {
    ROWS_ROW,
    ROWS_BAD, /* this row can't be read: see the fault */
    ROWS_END,
    ROWS_FAILED, /* the file can't be read on: see the fault */
};

struct rows;

/* One format. */
struct rows_format {
    const char *name;
    enum rows_outcome (*next)(struct rows *self, struct row *ret_row, struct row_fault *ret_fault);
    void (*close)(struct rows *self); /* may be NULL */
};

extern const struct rows_format rows_jsonl;
extern const struct rows_format rows_csv;
extern const struct rows_format rows_lines;

struct csv {
    json_t *header;       /* array of column names; NULL until it was read */
    bool has_no_header;   /* it can't be read, so nothing can */
    struct buffer fields; /* of one record, each ended by a NUL */
    size_t field_count;
    struct buffer text; /* the row as JSON */
};

struct rows {
    const struct rows_format *format;
    const char *path; /* borrowed; "-" is stdin */
    struct source source;
    int64_t number; /* of the row given last */
    json_t *json;   /* of the row given last */
    struct csv csv;
};

/* The format of this name; NULL if there is none. "auto": by the path's ending, stdin as JSONL. */
const struct rows_format *rows_format_of(const char *name, const char *path);

/* False: the file can't be opened; see errno. The path is borrowed. */
bool rows_open(struct rows *self, const struct rows_format *format, const char *path);
enum rows_outcome rows_next(struct rows *self, struct row *ret_row, struct row_fault *ret_fault);
void rows_close(struct rows *self);

/* For the formats: the next line; ROWS_ROW if there is one. */
enum rows_outcome rows_line(struct rows *self, struct slice *ret_line, struct row_fault *ret_fault);
/* For the formats: fills in the fault and returns ROWS_BAD. */
enum rows_outcome rows_bad(struct row_fault *fault, int64_t line, int64_t column,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));
/* For the formats: whether there is nothing but spaces, tabs and CR. */
bool rows_is_blank(struct slice line);

/* A field of a row: `name` as it stands, or else a path of names with dots between ("meta.id").
 * NULL: there is none, or it is null. */
const json_t *row_field(const struct row *row, const char *name);
/* A field's value as text: strings as they are, numbers and the rest as compact JSON. False: no
 * memory. */
bool row_value_text(const json_t *value, struct buffer *out);

#endif
