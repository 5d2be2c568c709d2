/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h -- what commands print: aligned tables for people, the proto's JSON for programs.
 *
 * Cells come from strangers (payloads, errors, names): control characters in them are shown as
 * '?', so that no task can play with the user's terminal.
 */
#ifndef ACKD_CLI_OUTPUT_H
#define ACKD_CLI_OUTPUT_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/slice.h"

#define TABLE_COLUMNS_MAX 16

struct table {
    struct arena *arena;        /* holds the cells */
    const char *const *headers; /* ended by NULL; '>' in front: aligned to the right */
    size_t column_count;
    const char **cells; /* row after row */
    size_t cell_count;
    size_t cell_capacity;
};

/* `headers` must outlive the table. With empty headers no header line is printed. */
void table_begin(struct table *self, struct arena *arena, const char *const *headers);
/* The next cell, row by row. */
void table_cell(struct table *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A stranger's text, cut to `width_max` characters with an ellipsis (0: not cut). */
void table_text(struct table *self, struct slice text, size_t width_max);
size_t table_row_count(const struct table *self);
/* To stdout. */
void table_print(const struct table *self);

/* The message as one line of JSON on stdout. */
void print_json(const ProtobufCMessage *message);

#endif
