/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c -- an event becomes one line and one write(2).
 *
 *   text  2026-01-31 12:00:00.123Z info  queue_created queue=ocr shard=0
 *   json  {"time":"2026-01-31T12:00:00.123Z","level":"info","event":"queue_created",
 *          "queue":"ocr","shard":0}
 *
 * The line is built on the stack, so that logging needs no memory and can report that there is
 * none. A field that finds no room any more is left out whole, and `truncated` says so; a string
 * is cut at STRING_MAX bytes. Whatever the bytes of a string, the line is valid UTF-8 and one line:
 * control characters are escaped, and what is no UTF-8 becomes U+FFFD.
 *
 * The two settings are the process's, as stderr is: written once, before other threads run.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/slice.h"

enum { STRING_MAX = 2048, TAIL_ROOM = 32 /* "truncated", '}' and '\n' */ };

struct line {
    char *text; /* LOG_LINE_BYTES */
    size_t size;
    size_t size_max;
    bool json;
    bool overflowed; /* something found no room */
};

static enum log_level setup_level = LOG_LEVEL_INFO;
static bool setup_json;

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

static void put_head(struct line *line, const char *level, const char *event);
static void put_field(struct line *line, const struct log_field *field);
static void put_value(struct line *line, const struct log_field *field);
static void put_tail(struct line *line, bool truncated);
static bool is_plain(struct slice text);
static void put_quoted(struct line *line, struct slice text);
static void put_escaped(struct line *line, struct slice *text);
static void put_bytes(struct line *line, const char *bytes, size_t size);
static void put_printf(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void write_all(const char *text, size_t size);

void log_setup(enum log_level level_min, enum log_format format)
{
    setup_level = level_min;
    setup_json =
        format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO) == 0);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t field_count)
{
    char line[LOG_LINE_BYTES];

    if (level < setup_level)
        return;
    write_all(line, log_write_line(line, LOG_FORMAT_AUTO, level_names[level], event, fields,
                                   field_count));
}

size_t log_write_line(char ret_line[LOG_LINE_BYTES], enum log_format format, const char *level,
                      const char *event, const struct log_field *fields, size_t field_count)
{
    struct line line = {.text = ret_line,
                        .size_max = LOG_LINE_BYTES - TAIL_ROOM,
                        .json = format == LOG_FORMAT_AUTO ? setup_json : format == LOG_FORMAT_JSON};
    bool truncated = false;

    put_head(&line, level, event);
    for (size_t i = 0; i < field_count; i++) {
        size_t size_before = line.size;

        if (fields[i].kind == LOG_FIELD_STRING && fields[i].string == NULL)
            continue;
        put_field(&line, &fields[i]);
        if (line.overflowed) {
            line.size = size_before;
            line.overflowed = false;
            truncated = true;
        }
    }
    put_tail(&line, truncated);
    return line.size;
}

static void put_head(struct line *line, const char *level, const char *event)
{
    int64_t now_ms = clock_wall_ms();
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm parts;
    char day[16];
    char hour[16];

    (void)gmtime_r(&now_s, &parts);
    (void)strftime(day, sizeof day, "%Y-%m-%d", &parts);
    (void)strftime(hour, sizeof hour, "%H:%M:%S", &parts);
    if (line->json)
        put_printf(line, "{\"time\":\"%sT%s.%03dZ\",\"level\":\"%s\",\"event\":\"%s\"", day, hour,
                   (int)(now_ms % 1000), level, event);
    else
        put_printf(line, "%s %s.%03dZ %-5s %s", day, hour, (int)(now_ms % 1000), level, event);
}

static void put_field(struct line *line, const struct log_field *field)
{
    if (line->json)
        put_printf(line, ",\"%s\":", field->name);
    else
        put_printf(line, " %s=", field->name);
    put_value(line, field);
}

static void put_value(struct line *line, const struct log_field *field)
{
    struct slice text;

    if (field->kind == LOG_FIELD_INT) {
        put_printf(line, "%lld", (long long)field->integer);
        return;
    }
    text = slice_of(field->string, strnlen(field->string, STRING_MAX));
    if (!line->json && is_plain(text))
        put_bytes(line, field->string, text.size);
    else
        put_quoted(line, text);
}

/* There is always room for it (TAIL_ROOM). */
static void put_tail(struct line *line, bool truncated)
{
    line->size_max = LOG_LINE_BYTES;
    if (truncated)
        put_printf(line, "%s", line->json ? ",\"truncated\":true" : " truncated=true");
    put_printf(line, "%s", line->json ? "}\n" : "\n");
}

/* Whether a value may stand in a text line as it is. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];

        if (byte <= ' ' || byte == '"' || byte == '\\' || byte == '=' || byte >= 0x7f)
            return false;
    }
    return text.size > 0;
}

static void put_quoted(struct line *line, struct slice text)
{
    put_bytes(line, "\"", 1);
    while (text.size > 0)
        put_escaped(line, &text);
    put_bytes(line, "\"", 1);
}

/* Moves the first character of *text to the line as a JSON string has it. */
static void put_escaped(struct line *line, struct slice *text)
{
    uint32_t character = 0;
    size_t size = utf8_first(*text, &character);

    if (size == 0)
        put_bytes(line, "\xef\xbf\xbd", 3);
    else if (character == '"' || character == '\\')
        put_printf(line, "\\%c", (char)character);
    else if (character == '\n')
        put_bytes(line, "\\n", 2);
    else if (character < 0x20 || (character >= 0x7f && character < 0xa0))
        put_printf(line, "\\u%04x", (unsigned)character);
    else
        put_bytes(line, (const char *)text->data, size);
    size = size == 0 ? 1 : size;
    *text = slice_of(text->data + size, text->size - size);
}

static void put_bytes(struct line *line, const char *bytes, size_t size)
{
    if (size > line->size_max - line->size) {
        line->overflowed = true;
        return;
    }
    memcpy(line->text + line->size, bytes, size);
    line->size += size;
}

static void put_printf(struct line *line, const char *format, ...)
{
    char text[256];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof text)
        line->overflowed = true;
    else
        put_bytes(line, text, (size_t)size);
}

/* A log that can't be written has nobody to tell. */
static void write_all(const char *text, size_t size)
{
    int error_before = errno;

    while (size > 0) {
        ssize_t written = write(STDERR_FILENO, text, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break;
        text += written;
        size -= (size_t)written;
    }
    errno = error_before;
}
