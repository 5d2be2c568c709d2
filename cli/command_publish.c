/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_publish.c -- `ackctl publish`: a dataset becomes tasks, one a row or a file.
 *
 *   inputs -> rows (rows/) -> tasks (publish/task_maker) -> batches -> broker (publish/sender)
 *
 * It may be stopped at any place and run again: the tasks' IDs are the same each time, and the
 * broker knows those that it has.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/publish/batch.h"
#include "cli/publish/sender.h"
#include "cli/publish/task_maker.h"
#include "cli/rows/files.h"
#include "cli/rows/rows.h"
#include "cli/units.h"

#define DRY_RUN_SHOWN 10

/* Rows that wait to become one task, for --rows-per-task. Task k is made of rows k*N+1 .. k*N+N,
 * whichever of them are invalid, so that a row which is mended moves no others. */
struct joined {
    struct buffer text;
    int64_t count;
    int64_t first; /* row numbers */
    int64_t last;
    struct origin origin; /* of the first */
};

struct publisher {
    struct cli *cli;
    struct task_maker maker;
    struct batch batch;
    struct sender sender;
    struct progress progress;
    struct joined joined;
    struct table dry_table;
    bool is_dry;
    bool skips_invalid;
    int64_t rows_per_task;

    int64_t rows;    /* read, bad ones included */
    int64_t tasks;   /* made */
    int64_t invalid; /* rows that can't be tasks */
    double done;     /* of `whole`: bytes, or files */
    double whole;    /* 0: not known */
};

static void show_dry(struct publisher *self)
{
    struct text text;

    for (size_t i = 0; i < self->batch.count; i++) {
        const Ackd__V1__NewTask *task = self->batch.tasks[i];

        if (self->cli->is_json) {
            print_json(&task->base);
            continue;
        }
        if (table_row_count(&self->dry_table) == DRY_RUN_SHOWN)
            break;
        table_text(&self->dry_table, slice_of_string(task->task_id), 0);
        table_cell(&self->dry_table, "%s", units_bytes(&text, (int64_t)task->payload.len));
        table_text(&self->dry_table, slice_of(task->payload.data, task->payload.len), 60);
    }
}

/* Sends what is collected. Ends the run if tasks were refused, unless they may be skipped. */
static enum exit_code flush(struct publisher *self)
{
    enum exit_code code = EXIT_OK;

    if (self->is_dry)
        show_dry(self);
    else
        code = sender_send(&self->sender, &self->batch);
    batch_clear(&self->batch);
    progress_update(&self->progress, self->rows, self->whole > 0 ? self->done / self->whole : -1);
    if (code == EXIT_OK && self->sender.refused > 0 && !self->skips_invalid)
        code = EXIT_REFUSED;
    return code;
}

/* Names a row that can't be a task. Ends the run, unless it may be skipped. */
static enum exit_code tell_invalid(struct publisher *self, struct origin origin, int64_t column,
                                   const char *message)
{
    struct buffer text = BUFFER_EMPTY;
    enum exit_code code;

    progress_step_aside(&self->progress);
    origin_describe(origin, column, &text);
    complain("%s%s", buffer_string(&text), message);
    buffer_deinit(&text);
    self->invalid++;
    if (self->skips_invalid)
        return EXIT_OK;
    code = flush(self);
    cli_say(self->cli, "Mend the row, or give --skip-invalid to go on without such rows.");
    return code == EXIT_OK ? EXIT_REFUSED : code;
}

/* A task was added to the batch, and filled or not. */
static enum exit_code settle_task(struct publisher *self, bool is_filled, struct origin origin,
                                  const struct task_fault *fault)
{
    if (!is_filled) {
        batch_drop_last(&self->batch);
        return tell_invalid(self, origin, 0, fault->message);
    }
    self->tasks++;
    return batch_is_full(&self->batch) ? flush(self) : EXIT_OK;
}

static enum exit_code no_memory(void)
{
    complain("out of memory");
    return EXIT_REFUSED;
}

static enum exit_code publish_joined(struct publisher *self)
{
    struct joined *joined = &self->joined;
    Ackd__V1__NewTask *task;
    struct task_fault fault;
    bool ok;

    if (joined->count == 0)
        return EXIT_OK;
    task = batch_add(&self->batch, joined->origin);
    if (task == NULL || joined->text.failed)
        return no_memory();
    ok = task_maker_fill_joined(&self->maker, buffer_view(&joined->text), joined->first,
                                joined->last, task, &self->batch.arena, &fault);
    buffer_clear(&joined->text, 1 << 20);
    joined->count = 0;
    return settle_task(self, ok, joined->origin, &fault);
}

static enum exit_code join_row(struct publisher *self, const struct row *row, struct origin origin)
{
    struct joined *joined = &self->joined;
    int64_t n = self->rows_per_task;
    enum exit_code code = EXIT_OK;

    if (joined->count > 0 && (row->number - 1) / n != (joined->first - 1) / n)
        code = publish_joined(self);
    if (joined->count == 0) {
        joined->first = row->number;
        joined->origin = origin;
    }
    buffer_append(&joined->text, row->text);
    buffer_append_string(&joined->text, "\n");
    joined->last = row->number;
    joined->count++;
    return code == EXIT_OK && row->number % n == 0 ? publish_joined(self) : code;
}

