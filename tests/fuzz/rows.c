/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c -- the readers of datasets: JSONL, CSV and lines.
 *
 * Input: the format (1 byte), the number of cuts (1 byte), the sizes of the pieces, then the file.
 * Or CSV from the other side: the number of columns, then cells, each ended by a byte 01.
 *
 *   F1  Read from a file or from a pipe that gives it in pieces, the rows are the same.
 *   F2  Rows are numbered from 1 without a gap, and none lies before another.
 *   F3  The rows that could be read, written as a file, are read as the same rows, all of them.
 *   F4  Cells of any text, written as CSV, are read as these cells.
 */
#include "cli/rows/rows.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

static const struct rows_format *const formats[] = {&rows_jsonl, &rows_csv, &rows_lines};
#define FORMAT_COUNT (sizeof formats / sizeof *formats)

/* ---- files ---- */

/* A path by which the bytes can be read, as often as one likes; the same one each time. */
static const char *file_of(struct slice bytes)
{
    static int fd = -1;
    static char path[64];

    if (fd < 0)
        fd = memfd_create("rows", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
    CHECK(pwrite(fd, bytes.data, bytes.size, 0) == (ssize_t)bytes.size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

/* The same bytes on stdin, of which each read gets one piece: packets are not joined. */
static const char *pipe_of(struct slice bytes, struct slice sizes)
{
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    while (bytes.size > 0) {
        size_t size = sizes.size == 0 ? 4096 : (size_t)take_u8(&sizes) + 1;
        struct slice piece = take_bytes(&bytes, size);

        CHECK(send(ends[0], piece.data, piece.size, MSG_DONTWAIT) == (ssize_t)piece.size);
    }
    CHECK(dup2(ends[1], STDIN_FILENO) == STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
    return "-";
}

/* ---- what a row says, as text ---- */

static void tell_number(const char *name, int64_t number, struct buffer *out)
{
    buffer_append_printf(out, "%s=%" PRId64 " ", name, number);
}

static void tell_row(const struct row *row, struct buffer *out)
{
    const json_t *field = row->json == NULL ? NULL : row_field(row, "meta.id");

    tell_number("row", (int64_t)row->text.size, out);
    buffer_append(out, row->text);
    if (field != NULL)
        CHECK(row_value_text(field, out));
    buffer_append_string(out, "\n");
}

/* ---- a row as a line of a file ---- */

static void put_quoted(struct slice text, struct buffer *out)
{
    buffer_append_string(out, "\"");
    for (size_t i = 0; i < text.size; i++)
        buffer_append_printf(out, text.data[i] == '"' ? "\"\"" : "%c", text.data[i]);
    buffer_append_string(out, "\"");
}

static void put_csv(const json_t *object, bool keys, struct buffer *out)
{
    const char *separator = "";

    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        buffer_append_string(out, separator);
        put_quoted(slice_of_string(keys ? json_object_iter_key(at)
                                        : json_string_value(json_object_iter_value(at))),
                   out);
        separator = ",";
    }
    buffer_append_string(out, "\r\n");
}

/* Appends the row to a file of its format, which the first row begins. */
static void put_row(const struct rows_format *format, const struct row *row, struct buffer *file)
{
    if (format == &rows_csv) {
        if (file->size == 0)
            put_csv(row->json, true, file);
        put_csv(row->json, false, file);
        return;
    }
    if (file->size == 0) /* so that a byte order mark stays what it is: a part of the row */
        buffer_append_string(file, "0\r\n");
    buffer_append(file, row->text);
    buffer_append_string(file, "\r\n");
}

/* ---- reading ---- */

struct reading {
    struct buffer good;  /* the rows that could be read */
    struct buffer whole; /* and where, and what was bad */
    struct buffer file;  /* the good ones as a file */
    int64_t bad;
};

static void tell_place(enum rows_outcome outcome, const struct row *row,
                       const struct row_fault *fault, struct buffer *out)
{
    tell_number("outcome", outcome, out);
    tell_number("line", row->line, out);
    tell_number("fault", fault->line, out);
    tell_number("column", fault->column, out);
    buffer_append_string(out, fault->message);
}

static struct reading read_rows(const struct rows_format *format, const char *path)
{
    struct reading self = {BUFFER_EMPTY, BUFFER_EMPTY, BUFFER_EMPTY, 0};
    enum rows_outcome outcome = ROWS_ROW;
    int64_t number = 0;
    int64_t line = 0;
    struct rows rows;

    CHECK(rows_open(&rows, format, path));
    while (outcome == ROWS_ROW || outcome == ROWS_BAD) {
        struct row row;
        struct row_fault fault;

        outcome = rows_next(&rows, &row, &fault);
        tell_place(outcome, &row, &fault, &self.whole);
        self.bad += outcome != ROWS_ROW && outcome != ROWS_END;
        if (outcome == ROWS_ROW || outcome == ROWS_BAD)
            CHECK(row.number == ++number); /* F2 */
        if (outcome != ROWS_ROW)
            continue;
        CHECK(row.line > line);
        line = row.line;
        tell_row(&row, &self.good);
        put_row(format, &row, &self.file);
    }
    rows_close(&rows);
    CHECK(!self.good.failed && !self.whole.failed && !self.file.failed);
    return self;
}

static void forget(struct reading *self)
{
    buffer_deinit(&self->good);
    buffer_deinit(&self->whole);
    buffer_deinit(&self->file);
}

static void check_writing(const struct rows_format *format, const struct reading *reading)
{
    struct reading again = read_rows(format, file_of(buffer_view(&reading->file)));
    struct slice expected = buffer_view(&reading->good);
    struct slice good = buffer_view(&again.good);
    struct slice first = slice_of_string("row=1 0\n");

    if (format != &rows_csv && good.size > 0) {
        CHECK(slice_starts_with(good, first));
        good = slice_of(good.data + first.size, good.size - first.size);
    }
    CHECK(again.bad == 0 && slice_equal(good, expected)); /* F3 */
    forget(&again);
}

/* ---- cells ---- */

#define COLUMNS_MAX 4

static struct slice take_cell(struct slice *input)
{
    const uint8_t *end = input->size == 0 ? NULL : memchr(input->data, 1, input->size);
    struct slice cell = take_bytes(input, end == NULL ? input->size : (size_t)(end - input->data));

    (void)take_u8(input);
    return cell;
}

/* Each row of the file, and what it says; columns are called by their number. */
static void write_cells(struct slice input, int columns, struct buffer *file, struct buffer *said)
{
    for (int i = 0; i < columns; i++)
        buffer_append_printf(file, "%d%s", i, i + 1 < columns ? "," : "\n");
    while (input.size > 0) {
        for (int i = 0; i < columns; i++) {
            struct slice cell = take_cell(&input);

            put_quoted(cell, file);
            buffer_append_string(file, i + 1 < columns ? "," : "\n");
            buffer_append(said, cell);
            buffer_append_string(said, "|");
        }
    }
}

static void check_cells(struct slice input) /* F4 */
{
    int columns = take_u8(&input) % COLUMNS_MAX + 1;
    struct buffer file = BUFFER_EMPTY;
    struct buffer said = BUFFER_EMPTY;
    struct buffer read = BUFFER_EMPTY;
    struct row_fault fault;
    struct rows rows;
    struct row row;

    if (!utf8_is_string(input))
        return; /* such rows are refused */
    write_cells(input, columns, &file, &said);
    CHECK(rows_open(&rows, &rows_csv, file_of(buffer_view(&file))));
    while (rows_next(&rows, &row, &fault) == ROWS_ROW) {
        for (int i = 0; i < columns; i++) {
            char name[] = {(char)('0' + i), '\0'};

            CHECK(row_value_text(json_object_get(row.json, name), &read));
            buffer_append_string(&read, "|");
        }
    }
    rows_close(&rows);
    CHECK(slice_equal(buffer_view(&said), buffer_view(&read)));
    buffer_deinit(&file);
    buffer_deinit(&said);
    buffer_deinit(&read);
}

/* ---- the target ---- */

static void check_file(const struct rows_format *format, struct slice input)
{
    size_t cuts = take_u8(&input) % 16;
    struct slice sizes = take_bytes(&input, cuts);
    struct reading whole = read_rows(format, file_of(input));
    struct reading cut = read_rows(format, pipe_of(input, sizes));

    CHECK(slice_equal(buffer_view(&whole.good), buffer_view(&cut.good))); /* F1 */
    CHECK(slice_equal(buffer_view(&whole.whole), buffer_view(&cut.whole)));
    check_writing(format, &whole);
    forget(&whole);
    forget(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    size_t choice = take_u8(&input) % (FORMAT_COUNT + 1);

    if (choice < FORMAT_COUNT)
        check_file(formats[choice], input);
    else if (utf8_is_valid(input) && (size == 0 || memchr(data, 0, size) == NULL))
        check_cells(input);
    return 0;
}
