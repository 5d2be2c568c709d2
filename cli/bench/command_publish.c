/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_publish.c -- `ackctl bench publish` and `single`: how fast tasks are stored, in batches
 * and one by one.
 */
#include "cli/bench/bench.h"
#include "cli/bench/feeder.h"
#include "cli/bench/meter.h"

struct publish {
    struct feeder feeder;
    struct histogram latencies;
};

static enum exit_code begin(struct bench *bench)
{
    struct publish *self = bench->state;
    enum exit_code code = bench_connect(bench, bench->connections);

    if (code != EXIT_OK)
        return code;
    feeder_init(&self->feeder, bench, bench->queue, bench->batch, bench->has_ids);
    self->feeder.latencies = &self->latencies;
    return EXIT_OK;
}

static void end(struct bench *bench)
{
    struct publish *self = bench->state;

    feeder_deinit(&self->feeder);
}

static enum exit_code run_round(struct bench *bench, struct figures *figures)
{
    struct publish *self = bench->state;
    struct meter meter = {0};
    int64_t before = self->feeder.stored;
    enum exit_code code = meter_start(&meter, &bench->target);

    histogram_clear(&self->latencies);
    if (code == EXIT_OK)
        code = feeder_run(&self->feeder, INT64_MAX, monotonic_ns() + bench->time_ns);
    if (code == EXIT_OK)
        code = meter_stop(&meter, &bench->target);
    if (code != EXIT_OK)
        return code;
    meter_report(&meter, self->feeder.stored - before, figures);
    meter_report_latencies(&self->latencies, figures);
    if (self->feeder.stored > before)
        figures_set(figures, FIGURE_DISK,
                    (double)meter.disk_bytes / (double)(self->feeder.stored - before));
    return EXIT_OK;
}

static enum exit_code run_batch_ceiling(struct bench *bench, struct ceiling_score *ret_score)
{
    return ceiling_publish(&bench->ceiling, bench->batch, bench->time_ns, ret_score);
}

/* One commit can hold what all connections wait for. */
static enum exit_code run_single_ceiling(struct bench *bench, struct ceiling_score *ret_score)
{
    return ceiling_publish(&bench->ceiling, bench->connections, bench->time_ns, ret_score);
}

static const struct scenario scenario_publish = {
    .name = "publish",
    .state_size = sizeof(struct publish),
    .begin = begin,
    .round = run_round,
    .end = end,
    .ceiling = run_batch_ceiling,
};

static const struct scenario scenario_single = {
    .name = "single",
    .state_size = sizeof(struct publish),
    .begin = begin,
    .round = run_round,
    .end = end,
    .ceiling = run_single_ceiling,
};

static enum exit_code run_publish(struct cli *cli)
{
    return bench_run(cli, &scenario_publish);
}

static enum exit_code run_single(struct cli *cli)
{
    return bench_run(cli, &scenario_single);
}

#define IDS                                                                                        \
    BENCH_ROW("ids", 0, OPTION_FLAG, NULL, NULL,                                                   \
              "with task IDs like those of a dataset, so that the broker looks for duplicates")

const struct command command_bench_publish = {
    .name = "bench publish",
    .summary = "measure how fast batches of tasks are stored",
    .description =
        "Publishes batches over several connections; the next batch of a connection goes out when "
        "the one before is answered (or up to `--pipeline` of them at once). p50, p99 and p99.9 "
        "are the time from a request to its reply. With `--ceiling` the same records are appended "
        "straight to LMDB, `--batch` tasks a commit.",
    .options = (const struct option_spec[]){BENCH_SPAWN,
                                            BENCH_TLS,
                                            BENCH_DIR,
                                            BENCH_PAYLOAD,
                                            BENCH_CONNECTIONS("4", "publishers"),
                                            BENCH_BATCH("1000"),
                                            {"pipeline", 0, OPTION_NUMBER, "N", "1",
                                             "requests under way on a connection", 1, 64},
                                            IDS,
                                            BENCH_QUEUES,
                                            BENCH_TIME("3s"),
                                            BENCH_ROUNDS,
                                            BENCH_CEILING,
                                            {NULL}},
    .examples =
        (const struct example[]){
            {"ackctl bench publish --spawn ./ackd --dir /mnt/disk --ceiling",
             "a broker for the run, beside what LMDB itself can do on that disk"},
            {"ackctl bench publish --payload 4096 --batch 100 -o json", "the broker at ACKD_URL"},
            {NULL, NULL}},
    .run = run_publish,
};

const struct command command_bench_single = {
    .name = "bench single",
    .summary = "measure how fast tasks are stored one by one",
    .description =
        "Each connection publishes one task and waits for the reply before the next: with one "
        "connection, the time of a commit and the way there and back; with many, how well the "
        "broker puts requests that wait into one commit. With `--ceiling` the same records are "
        "appended straight to LMDB, as many a commit as there are connections.",
    .options = (const struct option_spec[]){BENCH_SPAWN,
                                            BENCH_TLS,
                                            BENCH_DIR,
                                            BENCH_PAYLOAD,
                                            BENCH_CONNECTIONS("1", "publishers"),
                                            IDS,
                                            BENCH_TIME("3s"),
                                            BENCH_ROUNDS,
                                            BENCH_CEILING,
                                            {NULL}},
    .examples = (const struct example[]){{"ackctl bench single -c 64", "64 publishers at once"},
                                         {NULL, NULL}},
    .run = run_single,
};