static enum exit_code publish_row(struct publisher *self, const struct row *row,
                                  struct origin origin)
{
    Ackd__V1__NewTask *task;
    struct task_fault fault;

    if (self->rows_per_task > 1)
        return join_row(self, row, origin);
    task = batch_add(&self->batch, origin);
    if (task == NULL)
        return no_memory();
    return settle_task(self, task_maker_fill(&self->maker, row, task, &self->batch.arena, &fault),
                       origin, &fault);
}

static enum exit_code publish_rows(struct publisher *self, struct rows *rows)
{
    double before = self->done;
    enum exit_code code = EXIT_OK;
    struct row_fault fault;
    struct row row;

    while (code == EXIT_OK && !interrupt_came()) {
        enum rows_outcome outcome = rows_next(rows, &row, &fault);

        self->done = before + (double)rows->source.offset;
        if (outcome == ROWS_END || (outcome == ROWS_FAILED && interrupt_came()))
            break;
        self->rows += outcome != ROWS_FAILED;
        if (outcome == ROWS_ROW)
            code = publish_row(self, &row, (struct origin){rows->path, row.line});
        else
            code = tell_invalid(self, (struct origin){rows->path, fault.line}, fault.column,
                                fault.message);
        if (outcome == ROWS_FAILED)
            break;
    }
    if (interrupt_came())
        return code == EXIT_OK ? interrupt_exit_code() : code;
    if (code == EXIT_OK)
        code = publish_joined(self);
    return code == EXIT_OK ? flush(self) : code;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* A file of rows. The batch before it is gone: a request has one dataset. */
static enum exit_code publish_file(struct publisher *self, const char *path)
{
    const char *dataset = cli_text(self->cli, "dataset");
    const struct rows_format *format = rows_format_of(cli_text(self->cli, "format"), path);
    struct rows rows;
    enum exit_code code;

    if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
        cli_say(self->cli, "Reading rows from the terminal; Ctrl-D ends them.");
    if (dataset == NULL)
        dataset = strcmp(path, "-") == 0 ? "" : base_name(path);
    self->sender.dataset = dataset;
    task_maker_begin_file(&self->maker, path, dataset);
    if (!rows_open(&rows, format, path)) {
        complain("%s can't be read: %s", path, strerror(errno));
        return EXIT_REFUSED;
    }
    code = publish_rows(self, &rows);
    rows_close(&rows);
    return code;
}

static enum exit_code publish_paths(struct publisher *self, const struct file_list *list)
{
    bool by_content = !cli_flag(self->cli, "path");
    struct buffer content = BUFFER_EMPTY;
    enum exit_code code = EXIT_OK;
    struct row_fault fault;
    struct row row;

    for (size_t i = 0; i < list->count && code == EXIT_OK && !interrupt_came(); i++) {
        struct origin origin = {list->paths[i], 0};

        self->rows++;
        self->done++;
        if (file_row(list->paths[i], by_content, &content, &row, &fault) == ROWS_ROW)
            code = publish_row(self, &row, origin);
        else
            code = tell_invalid(self, origin, 0, fault.message);
    }
    buffer_deinit(&content);
    if (code == EXIT_OK && interrupt_came())
        return interrupt_exit_code();
    return code == EXIT_OK ? flush(self) : code;
}

/* "images" of "data/images/2024-*.png": the last folder before the first wildcard. */
static const char *folder_of(struct cli *cli, const char *pattern)
{
    size_t fixed = strcspn(pattern, "*?[{");
    char *folder = arena_string(&cli->arena, slice_of(pattern, fixed));
    struct stat stat_of;
    char *slash;

    if (folder == NULL)
        return "";
    if (pattern[fixed] != '\0' || stat(folder, &stat_of) != 0 || !S_ISDIR(stat_of.st_mode)) {
        slash = strrchr(folder, '/');
        if (slash == NULL)
            return "";
        *slash = '\0';
    }
    while ((slash = strrchr(folder, '/')) != NULL && slash[1] == '\0')
        *slash = '\0';
    return strcmp(folder, ".") == 0 || strcmp(folder, "..") == 0 ? "" : base_name(folder);
}

static enum exit_code publish_patterns(struct publisher *self)
{
    const char *dataset = cli_text(self->cli, "dataset");
    struct file_list list = {0};
    enum exit_code code = EXIT_OK;
    size_t count;
    const char **patterns = cli_list(self->cli, "files", &count);

