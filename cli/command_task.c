/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_task.c -- `ackctl get|list|cancel`: tasks as an operator sees them.
 */
#include <stdio.h>
#include <string.h>

#include "ackd/v1/task.pb-c.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/task_history.h"
#include "cli/units.h"

#define PAYLOAD_SHOWN 60        /* characters of a payload in a table */
#define PAYLOAD_SHOWN_ALONE 240 /* of one task's */

static const char *const state_names[] = {"?", "ready", "delayed", "leased", "done", "dead"};

static const char *state_name(Ackd__V1__TaskState state)
{
    size_t count = sizeof state_names / sizeof state_names[0];

    return (size_t)state < count ? state_names[state] : "?";
}

/* Of a word that the options' table allows. */
static Ackd__V1__TaskState state_of(const char *word)
{
    for (size_t i = 0; i < sizeof state_names / sizeof state_names[0]; i++)
        if (word != NULL && strcmp(word, state_names[i]) == 0)
            return (Ackd__V1__TaskState)i;
    return ACKD__V1__TASK_STATE__TASK_STATE_UNSPECIFIED;
}

static void fact(struct table *table, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    table_cell(table, "%s", name);
    table_text(table, slice_of_string(value), 0);
}

static void fact_time(struct table *table, const char *name, int64_t unix_ms)
{
    struct text text;

    if (unix_ms != 0)
        fact(table, name, units_time(&text, unix_ms));
}

static void show_counters(struct table *table, const Ackd__V1__Task *task)
{
    const struct {
        const char *name;
        int32_t value;
    } numbers[] = {{"deliveries", task->deliveries},
                   {"failures", task->failures},
                   {"preemptions", task->preemptions},
                   {"losses", task->losses}};
    struct text text;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        fact(table, numbers[i].name, units_count(&text, numbers[i].value));
    fact(table, "fence", units_count(&text, task->fence));
    fact(table, "session", task->session_id);
    fact_time(table, "published", task->published_unix_ms);
    fact_time(table, "leased", task->leased_unix_ms);
    fact_time(table, "last progress", task->progress_unix_ms);
    fact_time(table, "due", task->due_unix_ms);
    fact_time(table, "done", task->done_unix_ms);
    fact_time(table, "dead", task->dead_unix_ms);
    fact(table, "last error", task->last_error);
}

static void show(struct cli *cli, const Ackd__V1__Task *task)
{
    static const char *const headers[] = {"", "", NULL};
    struct table table;
    struct text text;

    table_begin(&table, &cli->arena, headers);
    fact(&table, "task", task->task_id);
    fact(&table, "state", state_name(task->state));
    fact(&table, "dataset", task->dataset);
    fact(&table, "priority", units_count(&text, task->priority));
    show_counters(&table, task);
    for (size_t i = 0; i < task->n_attributes; i++) {
        table_cell(&table, "@%s", task->attributes[i]->key);
        table_text(&table, slice_of_string(task->attributes[i]->value), 0);
    }
    fact(&table, "checkpoint", task->has_checkpoint ? "yes" : "");
    fact(&table, "result", task->has_result ? "yes" : "");
    fact(&table, "payload size", units_bytes(&text, task->payload_bytes));
    table_cell(&table, "payload");
    table_text(&table, slice_of(task->payload.data, task->payload.len), PAYLOAD_SHOWN_ALONE);
    table_print(&table);
    task_history_print(cli, task);
}

static enum exit_code run_get(struct cli *cli)
{
    Ackd__V1__GetTaskRequest request = ACKD__V1__GET_TASK_REQUEST__INIT;
    Ackd__V1__GetTaskResponse *reply;
    enum exit_code code;

    request.queue = (char *)cli_queue(cli);
    request.task_id = (char *)cli_argument(cli, 1);
    reply = BROKER_CALL(cli, "TaskService", "Get", &request, get_task_response, &code);
    if (reply == NULL)
        return code;
    if (cli_flag(cli, "payload")) {
        if (reply->task != NULL)
            fwrite(reply->task->payload.data, 1, reply->task->payload.len, stdout);
    } else if (cli->is_json) {
        print_json(&reply->base);
    } else if (reply->task != NULL) {
        show(cli, reply->task);
    }
    return EXIT_OK;
}

static void list_row(struct table *table, const Ackd__V1__Task *task)
{
    struct text text;

    table_text(table, slice_of_string(task->task_id), 0);
    table_cell(table, "%s", state_name(task->state));
    table_text(table, slice_of_string(task->dataset), 30);
    table_cell(table, "%d", task->priority);
    table_cell(table, "%d", task->deliveries);
    table_cell(table, "%d", task->failures);
    table_cell(table, "%s", units_bytes(&text, task->payload_bytes));
    table_text(table, slice_of(task->payload.data, task->payload.len), PAYLOAD_SHOWN);
    table_text(table, slice_of_string(task->last_error), PAYLOAD_SHOWN);
}

