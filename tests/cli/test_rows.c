/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rows.c -- datasets row by row: what is a row, what is none, and where the fault is.
 *
 * Each test writes a small file and compares all its rows, as text, with what they should be: rows
 * stand as they are, bad ones as "LINE:COLUMN MESSAGE".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above. */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/rows/files.h"
#include "cli/rows/rows.h"

#define PATH_SIZE 64

static void write_file(char *path, const char *content, size_t size)
{
    int fd;

    strcpy(path, "/tmp/ackctl-rows-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, size), size);
    close(fd);
}

static void append_row(struct buffer *out, enum rows_outcome outcome, const struct row *row,
                       const struct row_fault *fault)
{
    if (outcome == ROWS_ROW)
        buffer_append(out, row->text);
    else
        buffer_append_printf(out, "%s%lld:%lld %s", outcome == ROWS_FAILED ? "FAILED " : "",
                             (long long)fault->line, (long long)fault->column, fault->message);
    buffer_append_string(out, "\n");
}

/* All rows of a file with this content, a line each. */
static void assert_rows_of_size(const struct rows_format *format, const char *content, size_t size,
                                const char *expected)
{
    struct buffer found = BUFFER_EMPTY;
    enum rows_outcome outcome;
    struct row_fault fault;
    char path[PATH_SIZE];
    struct rows rows;
    struct row row;

    write_file(path, content, size);
    assert_true(rows_open(&rows, format, path));
    while ((outcome = rows_next(&rows, &row, &fault)) != ROWS_END) {
        append_row(&found, outcome, &row, &fault);
        if (outcome == ROWS_FAILED)
            break;
    }
    assert_string_equal(buffer_string(&found), expected);
    rows_close(&rows);
    buffer_deinit(&found);
    unlink(path);
}

static void assert_rows(const struct rows_format *format, const char *content, const char *expected)
{
    assert_rows_of_size(format, content, strlen(content), expected);
}

static void test_jsonl_rows_are_the_lines_as_they_stand(void **state)
{
    (void)state;
    assert_rows(&rows_jsonl, "{\"a\": 1.50}\n[1, 2]\n\"x\"\n", "{\"a\": 1.50}\n[1, 2]\n\"x\"\n");
}

/* One end of a pipe that gives `pieces` one a read, on stdin; which is what "-" is. */
static void pieces_on_stdin(const char *const *pieces)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    for (; *pieces != NULL; pieces++)
        assert_int_equal(send(ends[0], *pieces, strlen(*pieces), 0), strlen(*pieces));
    assert_int_equal(dup2(ends[1], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
}

static void test_a_byte_order_mark_may_come_in_pieces(void **state)
{
    static const char *const pieces[] = {"\xEF", "\xBB", "\xBF\xEF", "\xBB\xBF\n\xEF", NULL};
    struct rows rows;
    struct row row;
    struct row_fault fault;

    (void)state;
    pieces_on_stdin(pieces);
    assert_true(rows_open(&rows, &rows_lines, "-"));
    assert_int_equal(rows_next(&rows, &row, &fault), ROWS_ROW);
    assert_true(slice_equal(row.text, slice_of_string("\xEF\xBB\xBF"))); /* only the first is one */
    assert_int_equal(rows_next(&rows, &row, &fault), ROWS_ROW);
    assert_true(slice_equal(row.text, slice_of_string("\xEF")));
    assert_int_equal(rows_next(&rows, &row, &fault), ROWS_END);
    rows_close(&rows);
}

static void test_jsonl_skips_blank_lines_and_a_byte_order_mark(void **state)
{
    (void)state;
    assert_rows(&rows_jsonl, "\xEF\xBB\xBF{\"a\":1}\n\n  \t\n{\"a\":2}\n",
                "{\"a\":1}\n{\"a\":2}\n");
}

static void test_jsonl_takes_crlf_and_a_last_line_without_line_end(void **state)
{
    (void)state;
    assert_rows(&rows_jsonl, "{\"a\":1}\r\n{\"a\":2}", "{\"a\":1}\n{\"a\":2}\n");
}

static void test_jsonl_names_a_bad_row_by_line_and_column_and_goes_on(void **state)
{
    (void)state;
    assert_rows(&rows_jsonl, "{\"a\":1}\n\n{\"a\":}\n{\"a\":2}\n",
                "{\"a\":1}\n3:6 not JSON: unexpected token near '}'\n{\"a\":2}\n");
}

static void test_jsonl_refuses_two_values_in_a_line(void **state)
{
    (void)state;
    assert_rows(&rows_jsonl, "{} {}\n", "1:4 not JSON: end of file expected near '{'\n");
}

static void test_jsonl_refuses_what_is_not_utf8(void **state)
{
    (void)state;
    assert_rows(&rows_jsonl, "\"\xFF\"\n", "1:1 not JSON: unable to decode byte 0xff near '\"'\n");
}

static void test_jsonl_keeps_the_digits_of_huge_integers(void **state)
{
    (void)state;
    assert_rows(&rows_jsonl, "{\"n\":123456789012345678901234567890}\n",
                "{\"n\":123456789012345678901234567890}\n");
}

static void test_an_empty_file_has_no_rows(void **state)
{
    (void)state;
    assert_rows(&rows_jsonl, "", "");
    assert_rows(&rows_csv, "", "");
    assert_rows(&rows_lines, "", "");
}

static void test_csv_rows_are_objects_in_the_headers_order(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "b,a\n1,two\n", "{\"b\":\"1\",\"a\":\"two\"}\n");
}

static void test_csv_quoted_fields_hold_commas_quotes_and_line_ends(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"one\ntwo\",3\n",
                "{\"a\":\"x,y\",\"b\":\"say \\\"hi\\\"\"}\n{\"a\":\"one\\ntwo\",\"b\":\"3\"}\n");
}