    for (size_t i = 0; i < count && code == EXIT_OK; i++) {
        if (file_list_add(&list, patterns[i]))
            continue;
        complain(errno == ENOENT ? "--files %s matches no file: %s" : "--files %s: %s", patterns[i],
                 strerror(errno));
        code = EXIT_REFUSED;
    }
    self->sender.dataset = dataset == NULL ? folder_of(self->cli, patterns[0]) : dataset;
    self->whole = (double)list.count;
    if (code == EXIT_OK)
        code = publish_paths(self, &list);
    file_list_deinit(&list);
    return code;
}

/* The files' sizes together; 0 if one has none. */
static double whole_size(const struct cli *cli)
{
    double whole = 0;

    for (size_t i = 1; i < cli->argument_count; i++) {
        struct stat stat_of;

        if (stat(cli->arguments[i], &stat_of) != 0 || !S_ISREG(stat_of.st_mode))
            return 0;
        whole += (double)stat_of.st_size;
    }
    return whole;
}

static enum exit_code publish_inputs(struct publisher *self)
{
    enum exit_code code = EXIT_OK;

    if (cli_given(self->cli, "files"))
        return publish_patterns(self);
    if (self->cli->argument_count == 1)
        return publish_file(self, "-");
    self->whole = whole_size(self->cli);
    for (size_t i = 1; i < self->cli->argument_count && code == EXIT_OK; i++)
        code = publish_file(self, self->cli->arguments[i]);
    return code;
}

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
            if (strcmp(base_name(cli->arguments[i]), base_name(cli->arguments[j])) == 0)
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

static enum exit_code check_options(const struct cli *cli)
{
    enum exit_code code;

    if (cli_given(cli, "files"))
        return check_files(cli);
    if (cli_flag(cli, "path") || cli_flag(cli, "content"))
        return cli_usage_error(cli, "--path and --content go with --files");
    if (cli_number(cli, "rows-per-task") > 1 && (cli_given(cli, "id") || cli_given(cli, "payload")))
        return cli_usage_error(cli, "a task of several rows has no field for --id or --payload");
    code = check_formats(cli);
    return code == EXIT_OK && !cli_given(cli, "id") ? check_names(cli) : code;
}

static void init(struct publisher *self, struct cli *cli)
{
    static const char *const headers[] = {"TASK", ">SIZE", "PAYLOAD", NULL};

    *self = (struct publisher){.cli = cli,
                               .is_dry = cli_flag(cli, "dry-run"),
                               .skips_invalid = cli_flag(cli, "skip-invalid"),
                               .rows_per_task = cli_number(cli, "rows-per-task")};
    task_maker_init(&self->maker, cli);
    batch_init(&self->batch);
    sender_init(&self->sender, cli, &self->progress);
    progress_begin(&self->progress, cli, cli_queue(cli),
                   cli_given(cli, "files") ? "files" : "rows");
    table_begin(&self->dry_table, &cli->arena, headers);
}

static enum exit_code run(struct cli *cli)
{
    enum exit_code code = check_options(cli);
    struct publisher *self;

    if (code != EXIT_OK)
        return code;
    self = cli_alloc(cli, sizeof *self);
    init(self, cli);
    if (!self->is_dry)
        code = sender_find_queue(&self->sender, cli_flag(cli, "create"));
    if (code == EXIT_OK) {
        interrupt_watch();
        code = publish_inputs(self);
        report(self, code);
        if (code == EXIT_OK && (self->invalid > 0 || self->sender.refused > 0))
            code = EXIT_REFUSED;
    }
    sender_deinit(&self->sender);
    batch_deinit(&self->batch);
    buffer_deinit(&self->joined.text);
    return code;
}

static const struct option_spec options[] = {
    {"format", 'f', "auto|jsonl|csv|lines", OPTION_CHOICE, "auto",
     "of the rows; auto: by the file's ending, stdin as jsonl"},
    {"id", 0, "FIELD", OPTION_TEXT, NULL,
     "the field that is the task ID; without it the ID is made from the row's place and content"},
    {"payload", 0, "FIELD", OPTION_TEXT, NULL,
     "the field that is the payload; without it: the whole row"},
    {"attr", 0, "FIELD|KEY=VALUE", OPTION_LIST, NULL,
     "an attribute: the row's FIELD under its own name, or VALUE for every task"},
    {"dataset", 0, "NAME", OPTION_TEXT, NULL,
     "which dataset the tasks belong to; without it: the file's name, with --files the folder's"},
    {"files", 0, "GLOB", OPTION_LIST, NULL,
     "a file a task; the ID is the path; a directory stands for all files below it"},
    {"content", 0, NULL, OPTION_FLAG, NULL,
     "with --files: the payload is the file's content, as it is without saying"},
    {"path", 0, NULL, OPTION_FLAG, NULL, "with --files: the payload is the file's path"},
    {"rows-per-task", 0, "N", OPTION_NUMBER, "1", "join so many rows, a line each, into one task",
     1, 1000000},
    {"priority", 'p', "N", OPTION_NUMBER, "0", "9 is served first", 0, 9},
    {"delay", 0, "TIME", OPTION_DURATION, "0", "not served before", 0, 31536000000},
    {"create", 0, NULL, OPTION_FLAG, NULL, "make the queue if it is missing"},
    {"skip-invalid", 0, NULL, OPTION_FLAG, NULL,
     "name rows that can't be tasks and go on; the exit code is 1 in the end"},
    {"dry-run", 'n', NULL, OPTION_FLAG, NULL, "read everything, publish nothing"},
    {"retry-for", 0, "TIME", OPTION_DURATION, "5m",
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
