/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_log.c -- base/log.h: what lands on stderr, which a test points at a pipe. A packet
 * pipe (O_DIRECT) keeps writes apart, so that one read sees one write.
 */
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "support/check.h"

static char line[16384];

/* Runs `statement` and puts what it wrote by its first write(2) into `line`. */
#define CAPTURE(statement)                                                                         \
    do {                                                                                           \
        struct capture capture_ = capture_begin();                                                 \
        statement;                                                                                 \
        capture_end(capture_);                                                                     \
    } while (0)

struct capture {
    int reader;
    int stderr_before;
};

static struct capture capture_begin(void)
{
    struct capture capture;
    int ends[2];

    assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    capture.reader = ends[0];
    capture.stderr_before = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[1]);
    return capture;
}

static void capture_end(struct capture capture)
{
    ssize_t size;

    assert_true(dup2(capture.stderr_before, STDERR_FILENO) >= 0);
    (void)close(capture.stderr_before);
    size = read(capture.reader, line, sizeof line - 1);
    line[size < 0 ? 0 : size] = '\0';
    (void)close(capture.reader);
}

/* The fields of a line of JSON, which must be one line, whole and valid. */
static json_t *parse(void)
{
    json_error_t error;
    json_t *object;
    size_t size = strlen(line);

    assert_true(size > 0);
    assert_ptr_equal(strchr(line, '\n'), line + size - 1);
    object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL)
        fail_msg("%s: %s", error.text, line);
    return object;
}

static const char *string_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    assert_non_null(text);
    return text;
}

static void test_json_is_one_object_a_line_with_typed_fields(void **state)
{
    json_t *object;

    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    CAPTURE(LOG_WARN("queue_paused", LOG_STRING("queue", "ocr"), LOG_INT("shard", -3),
                     LOG_STRING("absent", NULL)));
    object = parse();
    assert_string_equal(string_of(object, "level"), "warn");
    assert_string_equal(string_of(object, "event"), "queue_paused");
    assert_string_equal(string_of(object, "queue"), "ocr");
    assert_int_equal(json_integer_value(json_object_get(object, "shard")), -3);
    assert_null(json_object_get(object, "absent"));
    assert_int_equal(strlen(string_of(object, "time")), strlen("2026-01-31T12:00:00.123Z"));
    json_decref(object);
}

static void test_json_survives_whatever_bytes_a_string_has(void **state)
{
    char bytes[256];
    json_t *object;

    (void)state;
    for (int i = 1; i < 256; i++)
        bytes[i - 1] = (char)i;
    bytes[255] = '\0';
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    CAPTURE(LOG_INFO("odd", LOG_STRING("bytes", bytes),
                     LOG_STRING("text", "a\"b\\c\nd\te\xc2\x85\xc3\xa9 \xf0\x9f\x98\x80")));
    object = parse();
    assert_string_equal(string_of(object, "text"),
                        "a\"b\\c\nd\te\xc2\x85\xc3\xa9 \xf0\x9f\x98\x80");
    assert_memory_equal(string_of(object, "bytes"), "\x01\x02\x03\x04\x05\x06\x07\x08\t\n", 10);
    assert_non_null(strstr(string_of(object, "bytes"), "~\x7f\xef\xbf\xbd"));
    json_decref(object);
}

static void test_a_line_too_long_says_that_it_is_truncated_and_stays_whole(void **state)
{
    char bytes[3000];
    json_t *object;

    (void)state;
    memset(bytes, 'x', sizeof bytes - 1);
    bytes[sizeof bytes - 1] = '\0';
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    CAPTURE(LOG_INFO("long", LOG_STRING("one", bytes)));
    object = parse();
    assert_int_equal(strlen(string_of(object, "one")), 2048);
    assert_null(json_object_get(object, "truncated"));
    json_decref(object);

    memset(bytes, 1, sizeof bytes - 1); /* six times as long when escaped */
    CAPTURE(LOG_INFO("long", LOG_INT("before", 1), LOG_STRING("one", bytes), LOG_INT("after", 2)));
    object = parse();
    assert_null(json_object_get(object, "one"));
    assert_int_equal(json_integer_value(json_object_get(object, "before")), 1);
    assert_int_equal(json_integer_value(json_object_get(object, "after")), 2);
    assert_true(json_is_true(json_object_get(object, "truncated")));
    json_decref(object);
}

static void test_text_is_for_people_and_quotes_what_needs_it(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    CAPTURE(LOG_ERROR("store_failed", LOG_STRING("call", "commit"), LOG_INT("code", 5),
                      LOG_STRING("error", "Input/output error"), LOG_STRING("none", ""),
                      LOG_STRING("sly", "a\nb=c")));
    assert_non_null(strstr(line,
                           "Z error store_failed call=commit code=5 error=\"Input/output error\" "
                           "none=\"\" sly=\"a\\nb=c\"\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_events_below_the_level_are_not_written(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    CAPTURE(LOG_INFO("quiet", LOG_INT("n", 1)));
    assert_string_equal(line, "");
    CAPTURE(LOG_WARN("heard", LOG_INT("n", 1)));
    assert_non_null(strstr(line, "heard n=1"));
}

static void test_auto_is_json_where_stderr_is_no_terminal(void **state)
{
    (void)state;
    CAPTURE(log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_AUTO); LOG_DEBUG("e", LOG_INT("n", 1)));
    json_decref(parse());
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_json_is_one_object_a_line_with_typed_fields),
        cmocka_unit_test(test_json_survives_whatever_bytes_a_string_has),
        cmocka_unit_test(test_a_line_too_long_says_that_it_is_truncated_and_stays_whole),
        cmocka_unit_test(test_text_is_for_people_and_quotes_what_needs_it),
        cmocka_unit_test(test_events_below_the_level_are_not_written),
        cmocka_unit_test(test_auto_is_json_where_stderr_is_no_terminal),
    };

    return cmocka_run_group_tests_name("log", cases, NULL, NULL);
}