static void test_csv_keeps_crlf_inside_quotes_and_drops_it_at_line_ends(void **state)
{
    (void)state;
    assert_rows(&rows_csv,
                "\xEF\xBB\xBF"
                "a,b\r\n\"one\r\ntwo\",\"3\"\r\n",
                "{\"a\":\"one\\r\\ntwo\",\"b\":\"3\"}\n");
}

static void test_csv_empty_fields_and_blank_lines(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "a,b\n,\n\n\"\",x\n",
                "{\"a\":\"\",\"b\":\"\"}\n{\"a\":\"\",\"b\":\"x\"}\n");
}

static void test_csv_with_only_a_header_has_no_rows(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "a,b\n", "");
}

static void test_csv_names_a_row_with_too_few_or_too_many_fields(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "a,b\n1\n1,2,3\n1,2\n",
                "2:0 1 fields, but the header has 2\n3:0 3 fields, but the header has 2\n"
                "{\"a\":\"1\",\"b\":\"2\"}\n");
}

static void test_csv_names_misplaced_quotes_and_goes_on_at_the_next_line(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "a,b\nx\"y,2\n\"x\"y,2\n1,2\n",
                "2:2 a quote inside a field that does not begin with one\n"
                "3:4 text after a closing quote\n{\"a\":\"1\",\"b\":\"2\"}\n");
}

static void test_csv_names_the_line_where_an_endless_quote_began(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "a\n1\n\"two\nthree\n",
                "{\"a\":\"1\"}\n3:0 a quoted field never ends\n");
}

static void test_csv_counts_lines_inside_quotes(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "a,b\n\"1\n2\n3\",x\nonly\n",
                "{\"a\":\"1\\n2\\n3\",\"b\":\"x\"}\n5:0 1 fields, but the header has 2\n");
}

static void test_csv_refuses_a_header_that_names_a_column_twice_or_not(void **state)
{
    (void)state;
    assert_rows(&rows_csv, "a,a\n1,2\n", "FAILED 1:0 the header names \"a\" twice\n");
    assert_rows(&rows_csv, "a,\n1,2\n", "FAILED 1:0 column 2 of the header has no name\n");
}

static void test_csv_refuses_nul_and_what_is_not_utf8(void **state)
{
    (void)state;
    assert_rows_of_size(&rows_csv, "a\nx\0y\n\xFFz\nok\n", 12,
                        "2:2 a NUL byte\n3:0 not UTF-8\n{\"a\":\"ok\"}\n");
}

static void test_lines_are_rows_without_their_line_ends(void **state)
{
    (void)state;
    assert_rows(&rows_lines, "one \r\n\n  two\nthree", "one \n  two\nthree\n");
}

