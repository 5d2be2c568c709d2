/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_stats.c -- `ackctl stats [QUEUE]`: how the broker stands, or a queue's datasets.
 */
#include <stdio.h>

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/dataset.pb-c.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/units.h"

static void print_shards(struct cli *cli, const Ackd__V1__StatsResponse *reply)
{
    static const char *const headers[] = {">SHARD",  "STORE",    ">QUEUES",  ">SESSIONS",
                                          ">LEASES", ">WAITERS", ">COMMITS", ">COMMANDS",
                                          ">USED",   ">FILE",    ">LIMIT",   NULL};
    struct table table;
    struct text text;

    table_begin(&table, &cli->arena, headers);
    for (size_t i = 0; i < reply->n_shards; i++) {
        const Ackd__V1__ShardStats *shard = reply->shards[i];
        const int64_t counts[] = {shard->queues,  shard->sessions, shard->leases,
                                  shard->waiters, shard->commits,  shard->commands};
        const int64_t sizes[] = {shard->used_bytes, shard->file_bytes, shard->map_bytes};

        table_cell(&table, "%d", shard->shard);
        table_cell(&table, "%s", shard->store);
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++)
            table_cell(&table, "%s", units_count(&text, counts[j]));
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++)
            table_cell(&table, "%s", units_bytes(&text, sizes[j]));
    }
    table_print(&table);
}

static enum exit_code broker_stats(struct cli *cli)
{
    Ackd__V1__StatsRequest request = ACKD__V1__STATS_REQUEST__INIT;
    Ackd__V1__StatsResponse *reply;
    struct text up, connections, requests, refused;
    enum exit_code code;

    reply = BROKER_CALL(cli, "AdminService", "Stats", &request, stats_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json) {
        print_json(&reply->base);
        return EXIT_OK;
    }
    printf("ackd %s, up %s: %s connections, %s requests, %s refused\n\n", reply->version,
           units_duration(&up, reply->now_unix_ms - reply->started_unix_ms),
           units_count(&connections, reply->connections), units_count(&requests, reply->requests),
           units_count(&refused, reply->refused));
    print_shards(cli, reply);
    return EXIT_OK;
}

static void dataset_row(struct table *table, const Ackd__V1__Dataset *dataset)
{
    static const Ackd__V1__Counts none = ACKD__V1__COUNTS__INIT;
    const Ackd__V1__Counts *counts = dataset->counts == NULL ? &none : dataset->counts;
    const int64_t numbers[] = {counts->done,    counts->ready,       counts->leased,
                               counts->delayed, counts->dead,        dataset->failures,
                               dataset->losses, dataset->preemptions};
    struct text text;

    table_text(table, slice_of_string(dataset->name[0] == '\0' ? "(none)" : dataset->name), 40);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        table_cell(table, "%s", units_count(&text, numbers[i]));
    table_cell(table, "%s", units_rate(&text, dataset->done_per_s));
    table_cell(table, "%s", dataset->eta_ms < 0 ? "-" : units_duration(&text, dataset->eta_ms));
    table_cell(table, "%s", units_duration(&text, dataset->useful_lease_ms));
    table_cell(table, "%s", units_duration(&text, dataset->wasted_lease_ms));
}

static enum exit_code dataset_stats(struct cli *cli)
{
    static const char *const headers[] = {
        "DATASET", ">DONE",        ">READY", ">LEASED", ">DELAYED", ">DEAD",   ">FAILURES",
        ">LOSSES", ">PREEMPTIONS", ">RATE",  ">ETA",    ">USEFUL",  ">WASTED", NULL};
    Ackd__V1__ListDatasetsRequest request = ACKD__V1__LIST_DATASETS_REQUEST__INIT;
    Ackd__V1__ListDatasetsResponse *reply;
    struct table table;
    enum exit_code code;

    request.queue = (char *)cli_queue(cli);
    reply = BROKER_CALL(cli, "DatasetService", "List", &request, list_datasets_response, &code);
    if (reply == NULL)
        return code;
    table_begin(&table, &cli->arena, headers);
    for (size_t i = 0; i < reply->n_datasets; i++)
        if (cli->is_json)
            print_json(&reply->datasets[i]->base);
        else
            dataset_row(&table, reply->datasets[i]);
    if (table_row_count(&table) > 0)
        table_print(&table);
    else if (reply->n_datasets == 0)
        cli_say(cli, "nothing was published to queue %s yet", request.queue);
    return EXIT_OK;
}

static enum exit_code run(struct cli *cli)
{
    return cli_queue(cli) == NULL ? broker_stats(cli) : dataset_stats(cli);
}

const struct command command_stats = {
    .name = "stats",
    .summary = "how the broker stands, or a queue's datasets",
    .description =
        "Without QUEUE: version, connections and the store's shards. With QUEUE: each dataset's "
        "counts, rate, time left, and lease time that was useful or wasted.",
    .arguments = (const struct argument_spec[]){{"QUEUE", ARGUMENT_OPTIONAL, ARGUMENT_QUEUE,
                                                 "tell of its datasets instead of the broker"},
                                                {NULL}},
    .run = run,
};
