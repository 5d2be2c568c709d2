/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diagnosis.c -- what a check says.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor/patient.h"

void say(struct diagnosis *self, enum finding finding, const char *advice, const char *format, ...)
{
    va_list args;

    self->finding = finding;
    self->advice = advice;
    va_start(args, format);
    (void)vsnprintf(self->text, sizeof self->text, format, args);
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
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    copy = cli_alloc(patient->cli, strlen(text) + 1);
    memcpy(copy, text, strlen(text) + 1);
    if (self->detail_count > 0)
        memcpy(longer, self->details, self->detail_count * sizeof *longer);
    longer[self->detail_count++] = copy;
    self->details = longer;
}
