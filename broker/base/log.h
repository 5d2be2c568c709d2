/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h -- log events: a level, an event name, typed fields.
 *
 *   LOG_INFO("queue_created", LOG_STRING("queue", name), LOG_INT("shard", shard));
 *
 * A terminal gets one line of text an event, anything else one JSON object a line, on stderr.
 * Event and field names are snake_case and stay the same: people alert on them. Payloads and
 * secrets are never logged. Thread-safe: an event is one write(2).
 */
#ifndef ACKD_BASE_LOG_H
#define ACKD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *name;
    enum { LOG_FIELD_STRING, LOG_FIELD_INT } kind;
    const char *string; /* copied before log_event returns; NULL is left out */
    int64_t integer;
};

#define LOG_STRING(name_, value_) ((struct log_field){(name_), LOG_FIELD_STRING, (value_), 0})
#define LOG_INT(name_, value_) ((struct log_field){(name_), LOG_FIELD_INT, NULL, (int64_t)(value_)})

#define LOG_LINE_BYTES 8192

/* Once, before other threads run. AUTO: text if stderr is a terminal. */
void log_setup(enum log_level level_min, enum log_format format);
void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t field_count);

/* The same for lines that go elsewhere: JSON, or with LOG_FORMAT_AUTO what log_setup came to, with
 * a word in the level's place. Returns the bytes of the line, with its '\n'. */
size_t log_write_line(char ret_line[LOG_LINE_BYTES], enum log_format format, const char *level,
                      const char *event, const struct log_field *fields, size_t field_count);

#define LOG_EVENT(level, event, ...)                                                               \
    log_event((level), (event), (const struct log_field[]){__VA_ARGS__},                           \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define LOG_DEBUG(event, ...) LOG_EVENT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...) LOG_EVENT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARN(event, ...) LOG_EVENT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_EVENT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
