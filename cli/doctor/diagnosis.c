/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diagnosis.c -- what a check says.
 *
 * Lines are of bounded length and quote paths and names, while JSON takes only well-formed UTF-8:
 * bytes that are none, or a character cut in two, become '?'.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "cli/doctor/patient.h"

static void make_line(char *line, size_t size_max, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

void say(struct diagnosis *self, enum finding finding, const char *advice, const char *format, ...)
{
    va_list args;

    self->finding = finding;
    self->advice = advice;
    va_start(args, format);
    make_line(self->text, sizeof self->text, format, args);
    va_end(args);
}

void say_failed(struct diagnosis *self, const char *denied, const struct error *error)
{
    bool may_not =
        error->status == STATUS_UNAUTHENTICATED || error->status == STATUS_PERMISSION_DENIED;

    say(self, BAD, may_not ? denied : "Look into its log, and at what is between it and you.", "%s",
        error->message);
}

void say_detail(struct patient *patient, struct diagnosis *self, const char *format, ...)
{
    const char **longer = CLI_ARRAY(patient->cli, self->detail_count + 1, const char *);
    char text[512];
    char *copy;
    va_list args;

    va_start(args, format);
    make_line(text, sizeof text, format, args);
    va_end(args);
    copy = cli_alloc(patient->cli, strlen(text) + 1);
    memcpy(copy, text, strlen(text) + 1);
    if (self->detail_count > 0)
        memcpy(longer, self->details, self->detail_count * sizeof *longer);
    longer[self->detail_count++] = copy;
    self->details = longer;
}

static void make_line(char *line, size_t size_max, const char *format, va_list args)
{
    if (vsnprintf(line, size_max, format, args) < 0)
        line[0] = '\0';
    while (*line != '\0') {
        uint32_t character;
        size_t size = utf8_first(slice_of_string(line), &character);

        if (size == 0)
            *line = '?';
        line += size == 0 ? 1 : size;
    }
}
