/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_publish.c -- `ackctl publish`: a dataset becomes tasks, one a row or a file.
 *
 * It may be stopped at any place and run again: the tasks' IDs are the same each time, and the
 * broker knows those that it has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/traceparent.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/path.h"
#include "cli/publish/publisher.h"
#include "cli/rows/rows.h"
#include "cli/units.h"

static void print_summary_json(const struct publisher *self)
{
    const struct sender *sender = &self->sender;

    printf("{\"rows\":%lld,\"tasks\":%lld,\"stored\":%lld,\"duplicates\":%lld,"
           "\"confirmed\":%lld,\"refused\":%lld,\"invalid\":%lld}\n",
           (long long)self->rows, (long long)self->tasks, (long long)sender->stored,
           (long long)sender->duplicates, (long long)sender->confirmed, (long long)sender->refused,
           (long long)self->invalid);
}

static void append_count(struct buffer *out, int64_t count, const char *what)
{
    struct text text;

    if (count > 0)
        buffer_append_printf(out, ", %s %s", units_count(&text, count), what);
}

static void say_summary(const struct publisher *self)
{
    struct buffer line = BUFFER_EMPTY;
    struct text text;

    if (self->is_dry) {
        buffer_append_printf(&line, "%s tasks would be published", units_count(&text, self->tasks));
    } else {
        buffer_append_printf(&line, "%s stored", units_count(&text, self->sender.stored));
        append_count(&line, self->sender.duplicates, "were there already");
        append_count(&line, self->sender.confirmed, "confirmed after a lost reply");
        append_count(&line, self->sender.refused, "refused");
    }
    append_count(&line, self->invalid, self->invalid == 1 ? "invalid row" : "invalid rows");
    cli_say(self->cli, "%s", buffer_string(&line));
    buffer_deinit(&line);
}

static void report(struct publisher *self, enum exit_code code)
{
    progress_step_aside(&self->progress);
    if (self->is_dry && !self->cli->is_json && table_row_count(&self->dry_table) > 0)
        table_print(&self->dry_table);
    if (self->cli->is_json && !self->is_dry)
        print_summary_json(self);
    else
        say_summary(self);
    if (interrupt_came() || code == EXIT_NOT_REACHED)
        cli_say(self->cli, "%s Run the same command again: it publishes only what is missing.",
                interrupt_came() ? "Stopped." : "Not all is published.");
}

/* Two files of one name would give their rows the same IDs. */
static enum exit_code check_names(const struct cli *cli)
{
    for (size_t i = 1; i < cli->argument_count; i++)
        for (size_t j = 1; j < i; j++)
            if (strcmp(path_base_name(cli->arguments[i]), path_base_name(cli->arguments[j])) == 0)
                return cli_usage_error(cli,
                                       "%s and %s have the same name, which makes their rows' "
                                       "IDs: give --id FIELD, or publish them one by one with a "
                                       "--dataset each",
                                       cli->arguments[j], cli->arguments[i]);
    return EXIT_OK;
}

static enum exit_code check_files(const struct cli *cli)
{
    if (cli->argument_count > 1)
        return cli_usage_error(cli, "give FILEs or --files, not both");
    if (cli_given(cli, "id") || cli_given(cli, "payload"))
        return cli_usage_error(cli, "with --files the ID is the path and the payload the file; "
                                    "--id and --payload go with rows");
    if (cli_given(cli, "rows-per-task"))
        return cli_usage_error(cli, "--rows-per-task goes with rows, not with --files");
    if (cli_flag(cli, "path") && cli_flag(cli, "content"))
        return cli_usage_error(cli, "give --path or --content, not both");
    return EXIT_OK;
}

static enum exit_code check_formats(const struct cli *cli)
{
    for (size_t i = 1; i < cli->argument_count; i++)
        if (rows_format_of(cli_text(cli, "format"), cli->arguments[i]) == NULL)
            return cli_usage_error(cli,
                                   "the ending of %s does not tell its format: give --format "
                                   "jsonl, csv or lines; or --files for a file a task",
                                   cli->arguments[i]);
    return EXIT_OK;
}

/* One that only lies in the environment is left out if it is malformed. */
static enum exit_code check_traceparent(const struct cli *cli)
{
    const char *text = cli_text(cli, "traceparent");
    const char *inherited = getenv("TRACEPARENT");

    if (text == NULL || traceparent_is_valid(slice_of_string(text)) ||
        (inherited != NULL && strcmp(text, inherited) == 0))
        return EXIT_OK;
    return cli_usage_error(cli,
                           "--traceparent \"%s\" is not of the form "
                           "00-TRACE-PARENT-FLAGS, of 32, 16 and 2 hexadecimal digits in "
                           "lower case",
                           text);
}

static enum exit_code check_options(const struct cli *cli)
{
    enum exit_code code = check_traceparent(cli);

    if (code != EXIT_OK)
        return code;
    if (cli_given(cli, "files"))
        return check_files(cli);
    if (cli_flag(cli, "path") || cli_flag(cli, "content"))
        return cli_usage_error(cli, "--path and --content go with --files");
    if (cli_number(cli, "rows-per-task") > 1 && (cli_given(cli, "id") || cli_given(cli, "payload")))
        return cli_usage_error(cli, "a task of several rows has no field for --id or --payload");
    code = check_formats(cli);
    return code == EXIT_OK && !cli_given(cli, "id") ? check_names(cli) : code;
}