static void test_a_long_line_crosses_many_reads(void **state)
{
    size_t size = 3 << 20;
    char *content = malloc(size + 4);

    (void)state;
    memset(content, 'x', size);
    memcpy(content + size, "\ny\n", 4);
    assert_rows(&rows_lines, content, content);
    free(content);
}

static void test_rows_keep_their_numbers_behind_bad_ones(void **state)
{
    const char *content = "1\n}\n3\n";
    struct row_fault fault;
    char path[PATH_SIZE];
    struct rows rows;
    struct row row;

    (void)state;
    write_file(path, content, strlen(content));
    assert_true(rows_open(&rows, &rows_jsonl, path));
    assert_int_equal(rows_next(&rows, &row, &fault), ROWS_ROW);
    assert_int_equal(row.number, 1);
    assert_int_equal(rows_next(&rows, &row, &fault), ROWS_BAD);
    assert_int_equal(rows_next(&rows, &row, &fault), ROWS_ROW);
    assert_int_equal(row.number, 3);
    assert_int_equal(row.line, 3);
    assert_int_equal(rows.source.offset, 6);
    rows_close(&rows);
    unlink(path);
}

static void assert_field(const char *json, const char *name, const char *expected)
{
    struct buffer text = BUFFER_EMPTY;
    struct row row = {.json = json_loads(json, 0, NULL)};
    const json_t *value = row_field(&row, name);

    if (expected == NULL) {
        assert_null(value);
    } else {
        assert_non_null(value);
        assert_true(row_value_text(value, &text));
        assert_string_equal(buffer_string(&text), expected);
    }
    json_decref((json_t *)row.json);
    buffer_deinit(&text);
}

static void test_fields_are_found_by_name_and_by_path(void **state)
{
    (void)state;
    assert_field("{\"a\":{\"b\":{\"c\":\"deep\"}}}", "a.b.c", "deep");
    assert_field("{\"a.b\":1,\"a\":{\"b\":2}}", "a.b", "1");
    assert_field("{\"a\":{\"b.c\":3}}", "a.b.c", "3");
    assert_field("{\"a\":null}", "a", NULL);
    assert_field("{\"a\":1}", "a.b", NULL);
    assert_field("[1]", "a", NULL);
}

static void test_field_values_become_text(void **state)
{
    (void)state;
    assert_field("{\"a\":\"x y\"}", "a", "x y");
    assert_field("{\"a\":-7}", "a", "-7");
    assert_field("{\"a\":2.0}", "a", "2");
    assert_field("{\"a\":0.5}", "a", "0.5");
    assert_field("{\"a\":true}", "a", "true");
    assert_field("{\"a\":{\"b\": [1, 2]}}", "a", "{\"b\":[1,2]}");
}

static void test_formats_are_told_by_the_ending(void **state)
{
    (void)state;
    assert_ptr_equal(rows_format_of("auto", "a/b.JSONL"), &rows_jsonl);
    assert_ptr_equal(rows_format_of("auto", "b.csv"), &rows_csv);
    assert_ptr_equal(rows_format_of("auto", "b.txt"), &rows_lines);
    assert_ptr_equal(rows_format_of("auto", "-"), &rows_jsonl);
    assert_null(rows_format_of("auto", "b.parquet"));
    assert_ptr_equal(rows_format_of("csv", "b.parquet"), &rows_csv);
}

static void test_a_missing_file_and_a_directory_are_told_by_errno(void **state)
{
    struct rows rows;

    (void)state;
    assert_false(rows_open(&rows, &rows_lines, "/nonexistent/file"));
    assert_int_equal(errno, ENOENT);
    assert_false(rows_open(&rows, &rows_lines, "/tmp"));
    assert_int_equal(errno, EISDIR);
}

static void make_file(const char *directory, const char *name)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(name, file);
    fclose(file);
}

static void remove_tree(const char *directory, const char *const *names)
{
    char path[256];

    for (; *names != NULL; names++) {
        snprintf(path, sizeof path, "%s/%s", directory, *names);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(directory), 0);
}