static void list_page(struct cli *cli, struct table *table, const Ackd__V1__ListTasksResponse *page)
{
    for (size_t i = 0; i < page->n_tasks; i++)
        if (cli->is_json)
            print_json(&page->tasks[i]->base);
        else
            list_row(table, page->tasks[i]);
}

static void list_request(struct cli *cli, Ackd__V1__ListTasksRequest *request)
{
    request->queue = (char *)cli_queue(cli);
    request->state = state_of(cli_text(cli, "state"));
    if (cli_text(cli, "dataset") != NULL)
        request->dataset = (char *)cli_text(cli, "dataset");
    request->with_payload = cli_flag(cli, "with-payload");
    request->min_stalled_ms = cli_number(cli, "stuck");
}

static enum exit_code run_list(struct cli *cli)
{
    static const char *const headers[] = {"TASK",        "STATE",     "DATASET", ">PRIORITY",
                                          ">DELIVERIES", ">FAILURES", ">SIZE",   "PAYLOAD",
                                          "LAST ERROR",  NULL};
    Ackd__V1__ListTasksRequest request = ACKD__V1__LIST_TASKS_REQUEST__INIT;
    Ackd__V1__ListTasksResponse *page;
    int64_t left = cli_number(cli, "limit");
    struct table table;
    enum exit_code code;

    table_begin(&table, &cli->arena, headers);
    list_request(cli, &request);
    do {
        request.page_size = left < 1000 ? (int32_t)left : 1000;
        page = BROKER_CALL(cli, "TaskService", "List", &request, list_tasks_response, &code);
        if (page == NULL)
            return code;
        list_page(cli, &table, page);
        left -= (int64_t)page->n_tasks;
        request.page_token = page->next_page_token;
    } while (page->next_page_token[0] != '\0' && left > 0);
    if (table_row_count(&table) > 0)
        table_print(&table);
    if (page->next_page_token[0] != '\0')
        cli_say(cli, "there are more: raise --limit");
    return EXIT_OK;
}

static enum exit_code run_cancel(struct cli *cli)
{
    Ackd__V1__CancelTasksRequest request = ACKD__V1__CANCEL_TASKS_REQUEST__INIT;
    Ackd__V1__CancelTasksResponse *reply;
    struct outcomes outcomes;
    enum exit_code code;

    request.queue = (char *)cli_queue(cli);
    request.n_task_ids = cli->argument_count - 1;
    request.task_ids = (char **)(cli->arguments + 1);
    reply = BROKER_CALL(cli, "TaskService", "Cancel", &request, cancel_tasks_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    outcomes_begin(&outcomes, cli);
    for (size_t i = 0; i < reply->n_outcomes && i < request.n_task_ids; i++)
        outcomes_add(&outcomes, request.task_ids[i], reply->outcomes[i]->error);
    return outcomes_end(&outcomes, "cancelled");
}

#define ARGUMENT_THE_QUEUE                                                                         \
    {                                                                                              \
        "QUEUE", ARGUMENT_ONE, ARGUMENT_QUEUE, "the queue's name"                                  \
    }

const struct command command_get = {
    .name = "get",
    .summary = "show one task, and what became of its deliveries",
    .arguments =
        (const struct argument_spec[]){
            ARGUMENT_THE_QUEUE, {"TASK_ID", ARGUMENT_ONE, ARGUMENT_PLAIN, "the task's ID"}, {NULL}},
    .options =
        (const struct option_spec[]){
            {"payload", 0, OPTION_FLAG, NULL, NULL, "only the payload, as it is"}, {NULL}},
    .run = run_get,
};

const struct command command_list = {
    .name = "list",
    .summary = "list tasks in the order they are served",
    .description = "Tasks that are done are not listed; see `ackctl results export`.",
    .arguments = (const struct argument_spec[]){ARGUMENT_THE_QUEUE, {NULL}},
    .options =
        (const struct option_spec[]){
            {"state", 0, OPTION_CHOICE, "ready|delayed|leased|dead", NULL, "only these"},
            {"stuck", 0, OPTION_DURATION, "TIME", NULL,
             "only leased ones that have told no progress for so long", 1, INT64_C(31536000000)},
            {"dataset", 0, OPTION_TEXT, "NAME", NULL, "only this dataset's"},
            {"limit", 0, OPTION_NUMBER, "N", "100", "at most so many", 1, INT64_MAX},
            {"with-payload", 0, OPTION_FLAG, NULL, NULL, "the payloads too"},
            {NULL}},
    .run = run_list,
};

const struct command command_cancel = {
    .name = "cancel",
    .summary = "move tasks that are not done to the dead letters",
    .description = "A worker that holds one is told to stop at its next heartbeat. `ackctl dead "
                   "redrive` brings a cancelled task back.",
    .arguments =
        (const struct argument_spec[]){
            ARGUMENT_THE_QUEUE, {"TASK_ID", ARGUMENT_SOME, ARGUMENT_PLAIN, "tasks' IDs"}, {NULL}},
    .run = run_cancel,
};
