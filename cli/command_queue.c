/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_queue.c -- `ackctl queue ...`: queues and the rules that their tasks live by.
 */
#include <stdio.h>
#include <string.h>

#include "ackd/v1/queue.pb-c.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/queue_config.h"
#include "cli/units.h"

#define ARGUMENT_THE_QUEUE                                                                         \
    {                                                                                              \
        "QUEUE", ARGUMENT_ONE, ARGUMENT_QUEUE, "the queue's name"                                  \
    }
#define OPTION_YES                                                                                 \
    {                                                                                              \
        "yes", 'y', OPTION_FLAG, NULL, NULL, "don't ask"                                           \
    }

static const struct argument_spec one_queue[] = {ARGUMENT_THE_QUEUE, {NULL}};

/* An empty message may be left out of a reply. */
static const Ackd__V1__Counts *counts_or_none(const Ackd__V1__Counts *counts)
{
    static const Ackd__V1__Counts none = ACKD__V1__COUNTS__INIT;

    return counts == NULL ? &none : counts;
}

static const char *state_of(const Ackd__V1__Queue *queue)
{
    return queue->paused ? "paused" : "open";
}

static enum exit_code run_create(struct cli *cli)
{
    Ackd__V1__CreateQueueRequest request = ACKD__V1__CREATE_QUEUE_REQUEST__INIT;
    Ackd__V1__QueueConfig config = ACKD__V1__QUEUE_CONFIG__INIT;
    Ackd__V1__CreateQueueResponse *reply;
    enum exit_code code;

    queue_config_read(cli, &config);
    request.name = (char *)cli_queue(cli);
    request.config = &config;
    reply = BROKER_CALL(cli, "QueueService", "Create", &request, create_queue_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else
        cli_say(cli, reply->created ? "queue %s made" : "queue %s was there already", request.name);
    return EXIT_OK;
}

static void list_row(struct table *table, const Ackd__V1__Queue *queue)
{
    const Ackd__V1__Counts *counts = counts_or_none(queue->counts);
    const int64_t numbers[] = {counts->ready, counts->leased, counts->delayed,
                               counts->done,  counts->dead,   queue->sessions};
    struct text text;

    table_text(table, slice_of_string(queue->name), 0);
    table_cell(table, "%s", state_of(queue));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        table_cell(table, "%s", units_count(&text, numbers[i]));
}

static void list_page(struct cli *cli, struct table *table,
                      const Ackd__V1__ListQueuesResponse *page)
{
    for (size_t i = 0; i < page->n_queues; i++)
        if (cli_flag(cli, "names"))
            puts(page->queues[i]->name);
        else if (cli->is_json)
            print_json(&page->queues[i]->base);
        else
            list_row(table, page->queues[i]);
}

static enum exit_code run_list(struct cli *cli)
{
    static const char *const headers[] = {"QUEUE", "STATE", ">READY",    ">LEASED", ">DELAYED",
                                          ">DONE", ">DEAD", ">SESSIONS", NULL};
    Ackd__V1__ListQueuesRequest request = ACKD__V1__LIST_QUEUES_REQUEST__INIT;
    Ackd__V1__ListQueuesResponse *page;
    struct table table;
    enum exit_code code;

    table_begin(&table, &cli->arena, headers);
    request.page_size = 1000;
    do {
        page = BROKER_CALL(cli, "QueueService", "List", &request, list_queues_response, &code);
        if (page == NULL)
            return code;
        list_page(cli, &table, page);
        request.page_token = page->next_page_token;
    } while (page->next_page_token[0] != '\0');
    if (table_row_count(&table) > 0)
        table_print(&table);
    else if (!cli->is_json && !cli_flag(cli, "names"))
        cli_say(cli, "no queues yet: make one with `ackctl queue create NAME`");
    return EXIT_OK;
}

static void fact(struct table *table, const char *name, const char *value)
{
    table_cell(table, "%s", name);
    table_cell(table, "%s", value);
}

static void show_counts(struct table *table, const Ackd__V1__Queue *queue)
{
    const Ackd__V1__Counts *counts = counts_or_none(queue->counts);
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"ready", counts->ready},      {"leased", counts->leased},
        {"delayed", counts->delayed},  {"done", counts->done},
        {"dead", counts->dead},        {"published", counts->published},
        {"purged", counts->purged},    {"deliveries", queue->deliveries},
        {"failures", queue->failures}, {"preemptions", queue->preemptions},
        {"losses", queue->losses},     {"salvaged", queue->salvaged},
        {"sessions", queue->sessions}, {"waiting workers", queue->waiters},
    };
    struct text text;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        fact(table, numbers[i].name, units_count(&text, numbers[i].value));
    fact(table, "useful lease time", units_duration(&text, queue->useful_lease_ms));
    fact(table, "wasted lease time", units_duration(&text, queue->wasted_lease_ms));
}

static void show(struct cli *cli, const Ackd__V1__Queue *queue)
{
    static const char *const headers[] = {"", "", NULL};
    struct table table;
    struct text text;

    table_begin(&table, &cli->arena, headers);
    fact(&table, "queue", queue->name);
    fact(&table, "state", state_of(queue));
    fact(&table, "made", units_time(&text, queue->created_unix_ms));
    show_counts(&table, queue);
    queue_config_show(queue->config, &table);
    table_print(&table);
}

static enum exit_code run_show(struct cli *cli)
{
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    Ackd__V1__GetQueueResponse *reply;
    enum exit_code code;

