/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_ceiling.c -- `ackctl bench ceiling`: what LMDB itself can do on a disk, without a broker.
 */
#include <stdio.h>

#include "cli/bench/bench.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/units.h"

typedef enum exit_code traffic_fn(struct ceiling *self, size_t per_commit, int64_t time_ns,
                                  struct ceiling_score *ret_score);

struct line {
    const char *name;
    traffic_fn *traffic;
    size_t per_commit;
};

static const struct line lines[] = {
    {"publish", ceiling_publish, 1}, {"publish", ceiling_publish, 1000},
    {"cycle", ceiling_cycle, 4},     {"cycle", ceiling_cycle, 40},
    {"cycle", ceiling_cycle, 400},   {"cycle", ceiling_cycle, 4000},
};

static void tell(struct cli *cli, struct table *table, const struct line *line,
                 const struct ceiling_score *score)
{
    double p50_us = (double)histogram_percentile_ns(&score->commits, 0.5) / 1e3;
    double p99_us = (double)histogram_percentile_ns(&score->commits, 0.99) / 1e3;
    struct text text;

    if (cli->is_json) {
        printf("{\"traffic\":\"%s\",\"tasksPerCommit\":%zu,\"ratePerS\":%.1f,\"commitP50Us\":%.1f,"
               "\"commitP99Us\":%.1f}\n",
               line->name, line->per_commit, score->rate_per_s, p50_us, p99_us);
        return;
    }
    table_cell(table, "%s", line->name);
    table_cell(table, "%s", units_count(&text, (int64_t)line->per_commit));
    table_cell(table, "%s", units_rate(&text, score->rate_per_s));
    table_cell(table, "%.0f us", p50_us);
    table_cell(table, "%.0f us", p99_us);
}

static enum exit_code measure(struct cli *cli, struct target *place, struct ceiling *ceiling)
{
    static const char *const headers[] = {
        "TRAFFIC", ">TASKS A COMMIT", ">RATE", ">COMMIT P50", ">P99", NULL};
    struct ceiling_score *score = cli_alloc(cli, sizeof *score);
    size_t batch = (size_t)cli_number(cli, "batch");
    struct table table;
    enum exit_code code;

    table_begin(&table, &cli->arena, headers);
    code = ceiling_open(ceiling, place->directory, (size_t)cli_number(cli, "payload"),
                        cli_flag(cli, "ids"));
    for (size_t i = 0; i < sizeof lines / sizeof *lines && code == EXIT_OK; i++) {
        struct line line = lines[i];

        if (batch > 0 && i > 0 && lines[i - 1].traffic == line.traffic)
            continue; /* one of each kind */
        line.per_commit = batch > 0 ? batch : line.per_commit;
        code = line.traffic(ceiling, line.per_commit, cli_number(cli, "time") * 1000000, score);
        if (code == EXIT_OK)
            tell(cli, &table, &line, score);
    }
    if (code == EXIT_OK && !cli->is_json)
        table_print(&table);
    return code;
}

static enum exit_code run(struct cli *cli)
{
    struct target place = {.cli = cli};
    struct ceiling ceiling = {0};
    enum exit_code code;

    interrupt_watch();
    code = target_make_directory(&place);
    if (code == EXIT_OK)
        code = measure(cli, &place, &ceiling);
    ceiling_close(&ceiling);
    target_close(&place);
    return code;
}

const struct command command_bench_ceiling = {
    .name = "bench ceiling",
    .summary = "measure what LMDB itself can do on a disk, without a broker",
    .description =
        "Writes the records that the broker would write straight into an LMDB environment, with "
        "the flush that makes each commit durable, from one thread. `publish` appends a record a "
        "task; `cycle` writes what leases and acks write, as many of each in one commit. What the "
        "broker reaches of it is told by `--ceiling` of the other commands, which measure both in "
        "turns.",
    .options =
        (const struct option_spec[]){
            {"dir", 0, OPTION_FILE, "DIR", ".",
             "where the data lies for the run: the disk to measure"},
            BENCH_PAYLOAD,
            {"batch", 'b', OPTION_NUMBER, "N", "0", "tasks a commit; 0: several sizes in turn", 0,
             100000},
            {"ids", 0, OPTION_FLAG, NULL, NULL, "with the records that task IDs need"},
            {"time", 't', OPTION_DURATION, "TIME", "3s", "how long each is measured", 10, 3600000},
            {NULL}},
    .run = run,
};
