/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c -- the status table as data, and errors as sentences.
 *
 * An error's texts go to clients as proto3 strings, which must be well-formed UTF-8, and often
 * quote what a client sent: bytes that are no UTF-8, or a character cut in two, become '?'.
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/slice.h"

struct status_row {
    const char *name;
    const char *connect_code;
    const char *sentence;
    int http;
    int grpc;
    bool retryable;
};

static const struct status_row rows[STATUS_COUNT] = {
#define X(name, number, code, http, grpc, retryable, sentence)                                     \
    [number] = {#name, code, sentence, http, grpc, retryable},
    STATUS_TABLE(X)
#undef X
};

static const struct status_row *row_of(enum status status);
static void set_message(struct error *self, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void make_utf8(char *text);

const char *status_name(enum status status)
{
    return row_of(status)->name;
}

const char *status_sentence(enum status status)
{
    return row_of(status)->sentence;
}

const char *status_connect_code(enum status status)
{
    return row_of(status)->connect_code;
}

int status_http(enum status status)
{
    return row_of(status)->http;
}

int status_grpc(enum status status)
{
    return row_of(status)->grpc;
}

bool status_is_retryable(enum status status)
{
    return row_of(status)->retryable;
}

bool status_from_number(int number, enum status *ret_status)
{
    if (number < 0 || number >= STATUS_COUNT || rows[number].name == NULL)
        return false;
    *ret_status = (enum status)number;
    return true;
}

enum status error_set(struct error *self, enum status status, const char *format, ...)
{
    va_list args;

    ASSERT(status != STATUS_OK);
    *self = (struct error){.status = status};
    va_start(args, format);
    set_message(self, format, args);
    va_end(args);
    return status;
}

enum status error_limit(struct error *self, enum status status, const char *field, int64_t limit,
                        int64_t value, const char *format, ...)
{
    va_list args;

    ASSERT(status != STATUS_OK);
    *self = (struct error){.status = status, .limit = limit, .value = value};
    (void)snprintf(self->field, sizeof self->field, "%s", field == NULL ? "" : field);
    make_utf8(self->field);
    va_start(args, format);
    set_message(self, format, args);
    va_end(args);
    return status;
}

static const struct status_row *row_of(enum status status)
{
    static const struct status_row unknown = {"UNKNOWN", "unknown", "an unknown status",
                                              500,       2,         false};
    unsigned number = (unsigned)status;

    return number < STATUS_COUNT && rows[number].name != NULL ? &rows[number] : &unknown;
}

static void set_message(struct error *self, const char *format, va_list args)
{
    char *text = self->message;
    size_t size_max = sizeof self->message;

    if (format == NULL)
        (void)snprintf(text, size_max, "%s", status_sentence(self->status));
    else if (vsnprintf(text, size_max, format, args) < 0)
        text[0] = '\0';
    make_utf8(text);
}

static void make_utf8(char *text)
{
    while (*text != '\0') {
        uint32_t character;
        size_t size = utf8_first(slice_of_string(text), &character);

        if (size == 0)
            *text = '?';
        text += size == 0 ? 1 : size;
    }
}
