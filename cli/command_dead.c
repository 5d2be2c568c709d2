/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_dead.c -- `ackctl dead list|redrive|delete`: tasks that were given up.
 *
 * The broker selects by the whole text of an error. Here --error is a part of it, as one sees it in
 * the list: the letters are read, and those that match are named to the broker by their IDs.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ackd/v1/dead_letter.pb-c.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/dead_group.h"
#include "cli/output.h"
#include "cli/units.h"

#define IDS_MAX 10000 /* of one request */

/* Which letters the options ask for. */
static bool matches(const struct cli *cli, const Ackd__V1__DeadLetter *letter)
{
    const char *error = cli_text(cli, "error");
    const char *reason = cli_text(cli, "reason");

    if (letter->task == NULL)
        return false;
    return (error == NULL || strstr(letter->error, error) != NULL) &&
           (reason == NULL || strcmp(dead_reason_name(letter->reason), reason) == 0);
}

/* Calls `each` for every letter that the options ask for, until it returns false. A page's memory
 * is dropped before the next. */
static enum exit_code each_letter(struct cli *cli,
                                  bool (*each)(void *context, const Ackd__V1__DeadLetter *letter),
                                  void *context)
{
    Ackd__V1__ListDeadRequest request = ACKD__V1__LIST_DEAD_REQUEST__INIT;
    Ackd__V1__ListDeadResponse *page;
    char token[1024] = "";
    struct arena arena;
    enum exit_code code;
    bool goes_on = true;

    arena_init(&arena, (size_t)256 << 20);
    request.queue = (char *)cli_queue(cli);
    request.page_size = 1000;
    request.page_token = token;
    if (cli_text(cli, "dataset") != NULL)
        request.dataset = (char *)cli_text(cli, "dataset");
    do {
        arena_reset(&arena);
        page = broker_call(cli, "DeadLetterService", "List", &request.base,
                           &ackd__v1__list_dead_response__descriptor, &arena, 0, &code);
        if (page == NULL)
            break;
        for (size_t i = 0; goes_on && i < page->n_dead_letters; i++)
            goes_on = !matches(cli, page->dead_letters[i]) || each(context, page->dead_letters[i]);
        snprintf(token, sizeof token, "%s", page->next_page_token);
    } while (goes_on && token[0] != '\0');
    arena_deinit(&arena);
    return code;
}

static bool print_letter_json(void *context, const Ackd__V1__DeadLetter *letter)
{
    (void)context;
    print_json(&letter->base);
    return true;
}

static bool print_letter_row(void *context, const Ackd__V1__DeadLetter *letter)
{
    struct table *table = context;
    struct text text;

    table_text(table, slice_of_string(letter->task->task_id), 0);
    table_cell(table, "%s", dead_reason_name(letter->reason));
    table_cell(table, "%s", units_time(&text, letter->dead_unix_ms));
    table_cell(table, "%d", letter->task->failures);
    table_cell(table, "%d", letter->task->losses);
    table_text(table, dead_error_line(letter->error), 100);
    return true;
}

static enum exit_code list_each(struct cli *cli)
{
    static const char *const headers[] = {"TASK",    "REASON", "DIED", ">FAILURES",
                                          ">LOSSES", "ERROR",  NULL};
    struct table table;
    enum exit_code code;

    if (cli->is_json)
        return each_letter(cli, print_letter_json, NULL);
    table_begin(&table, &cli->arena, headers);
    code = each_letter(cli, print_letter_row, &table);
    if (table_row_count(&table) > 0)
        table_print(&table);
    else if (code == EXIT_OK)
        cli_say(cli, "no dead letters");
    return code;
}

static bool add_to_groups(void *context, const Ackd__V1__DeadLetter *letter)
{
    return dead_groups_add(context, letter);
}