    request.name = (char *)cli_queue(cli);
    reply = BROKER_CALL(cli, "QueueService", "Get", &request, get_queue_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else if (reply->queue != NULL)
        show(cli, reply->queue);
    return EXIT_OK;
}

static enum exit_code run_update(struct cli *cli)
{
    Ackd__V1__UpdateQueueRequest request = ACKD__V1__UPDATE_QUEUE_REQUEST__INIT;
    Ackd__V1__QueueConfig config = ACKD__V1__QUEUE_CONFIG__INIT;
    Ackd__V1__UpdateQueueResponse *reply;
    enum exit_code code;

    if (queue_config_read(cli, &config) == 0)
        return cli_usage_error(cli, "say what to change, such as --max-failures 3");
    request.name = (char *)cli_queue(cli);
    request.config = &config;
    reply = BROKER_CALL(cli, "QueueService", "Update", &request, update_queue_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else
        cli_say(cli, "queue %s changed", request.name);
    return EXIT_OK;
}

static enum exit_code run_delete(struct cli *cli)
{
    Ackd__V1__DeleteQueueRequest request = ACKD__V1__DELETE_QUEUE_REQUEST__INIT;
    enum exit_code code;

    request.name = (char *)cli_queue(cli);
    if (!cli_confirm(cli, &code, "delete queue %s with its tasks, results and dead letters",
                     request.name))
        return code;
    if (BROKER_CALL(cli, "QueueService", "Delete", &request, delete_queue_response, &code) == NULL)
        return code;
    cli_say(cli, "queue %s deleted", request.name);
    return EXIT_OK;
}

static enum exit_code run_pause(struct cli *cli)
{
    Ackd__V1__PauseQueueRequest request = ACKD__V1__PAUSE_QUEUE_REQUEST__INIT;
    Ackd__V1__PauseQueueResponse *reply;
    enum exit_code code;

    request.name = (char *)cli_queue(cli);
    reply = BROKER_CALL(cli, "QueueService", "Pause", &request, pause_queue_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else
        cli_say(cli, "queue %s paused: no task is handed out until `ackctl queue resume %s`",
                request.name, request.name);
    return EXIT_OK;
}

static enum exit_code run_resume(struct cli *cli)
{
    Ackd__V1__ResumeQueueRequest request = ACKD__V1__RESUME_QUEUE_REQUEST__INIT;
    Ackd__V1__ResumeQueueResponse *reply;
    enum exit_code code;

    request.name = (char *)cli_queue(cli);
    reply = BROKER_CALL(cli, "QueueService", "Resume", &request, resume_queue_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else
        cli_say(cli, "queue %s hands out tasks again", request.name);
    return EXIT_OK;
}

static enum exit_code run_purge(struct cli *cli)
{
    Ackd__V1__PurgeQueueRequest request = ACKD__V1__PURGE_QUEUE_REQUEST__INIT;
    const char *dataset = cli_text(cli, "dataset");
    Ackd__V1__PurgeQueueResponse *reply;
    struct text count;
    enum exit_code code;

    request.name = (char *)cli_queue(cli);
    request.dataset = dataset == NULL ? request.dataset : (char *)dataset;
    if (!cli_confirm(cli, &code, "remove every task of queue %s%s%s that is not leased",
                     request.name, dataset == NULL ? "" : ", dataset ",
                     dataset == NULL ? "" : dataset))
        return code;
    reply = BROKER_CALL(cli, "QueueService", "Purge", &request, purge_queue_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else
        cli_say(cli, "%s tasks removed", units_count(&count, reply->purged));
    return EXIT_OK;
}

const struct command command_queue_create = {
    .name = "queue create",
    .summary = "make a queue",
    .description = "Repeating it with the same config succeeds; with another config it is refused.",
    .arguments = one_queue,
    .options = queue_config_create_options,
    .examples = (const struct example[]){{"ackctl queue create pages --max-failures 3",
                                          "dead-letters a task after its third failure"},
                                         {NULL, NULL}},
    .run = run_create,
};

const struct command command_queue_list = {
    .name = "queue list",
    .summary = "list all queues with their counts",
    .options =
        (const struct option_spec[]){
            {"names", 0, OPTION_FLAG, NULL, NULL, "only the names, one a line"}, {NULL}},
    .run = run_list,
};

const struct command command_queue_show = {
    .name = "queue show",
    .summary = "show one queue: counts, events and config",
    .arguments = one_queue,
    .run = run_show,
};

const struct command command_queue_update = {
    .name = "queue update",
    .summary = "change a queue's config while it runs",
    .description = "Only what is given changes. Leases already handed out keep theirs.",
    .arguments = one_queue,
    .options = queue_config_update_options,
    .run = run_update,
};

const struct command command_queue_delete = {
    .name = "queue delete",
    .summary = "delete a queue with its tasks, results and dead letters",
    .arguments = one_queue,
    .options = (const struct option_spec[]){OPTION_YES, {NULL}},
    .run = run_delete,
};

const struct command command_queue_pause = {
    .name = "queue pause",
    .summary = "stop handing out tasks",
    .description = "Running leases may be renewed and acked; publish goes on.",
    .arguments = one_queue,
    .run = run_pause,
};

const struct command command_queue_resume = {
    .name = "queue resume",
    .summary = "hand out tasks again",
    .arguments = one_queue,
    .run = run_resume,
};

const struct command command_queue_purge = {
    .name = "queue purge",
    .summary = "remove every task that is not leased",
    .description = "Their IDs may be published again. Results and dead letters stay.",
    .arguments = one_queue,
    .options = (const struct option_spec[]){{"dataset", 0, OPTION_TEXT, "NAME", NULL,
                                             "only this dataset's tasks"},
                                            OPTION_YES,
                                            {NULL}},
    .run = run_purge,
};
