/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.c -- tables and JSON on stdout.
 */
#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "codec/codec.h"

void table_begin(struct table *self, struct arena *arena, const char *const *headers)
{
    *self = (struct table){.arena = arena, .headers = headers};
    while (headers[self->column_count] != NULL)
        self->column_count++;
    ASSERT(self->column_count > 0 && self->column_count <= TABLE_COLUMNS_MAX);
}

static void add_cell(struct table *self, const char *text)
{
    if (self->cell_count == self->cell_capacity) {
        size_t capacity = self->cell_capacity == 0 ? 64 : self->cell_capacity * 2;
        const char **cells = ARENA_ARRAY(self->arena, capacity, const char *);

        if (cells == NULL)
            return; /* a table cut short, which no terminal would show anyway */
        if (self->cell_count > 0)
            memcpy(cells, self->cells, self->cell_count * sizeof *cells);
        self->cells = cells;
        self->cell_capacity = capacity;
    }
    self->cells[self->cell_count++] = text == NULL ? "" : text;
}

void table_cell(struct table *self, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_text(self, slice_of_string(text), 0);
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* How many characters a terminal shows, counting each code point once. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += !is_continuation((uint8_t)*text);
    return width;
}

/* Where the text's first `width` characters end. */
static size_t cut_at(struct slice text, size_t width)
{
    size_t at = 0;

    while (at < text.size && (width > 0 || is_continuation(text.data[at]))) {
        width -= !is_continuation(text.data[at]);
        at++;
    }
    return at;
}

static void hide_controls(char *text, bool is_utf8)
{
    for (char *at = text; *at != '\0'; at++)
        if ((uint8_t)*at < 0x20 || *at == 0x7F || (!is_utf8 && (uint8_t)*at >= 0x80))
            *at = *at == '\n' || *at == '\t' ? ' ' : '?';
        else if ((uint8_t)*at == 0xC2 && (uint8_t)at[1] < 0xA0 && is_utf8)
            memcpy(at, "??", 2); /* U+0080..U+009F: terminals take them for escapes */
}

void table_text(struct table *self, struct slice text, size_t width_max)
{
    bool is_cut = width_max > 0 && cut_at(text, width_max) < text.size;
    struct slice shown = slice_of(text.data, is_cut ? cut_at(text, width_max - 1) : text.size);
    char *copy;

    for (size_t i = 0; i < shown.size; i++)
        if (shown.data[i] == '\0')
            shown.size = i; /* binary: what stands before the first NUL */
    copy = arena_printf(self->arena, "%.*s", (int)shown.size, (const char *)shown.data);
    if (copy == NULL)
        return;
    hide_controls(copy, utf8_is_valid(shown));
    add_cell(self, is_cut ? arena_printf(self->arena, "%s…", copy) : copy);
}

size_t table_row_count(const struct table *self)
{
    return self->cell_count / self->column_count;
}

static const char *header_text(const char *header)
{
    return header[0] == '>' ? header + 1 : header;
}

static void print_row(const struct table *self, const char *const *cells, const size_t *widths)
{
    for (size_t i = 0; i < self->column_count; i++) {
        bool is_last = i + 1 == self->column_count;
        int padding = (int)(widths[i] - width_of(cells[i]));

        if (self->headers[i][0] == '>')
            printf("%*s%s%s", padding, "", cells[i], is_last ? "" : "  ");
        else
            printf("%s%*s", cells[i], is_last ? 0 : padding + 2, "");
    }
    putchar('\n');
}

static void print_header(const struct table *self, const size_t *widths)
{
    const char *cells[TABLE_COLUMNS_MAX] = {""};

    for (size_t i = 0; i < self->column_count; i++)
        cells[i] = header_text(self->headers[i]);
    if (cells[0][0] != '\0')
        print_row(self, cells, widths);
}

void table_print(const struct table *self)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    size_t cell_count = table_row_count(self) * self->column_count;

    for (size_t i = 0; i < self->column_count; i++)
        widths[i] = width_of(header_text(self->headers[i]));
    for (size_t i = 0; i < cell_count; i++) {
        size_t width = width_of(self->cells[i]);

        if (width > widths[i % self->column_count])
            widths[i % self->column_count] = width;
    }
    print_header(self, widths);
    for (size_t i = 0; i < cell_count; i += self->column_count)
        print_row(self, self->cells + i, widths);
}

void print_json(const ProtobufCMessage *message)
{
    struct buffer text = BUFFER_EMPTY;

    codec_encode(CODEC_JSON, message, &text);
    fwrite(text.data, 1, text.size, stdout);
    putchar('\n');
    buffer_deinit(&text);
}