static enum exit_code run(struct cli *cli)
{
    enum exit_code code = check_options(cli);
    struct publisher *self;

    if (code != EXIT_OK)
        return code;
    self = cli_alloc(cli, sizeof *self);
    publisher_init(self, cli);
    if (!self->is_dry)
        code = sender_find_queue(&self->sender, cli_flag(cli, "create"));
    if (code == EXIT_OK) {
        interrupt_watch();
        code = publisher_run(self);
        report(self, code);
        if (code == EXIT_OK && (self->invalid > 0 || self->sender.refused > 0))
            code = EXIT_REFUSED;
    }
    publisher_deinit(self);
    return code;
}

static const struct option_spec options[] = {
    {"format", 'f', OPTION_CHOICE, "auto|jsonl|csv|lines", "auto",
     "of the rows; auto: by the file's ending, stdin as jsonl"},
    {"id", 0, OPTION_TEXT, "FIELD", NULL,
     "the field that is the task ID; without it the ID is made from the row's place and content"},
    {"payload", 0, OPTION_TEXT, "FIELD", NULL,
     "the field that is the payload; without it: the whole row"},
    {"attr", 0, OPTION_LIST, "FIELD|KEY=VALUE", NULL,
     "an attribute: the row's FIELD under its own name, or VALUE for every task"},
    {"traceparent", 0, OPTION_TEXT, "TEXT", NULL,
     "the trace that the tasks belong to, as W3C Trace Context writes it: their attribute "
     "traceparent, unless --attr gives them one",
     0, 0, "TRACEPARENT"},
    {"dataset", 0, OPTION_TEXT, "NAME", NULL,
     "which dataset the tasks belong to; without it: the file's name, with --files the folder's"},
    {"files", 0, OPTION_LIST, "GLOB", NULL,
     "a file a task; the ID is the path; a directory stands for all files below it"},
    {"content", 0, OPTION_FLAG, NULL, NULL,
     "with --files: the payload is the file's content, as it is without saying"},
    {"path", 0, OPTION_FLAG, NULL, NULL, "with --files: the payload is the file's path"},
    {"rows-per-task", 0, OPTION_NUMBER, "N", "1", "join so many rows, a line each, into one task",
     1, 1000000},
    {"priority", 'p', OPTION_NUMBER, "N", "0", "9 is served first", 0, 9},
    {"delay", 0, OPTION_DURATION, "TIME", "0", "not served before", 0, 31536000000},
    {"create", 0, OPTION_FLAG, NULL, NULL, "make the queue if it is missing"},
    {"skip-invalid", 0, OPTION_FLAG, NULL, NULL,
     "name rows that can't be tasks and go on; the exit code is 1 in the end"},
    {"dry-run", 'n', OPTION_FLAG, NULL, NULL, "read everything, publish nothing"},
    {"retry-for", 0, OPTION_DURATION, "TIME", "5m",
     "how long to wait for a broker that went away in the middle", 0, 604800000},
    {NULL},
};

const struct command command_publish = {
    .name = "publish",
    .summary = "turn a dataset into tasks, one a row or a file",
    .description =
        "Reads JSONL, CSV with a header (a row becomes a JSON object of strings) or plain lines, "
        "from FILEs or stdin, or takes whole files with `--files`.\n\n"
        "Run it again after Ctrl-C, after a crash or with more rows: it publishes only what is "
        "missing, since each task has the same ID each time and the broker keeps one task an ID. "
        "`--id` names the field that holds the ID. Without it the ID is `NAME:ROW:CHECKSUM`, such "
        "as `pages.jsonl:000123:1a2b3c4d`, where NAME is the file's name (`DATASET/NAME` if the "
        "dataset is called otherwise): a row whose content or number changed is another task. A "
        "broker that goes away in the middle is waited for.\n\n"
        "A field is named as in the row; `meta.id` is the field id in the object meta. A field "
        "that is no string becomes its JSON. A row without the field of an attribute goes without "
        "that attribute; one without the field of the ID or payload is invalid.\n\n"
        "An invalid row is named by file, line and column. The rows before it are published, and "
        "the run ends with exit code 1, unless `--skip-invalid` is given. Blank lines are no rows.",
    .arguments =
        (const struct argument_spec[]){
            {"QUEUE", ARGUMENT_ONE, ARGUMENT_QUEUE, "the queue's name"},
            {"FILE", ARGUMENT_ANY, ARGUMENT_PATH, "files of rows; none or - is stdin"},
            {NULL}},
    .options = options,
    .examples =
        (const struct example[]){
            {"ackctl publish pages pages.jsonl --id url --create",
             "one task a row, known by its URL"},
            {"ackctl publish ocr --files 'scans/*.png' --path", "one task an image, by path"},
            {"ackctl publish embed docs.csv --payload text --attr lang",
             "the column text as payload, lang as attribute"},
            {"zcat big.jsonl.gz | ackctl publish embed - --dataset big --rows-per-task 64",
             "64 rows a task from stdin"},
            {NULL, NULL}},
    .run = run,
};