static void test_patterns_name_files_in_order_and_directories_all_below(void **state)
{
    static const char *const names[] = {"b.png", "a.png", "c.txt", "deep/d.png", "deep", NULL};
    char directory[] = "/tmp/ackctl-files-XXXXXX";
    char path[256];
    struct file_list list = {0};

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/deep", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < 4; i++)
        make_file(directory, names[i]);
    snprintf(path, sizeof path, "%s/*.png", directory);
    assert_true(file_list_add(&list, path));
    assert_int_equal(list.count, 2);
    assert_string_equal(strrchr(list.paths[0], '/'), "/a.png");
    assert_string_equal(strrchr(list.paths[1], '/'), "/b.png");
    assert_true(file_list_add(&list, directory));
    assert_int_equal(list.count, 6);
    snprintf(path, sizeof path, "%s/*.jpg", directory);
    assert_false(file_list_add(&list, path));
    assert_int_equal(errno, ENOENT);
    file_list_deinit(&list);
    remove_tree(directory, names);
}

static void test_a_file_is_a_row_by_content_or_by_path(void **state)
{
    struct buffer content = BUFFER_EMPTY;
    struct row_fault fault;
    char path[PATH_SIZE];
    struct row row;

    (void)state;
    write_file(path, "a\0b", 3);
    assert_int_equal(file_row(path, true, &content, &row, &fault), ROWS_ROW);
    assert_true(slice_equal(row.text, slice_of("a\0b", 3)));
    assert_string_equal(row.path, path);
    assert_int_equal(file_row(path, false, &content, &row, &fault), ROWS_ROW);
    assert_true(slice_equal(row.text, slice_of_string(path)));
    unlink(path);
    assert_int_equal(file_row(path, true, &content, &row, &fault), ROWS_BAD);
    assert_string_equal(fault.message, "can't be read: No such file or directory");
    buffer_deinit(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl_rows_are_the_lines_as_they_stand),
        cmocka_unit_test(test_jsonl_skips_blank_lines_and_a_byte_order_mark),
        cmocka_unit_test(test_a_byte_order_mark_may_come_in_pieces),
        cmocka_unit_test(test_jsonl_takes_crlf_and_a_last_line_without_line_end),
        cmocka_unit_test(test_jsonl_names_a_bad_row_by_line_and_column_and_goes_on),
        cmocka_unit_test(test_jsonl_refuses_two_values_in_a_line),
        cmocka_unit_test(test_jsonl_refuses_what_is_not_utf8),
        cmocka_unit_test(test_jsonl_keeps_the_digits_of_huge_integers),
        cmocka_unit_test(test_an_empty_file_has_no_rows),
        cmocka_unit_test(test_csv_rows_are_objects_in_the_headers_order),
        cmocka_unit_test(test_csv_quoted_fields_hold_commas_quotes_and_line_ends),
        cmocka_unit_test(test_csv_keeps_crlf_inside_quotes_and_drops_it_at_line_ends),
        cmocka_unit_test(test_csv_empty_fields_and_blank_lines),
        cmocka_unit_test(test_csv_with_only_a_header_has_no_rows),
        cmocka_unit_test(test_csv_names_a_row_with_too_few_or_too_many_fields),
        cmocka_unit_test(test_csv_names_misplaced_quotes_and_goes_on_at_the_next_line),
        cmocka_unit_test(test_csv_names_the_line_where_an_endless_quote_began),
        cmocka_unit_test(test_csv_counts_lines_inside_quotes),
        cmocka_unit_test(test_csv_refuses_a_header_that_names_a_column_twice_or_not),
        cmocka_unit_test(test_csv_refuses_nul_and_what_is_not_utf8),
        cmocka_unit_test(test_lines_are_rows_without_their_line_ends),
        cmocka_unit_test(test_a_long_line_crosses_many_reads),
        cmocka_unit_test(test_rows_keep_their_numbers_behind_bad_ones),
        cmocka_unit_test(test_fields_are_found_by_name_and_by_path),
        cmocka_unit_test(test_field_values_become_text),
        cmocka_unit_test(test_formats_are_told_by_the_ending),
        cmocka_unit_test(test_a_missing_file_and_a_directory_are_told_by_errno),
        cmocka_unit_test(test_patterns_name_files_in_order_and_directories_all_below),
        cmocka_unit_test(test_a_file_is_a_row_by_content_or_by_path),
    };

    return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
