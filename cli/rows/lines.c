/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.c -- each line is a row as it stands.
 */
#include "cli/rows/rows.h"

static enum rows_outcome next(struct rows *self, struct row *ret_row, struct row_fault *ret_fault)
{
    struct slice line;
    enum rows_outcome outcome;

    do {
        outcome = rows_line(self, &line, ret_fault);
        if (outcome != ROWS_ROW)
            return outcome;
    } while (rows_is_blank(line));
    if (line.data[line.size - 1] == '\r')
        line.size--;
    ret_row->line = self->source.line;
    ret_row->text = line;
    return ROWS_ROW;
}

const struct rows_format rows_lines = {"lines", next, NULL};