static void print_group_json(const struct dead_group *group)
{
    json_t *json =
        json_pack("{s:s, s:s%, s:I, s:I, s:s}", "reason", dead_reason_name(group->reason), "error",
                  group->error.data, group->error.size, "count", (json_int_t)group->count,
                  "lastUnixMs", (json_int_t)group->last_unix_ms, "exampleTaskId", group->example);

    json_dumpf(json, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(json);
}

static void print_groups(struct cli *cli, struct dead_group **groups, size_t count)
{
    static const char *const headers[] = {">COUNT", "REASON", "LAST", "EXAMPLE", "ERROR", NULL};
    struct table table;
    struct text text;

    table_begin(&table, &cli->arena, headers);
    for (size_t i = 0; i < count; i++) {
        if (cli->is_json) {
            print_group_json(groups[i]);
            continue;
        }
        table_cell(&table, "%s", units_count(&text, groups[i]->count));
        table_cell(&table, "%s", dead_reason_name(groups[i]->reason));
        table_cell(&table, "%s", units_time(&text, groups[i]->last_unix_ms));
        table_text(&table, slice_of_string(groups[i]->example), 40);
        table_text(&table, groups[i]->error, 100);
    }
    if (table_row_count(&table) > 0)
        table_print(&table);
    else if (count == 0)
        cli_say(cli, "no dead letters");
}

static enum exit_code run_list(struct cli *cli)
{
    struct dead_groups groups;
    struct dead_group **sorted;
    enum exit_code code;
    size_t count;

    if (cli_flag(cli, "each"))
        return list_each(cli);
    dead_groups_init(&groups, &cli->arena);
    code = each_letter(cli, add_to_groups, &groups);
    sorted = dead_groups_sorted(&groups, &count);
    if (code == EXIT_OK && sorted != NULL)
        print_groups(cli, sorted, count);
    dead_groups_deinit(&groups);
    return code;
}

struct id_list {
    struct cli *cli;
    char **ids;
    size_t count;
    size_t capacity;
};

static bool add_id(void *context, const Ackd__V1__DeadLetter *letter)
{
    struct id_list *list = context;

    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 1024 : list->capacity * 2;
        char **ids = CLI_ARRAY(list->cli, capacity, char *);

        if (list->count > 0)
            memcpy(ids, list->ids, list->count * sizeof *ids);
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->count++] =
        arena_string(&list->cli->arena, slice_of_string(letter->task->task_id));
    return list->ids[list->count - 1] != NULL;
}

/* One request for a selection; adds to *ret_count what it did. */
typedef enum exit_code settler(struct cli *cli, Ackd__V1__DeadSelection *selection,
                               int64_t *ret_count);

static enum exit_code redrive(struct cli *cli, Ackd__V1__DeadSelection *selection,
                              int64_t *ret_count)
{
    Ackd__V1__RedriveRequest request = ACKD__V1__REDRIVE_REQUEST__INIT;
    Ackd__V1__RedriveResponse *reply;
    enum exit_code code;

    request.queue = (char *)cli_queue(cli);
    request.selection = selection;
    reply = BROKER_CALL(cli, "DeadLetterService", "Redrive", &request, redrive_response, &code);
    if (reply != NULL)
        *ret_count += reply->redriven;
    return code;
}

static enum exit_code delete (struct cli *cli, Ackd__V1__DeadSelection *selection,
                              int64_t *ret_count) {
    Ackd__V1__DeleteDeadRequest request = ACKD__V1__DELETE_DEAD_REQUEST__INIT;
    Ackd__V1__DeleteDeadResponse * reply;
    enum exit_code code;

    request.queue = (char *)cli_queue(cli);
    request.selection = selection;
    reply = BROKER_CALL(cli, "DeadLetterService", "Delete", &request, delete_dead_response, &code);
    if (reply != NULL) *ret_count += reply->deleted;
    return code;
}

static enum exit_code settle_ids(struct cli *cli, char **ids, size_t count, settler *settle,
                                 int64_t *ret_count)
{
    enum exit_code code = EXIT_OK;

    for (size_t at = 0; at < count && code == EXIT_OK; at += IDS_MAX) {
        Ackd__V1__DeadSelection selection = ACKD__V1__DEAD_SELECTION__INIT;

        selection.task_ids = ids + at;
        selection.n_task_ids = count - at < IDS_MAX ? count - at : IDS_MAX;
        code = settle(cli, &selection, ret_count);
    }
    return code;
}

static Ackd__V1__DeadReason reason_of(const char *word)
{
    for (Ackd__V1__DeadReason reason = 1; reason <= ACKD__V1__DEAD_REASON__DEAD_REASON_CANCELLED;
         reason++)
        if (word != NULL && strcmp(dead_reason_name(reason), word) == 0)
            return reason;
    return ACKD__V1__DEAD_REASON__DEAD_REASON_UNSPECIFIED;
}

/* Everything that the filters name; an error's part needs the letters' IDs. */
static enum exit_code settle_matching(struct cli *cli, settler *settle, int64_t *ret_count)
{
    Ackd__V1__DeadSelection selection = ACKD__V1__DEAD_SELECTION__INIT;
    struct id_list list = {.cli = cli};
    enum exit_code code;

    if (!cli_given(cli, "error")) {
        selection.all = true;
        selection.reason = reason_of(cli_text(cli, "reason"));
        if (cli_given(cli, "dataset"))
            selection.dataset = (char *)cli_text(cli, "dataset");
        return settle(cli, &selection, ret_count);
    }
    code = each_letter(cli, add_id, &list);
    return code != EXIT_OK ? code : settle_ids(cli, list.ids, list.count, settle, ret_count);
}

static bool has_filter(const struct cli *cli)
{
    return cli_flag(cli, "all") || cli_given(cli, "error") || cli_given(cli, "reason") ||
           cli_given(cli, "dataset");
}

