/* SPDX-License-Identifier: Apache-2.0 */
/*
 * man.c -- the man pages, written by ackctl itself while it is built: `ackctl __man DIR` makes
 * ackctl.1 and one page a command, such as ackctl-queue-create.1, from the command table.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ackd/version.h"
#include "cli/cli.h"
#include "cli/describe.h"

/* Text as roff shows it: backslashes and dashes as themselves, no line taken for a request, and
 * what a user types in bold. */
static void print_text(FILE *out, struct slice text)
{
    bool is_bold = false;

    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];

        if (i == 0 || text.data[i - 1] == '\n')
            fputs("\\&", out);
        if (c == '`') {
            is_bold = !is_bold;
            fputs(is_bold ? "\\fB" : "\\fR", out);
        } else if (c == '\\') {
            fputs("\\e", out);
        } else if (c == '-') {
            fputs("\\-", out);
        } else {
            fputc(c, out);
        }
    }
    fputc('\n', out);
}

static void print_string(FILE *out, const char *text)
{
    print_text(out, slice_of_string(text));
}

static void print_paragraph(void *context, struct slice paragraph, bool is_literal)
{
    FILE *out = context;

    fputs(is_literal ? ".PP\n.nf\n" : ".PP\n", out);
    print_text(out, paragraph);
    if (is_literal)
        fputs(".fi\n", out);
}

static void print_options(const char *title, const struct option_spec *specs, FILE *out)
{
    if (specs == NULL)
        return;
    fprintf(out, ".SH \"%s\"\n", title);
    for (; specs->name != NULL; specs++) {
        struct buffer label = BUFFER_EMPTY;
        struct buffer text = BUFFER_EMPTY;

        describe_option(specs, &label);
        describe_option_text(specs, &text);
        fputs(".TP\n", out);
        print_text(out, buffer_view(&label));
        print_text(out, buffer_view(&text));
        buffer_deinit(&label);
        buffer_deinit(&text);
    }
}

static void print_examples(const struct example *examples, FILE *out)
{
    if (examples == NULL)
        return;
    fputs(".SH EXAMPLES\n", out);
    for (; examples->line != NULL; examples++) {
        fputs(".TP\n", out);
        print_string(out, examples->line);
        print_string(out, examples->text);
    }
}

static void print_exit_codes(FILE *out)
{
    fputs(".SH \"EXIT STATUS\"\n", out);
#define X(name, number, text) fprintf(out, ".TP\n%d\n\\&%s\n", number, text);
    EXIT_CODES(X)
#undef X
}

static void print_arguments(const struct argument_spec *specs, FILE *out)
{
    if (specs == NULL)
        return;
    fputs(".SH ARGUMENTS\n", out);
    for (; specs->name != NULL; specs++) {
        fputs(".TP\n", out);
        print_string(out, specs->name);
        print_string(out, specs->text);
    }
}

static void page_name(const struct command *command, char *name, size_t size)
{
    snprintf(name, size, "ackctl-%s", command->name);
    for (char *at = name; *at != '\0'; at++)
        if (*at == ' ')
            *at = '-';
}

static void print_head(FILE *out, const char *title, const char *summary)
{
    fprintf(out, ".TH \"%s\" 1 \"\" \"ackd %s\" \"ackd\"\n.SH NAME\n", title, ACKD_VERSION);
    print_string(out, title);
    fputs("\\- ", out);
    print_string(out, summary);
    fputs(".SH SYNOPSIS\n", out);
}

static void print_command_page(const struct command *command, FILE *out)
{
    struct buffer arguments = BUFFER_EMPTY;
    char title[80];

    page_name(command, title, sizeof title);
    print_head(out, title, command->summary);
    describe_arguments(command, &arguments);
    fprintf(out, ".B ackctl %s\n[options]\n", command->name);
    if (arguments.size > 0)
        print_text(out, buffer_view(&arguments));
    buffer_deinit(&arguments);
    if (command->description != NULL) {
        fputs(".SH DESCRIPTION\n", out);
        describe_paragraphs(command->description, print_paragraph, out);
    }
    print_arguments(command->arguments, out);
    print_options("OPTIONS", command->options, out);
    print_options("GLOBAL OPTIONS", global_options, out);
    print_examples(command->examples, out);
    print_exit_codes(out);
    fputs(".SH \"SEE ALSO\"\n.BR ackctl (1)\n", out);
}

static void print_overview_page(FILE *out)
{
    print_head(out, "ackctl", "the command line of the ackd work-queue broker");
    fputs(".B ackctl\n", out);
    print_string(out, "COMMAND [options] [arguments]");
    fputs(".SH DESCRIPTION\n", out);
    print_string(out,
                 "Publishes datasets to an ackd broker, watches the work, fetches the results. "
                 "Each command has a page of its own, such as ackctl-publish(1).");
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (commands[i]->is_hidden)
            continue;
        fprintf(out, ".TP\n.B %s\n", commands[i]->name);
        print_string(out, commands[i]->summary);
    }
    print_options("GLOBAL OPTIONS", global_options, out);
    print_exit_codes(out);
}

static enum exit_code tell_unwritten(const char *path)
{
    complain("%s can't be written: %s", path, strerror(errno));
    return EXIT_REFUSED;
}

/* `command` NULL: the overview. Renamed into place, so that the directory's time tells build tools
 * that its pages are new. */
static enum exit_code write_page(const char *directory, const char *name,
                                 const struct command *command)
{
    char path[4096], temporary[4096 + 8];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s.1", directory, name);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    out = fopen(temporary, "we");
    if (out == NULL)
        return tell_unwritten(temporary);
    if (command == NULL)
        print_overview_page(out);
    else
        print_command_page(command, out);
    if (fclose(out) != 0 || rename(temporary, path) != 0)
        return tell_unwritten(path);
    return EXIT_OK;
}

static enum exit_code run(struct cli *cli)
{
    const char *directory = cli_argument(cli, 0);
    enum exit_code code;

    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return tell_unwritten(directory);
    code = write_page(directory, "ackctl", NULL);
    for (size_t i = 0; commands[i] != NULL && code == EXIT_OK; i++) {
        char name[80];

        if (commands[i]->is_hidden)
            continue;
        page_name(commands[i], name, sizeof name);
        code = write_page(directory, name, commands[i]);
    }
    return code;
}

const struct command command_man = {
    .name = "__man",
    .summary = "writes the man pages",
    .arguments =
        (const struct argument_spec[]){{"DIR", ARGUMENT_ONE, ARGUMENT_PATH, "where the pages go"},
                                       {NULL}},
    .is_hidden = true,
    .run = run,
};
