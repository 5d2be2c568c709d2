/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.c -- `--help` and `ackctl help`, wrapped to 80 columns.
 */
#include "cli/help.h"

#include <string.h>

#include "cli/describe.h"

#define WIDTH 80

/* Prints words up to WIDTH; the first line goes on at `column`, the others begin at `indent`. */
static void print_wrapped(FILE *out, struct slice text, size_t column, size_t indent)
{
    size_t at = 0;
    bool is_first = true;

    while (at < text.size) {
        size_t end = at;

        while (end < text.size && text.data[end] != ' ' && text.data[end] != '\n')
            end++;
        if (!is_first && column + 1 + (end - at) > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            is_first = true;
        }
        fprintf(out, "%s%.*s", is_first ? "" : " ", (int)(end - at), text.data + at);
        column += (end - at) + (is_first ? 0 : 1);
        is_first = false;
        at = end + 1;
    }
    fputc('\n', out);
}

static void print_entry(FILE *out, const char *label, size_t indent, struct slice text)
{
    size_t length = strlen(label);

    fprintf(out, "  %s", label);
    if (length + 4 > indent)
        fprintf(out, "\n%*s", (int)indent, "");
    else
        fprintf(out, "%*s", (int)(indent - length - 2), "");
    print_wrapped(out, text, indent, indent);
}

static void print_paragraph(void *context, struct slice paragraph, bool is_literal)
{
    FILE *out = context;

    fputc('\n', out);
    if (is_literal)
        fprintf(out, "%.*s\n", (int)paragraph.size, paragraph.data);
    else
        print_wrapped(out, paragraph, 0, 0);
}

static void print_options(const char *title, const struct option_spec *specs, FILE *out)
{
    if (specs == NULL)
        return;
    fprintf(out, "\n%s:\n", title);
    for (; specs->name != NULL; specs++) {
        struct buffer label = BUFFER_EMPTY;
        struct buffer text = BUFFER_EMPTY;

        describe_option(specs, &label);
        describe_option_text(specs, &text);
        print_entry(out, buffer_string(&label), 28, buffer_view(&text));
        buffer_deinit(&label);
        buffer_deinit(&text);
    }
}

static void print_arguments(const struct argument_spec *specs, FILE *out)
{
    if (specs == NULL)
        return;
    fputs("\nArguments:\n", out);
    for (; specs->name != NULL; specs++)
        print_entry(out, specs->name, 28, slice_of_string(specs->text));
}

static void print_examples(const struct example *examples, FILE *out)
{
    if (examples == NULL)
        return;
    fputs("\nExamples:\n", out);
    for (; examples->line != NULL; examples++)
        fprintf(out, "  %s\n      %s\n", examples->line, examples->text);
}

void help_print_command(const struct command *command, FILE *out)
{
    struct buffer arguments = BUFFER_EMPTY;

    describe_arguments(command, &arguments);
    fprintf(out, "Usage: ackctl %s [options]%s%s\n\n", command->name,
            arguments.size == 0 ? "" : " ", buffer_string(&arguments));
    buffer_deinit(&arguments);
    fprintf(out, "%c%s.\n", command->summary[0] - 'a' + 'A', command->summary + 1);
    if (command->description != NULL)
        describe_paragraphs(command->description, print_paragraph, out);
    print_arguments(command->arguments, out);
    print_options("Options", command->options, out);
    print_options("Global options", global_options, out);
    print_examples(command->examples, out);
}

static void print_line(const char *name, const char *summary, FILE *out)
{
    print_entry(out, name, 20, slice_of_string(summary));
}

void help_print_group(const struct command_group *group, FILE *out)
{
    fprintf(out, "Usage: ackctl %s COMMAND [options] [arguments]\n\n%c%s.\n\nCommands:\n",
            group->name, group->summary[0] - 'a' + 'A', group->summary + 1);
    for (size_t i = 0; commands[i] != NULL; i++)
        if (command_is_in_group(commands[i], group))
            print_line(commands[i]->name, commands[i]->summary, out);
    fprintf(out, "\n`ackctl help %s COMMAND` tells more of each.\n", group->name);
}

static void print_exit_codes(FILE *out)
{
    fputs("\nExit codes:\n", out);
#define X(name, number, text) fprintf(out, "  %-4d%s\n", number, text);
    EXIT_CODES(X)
#undef X
}

void help_print_overview(FILE *out)
{
    fputs("Usage: ackctl COMMAND [options] [arguments]\n\n"
          "Publishes datasets to an ackd broker, watches the work, fetches the results.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++)
        if (!commands[i]->is_hidden)
            print_line(commands[i]->name, commands[i]->summary, out);
    print_options("Global options", global_options, out);
    print_exit_codes(out);
    fputs("\n`ackctl help COMMAND` tells more of each.\n", out);
}
