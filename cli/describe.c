/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe.c -- the phrases of the command table.
 */
#include "cli/describe.h"

#include <string.h>

void describe_arguments(const struct command *command, struct buffer *out)
{
    static const struct {
        const char *before;
        const char *after;
    } marks[] = {
        [ARGUMENT_ONE] = {"", ""},
        [ARGUMENT_OPTIONAL] = {"[", "]"},
        [ARGUMENT_SOME] = {"", "..."},
        [ARGUMENT_ANY] = {"[", "...]"},
        [ARGUMENT_COMMAND] = {"-- ", " [ARG...]"},
    };

    for (const struct argument_spec *spec = command->arguments; spec != NULL && spec->name != NULL;
         spec++)
        buffer_append_printf(out, "%s%s%s%s", spec == command->arguments ? "" : " ",
                             marks[spec->count].before, spec->name, marks[spec->count].after);
}

void describe_option(const struct option_spec *spec, struct buffer *out)
{
    if (spec->letter != 0)
        buffer_append_printf(out, "-%c, ", spec->letter);
    buffer_append_printf(out, "--%s", spec->name);
    if (spec->argument != NULL)
        buffer_append_printf(out, " %s", spec->argument);
}

void describe_option_text(const struct option_spec *spec, struct buffer *out)
{
    const char *separator = " (";

    buffer_append_string(out, spec->text);
    if (spec->type == OPTION_LIST) {
        buffer_append_printf(out, "%smay be repeated", separator);
        separator = "; ";
    }
    if (spec->environment != NULL) {
        buffer_append_printf(out, "%senvironment: %s", separator, spec->environment);
        separator = "; ";
    }
    if (spec->fallback != NULL) {
        buffer_append_printf(out, "%sdefault: %s", separator, spec->fallback);
        separator = "; ";
    }
    if (separator[0] == ';')
        buffer_append_string(out, ")");
}

void describe_paragraphs(const char *description,
                         void (*each)(void *context, struct slice paragraph, bool is_literal),
                         void *context)
{
    while (*description != '\0') {
        const char *end = strstr(description, "\n\n");
        size_t length = end == NULL ? strlen(description) : (size_t)(end - description);

        each(context, slice_of(description, length), description[0] == ' ');
        description += length;
        description += strspn(description, "\n");
    }
}
