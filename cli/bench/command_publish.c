/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_publish.c -- `ackctl bench publish`: how fast batches of tasks are stored.
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

    feeder_init(&self->feeder, bench, bench->batch, bench->has_ids);
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

static enum exit_code run_ceiling(struct bench *bench, struct ceiling_score *ret_score)
{
    return ceiling_publish(&bench->ceiling, bench->batch, bench->time_ns, ret_score);
}

static const struct scenario scenario = {
    .name = "publish",
    .state_size = sizeof(struct publish),
    .begin = begin,
    .round = run_round,
    .end = end,
    .ceiling = run_ceiling,
};

static enum exit_code run(struct cli *cli)
{
    return bench_run(cli, &scenario);
}

const struct command command_bench_publish = {
    .name = "bench publish",
    .summary = "measure how fast batches of tasks are stored",
    .description =
        "Publishes batches over several connections; the next batch of a connection goes out when "
        "the one before is answered (or up to `--pipeline` of them at once). p50, p99 and p99.9 "
        "are the time from a request to its reply. With `--ceiling` the same records are appended "
        "straight to LMDB, `--batch` tasks a commit.",
    .options =
        (const struct option_spec[]){
            BENCH_OPTIONS("4", "3s"),
            BENCH_BATCH("1000"),
            {"pipeline", 0, OPTION_NUMBER, "N", "1", "requests under way on a connection", 1, 64},
            {"ids", 0, OPTION_FLAG, NULL, NULL,
             "with task IDs like those of a dataset, so that the broker looks for duplicates"},
            BENCH_ROUNDS,
            BENCH_CEILING,
            {NULL}},
    .examples =
        (const struct example[]){
            {"ackctl bench publish --spawn ./ackd --dir /mnt/disk --ceiling",
             "a broker for the run, beside what LMDB itself can do on that disk"},
            {"ackctl bench publish --payload 4096 --batch 100 -o json", "the broker at ACKD_URL"},
            {NULL, NULL}},
    .run = run,
};