static enum exit_code report(const struct cli *cli, const char *what, const char *field,
                             int64_t count, size_t named)
{
    struct text text;

    if (cli->is_json)
        printf("{\"%s\":\"%lld\"}\n", field, (long long)count);
    else
        cli_say(cli, "%s %s", units_count(&text, count), what);
    if (named == 0 || (size_t)count == named)
        return EXIT_OK;
    complain("%s of the IDs are no dead letters of queue %s",
             units_count(&text, (int64_t)named - count), cli_queue(cli));
    return EXIT_REFUSED;
}

static enum exit_code check_selection(const struct cli *cli)
{
    bool has_ids = cli->argument_count > 1;

    if (has_ids && has_filter(cli))
        return cli_usage_error(cli, "give task IDs or filters, not both");
    if (!has_ids && !has_filter(cli))
        return cli_usage_error(cli, "say which: task IDs, --error, --reason, --dataset or --all");
    return EXIT_OK;
}

static enum exit_code settle_all(struct cli *cli, settler *settle, const char *what,
                                 const char *field)
{
    size_t named = cli->argument_count - 1;
    int64_t count = 0;
    enum exit_code code;

    if (named > 0)
        code = settle_ids(cli, (char **)(cli->arguments + 1), named, settle, &count);
    else
        code = settle_matching(cli, settle, &count);
    return code == EXIT_OK ? report(cli, what, field, count, named) : code;
}

static enum exit_code run_redrive(struct cli *cli)
{
    enum exit_code code = check_selection(cli);

    return code != EXIT_OK ? code : settle_all(cli, redrive, "made ready again", "redriven");
}

static enum exit_code run_delete(struct cli *cli)
{
    enum exit_code code = check_selection(cli);

    if (code != EXIT_OK)
        return code;
    if (cli->argument_count == 1 &&
        !cli_confirm(cli, &code, "delete %s dead letters of queue %s for good",
                     cli_given(cli, "error") || cli_given(cli, "reason") ||
                             cli_given(cli, "dataset")
                         ? "the matching"
                         : "all",
                     cli_queue(cli)))
        return code;
    return settle_all(cli, delete, "deleted", "deleted");
}

#define ARGUMENT_THE_QUEUE                                                                         \
    {                                                                                              \
        "QUEUE", ARGUMENT_ONE, ARGUMENT_QUEUE, "the queue's name"                                  \
    }
#define FILTERS                                                                                    \
    {"error", 0, OPTION_TEXT, "TEXT", NULL, "only those whose error contains TEXT"},               \
        {"reason",      0,                                                                         \
         OPTION_CHOICE, "failures|losses|expired|cancelled",                                       \
         NULL,          "only those that died of this"},                                           \
    {                                                                                              \
        "dataset", 0, OPTION_TEXT, "NAME", NULL, "only this dataset's"                             \
    }

static const struct argument_spec queue_and_ids[] = {
    ARGUMENT_THE_QUEUE,
    {"TASK_ID", ARGUMENT_ANY, ARGUMENT_PLAIN, "tasks' IDs; without them: by the filters"},
    {NULL}};

const struct command command_dead_list = {
    .name = "dead list",
    .summary = "list dead letters, grouped by error",
    .description = "A group holds those with the same reason and the same last line of their "
                   "error. `--each` lists them one by one.",
    .arguments = (const struct argument_spec[]){ARGUMENT_THE_QUEUE, {NULL}},
    .options =
        (const struct option_spec[]){
            {"each", 0, OPTION_FLAG, NULL, NULL, "one by one, not grouped"}, FILTERS, {NULL}},
    .run = run_list,
};

const struct command command_dead_redrive = {
    .name = "dead redrive",
    .summary = "make dead letters ready again",
    .description = "Their failures and losses begin at 0.",
    .arguments = queue_and_ids,
    .options = (const struct option_spec[]){{"all", 0, OPTION_FLAG, NULL, NULL, "all of the queue"},
                                            FILTERS,
                                            {NULL}},
    .examples = (const struct example[]){{"ackctl dead redrive pages --error 'out of memory'",
                                          "tries again what failed for want of memory"},
                                         {NULL, NULL}},
    .run = run_redrive,
};

const struct command command_dead_delete = {
    .name = "dead delete",
    .summary = "delete dead letters for good",
    .description = "Their IDs may be published again. Without task IDs it asks first.",
    .arguments = queue_and_ids,
    .options = (const struct option_spec[]){{"all", 0, OPTION_FLAG, NULL, NULL, "all of the queue"},
                                            FILTERS,
                                            {"yes", 'y', OPTION_FLAG, NULL, NULL, "don't ask"},
                                            {NULL}},
    .run = run_delete,
};
