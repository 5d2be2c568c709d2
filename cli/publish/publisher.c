/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher.c -- one run of `ackctl publish`.
 */
#include "cli/publish/publisher.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/path.h"
#include "cli/rows/files.h"
#include "cli/rows/rows.h"
#include "cli/units.h"

#define DRY_RUN_SHOWN 10

void publisher_init(struct publisher *self, struct cli *cli)
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

void publisher_deinit(struct publisher *self)
{
    sender_deinit(&self->sender);
    batch_deinit(&self->batch);
    buffer_deinit(&self->joined.text);
}

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
        dataset = strcmp(path, "-") == 0 ? "" : path_base_name(path);
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
    return strcmp(folder, ".") == 0 || strcmp(folder, "..") == 0 ? "" : path_base_name(folder);
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

enum exit_code publisher_run(struct publisher *self)
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
