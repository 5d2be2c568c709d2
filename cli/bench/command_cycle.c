/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_cycle.c -- `ackctl bench cycle`: how fast tasks are leased and acked.
 */
#include "cli/bench/bench.h"
#include "cli/bench/cycle.h"

static enum exit_code begin(struct bench *bench)
{
    enum exit_code code = bench_connect(bench, bench->connections);

    return code == EXIT_OK ? cycle_init(bench->state, bench, bench->queue, bench->batch) : code;
}

static enum exit_code run_round(struct bench *bench, struct figures *figures)
{
    struct cycle *self = bench->state;
    struct meter meter = {0};
    int64_t before = self->leased;
    enum exit_code code;

    histogram_clear(&self->latencies);
    code = cycle_measure(self, &meter, bench->time_ns);
    meter_report(&meter, self->leased - before, figures);
    meter_report_latencies(&self->latencies, figures);
    return code;
}

static enum exit_code check(struct bench *bench)
{
    return cycle_settle(bench->state);
}

static void end(struct bench *bench)
{
    cycle_deinit(bench->state);
}

static enum exit_code run_ceiling(struct bench *bench, struct ceiling_score *ret_score)
{
    return ceiling_cycle(&bench->ceiling, bench->batch * bench->connections, bench->time_ns,
                         ret_score);
}

static const struct scenario scenario = {
    .name = "cycle",
    .state_size = sizeof(struct cycle),
    .begin = begin,
    .round = run_round,
    .check = check,
    .end = end,
    .ceiling = run_ceiling,
};

static enum exit_code run(struct cli *cli)
{
    if (cli_number(cli, "queues") > cli_number(cli, "connections"))
        return cli_usage_error(cli, "each of the --queues needs a worker: give --connections %lld",
                               (long long)cli_number(cli, "queues"));
    return bench_run(cli, &scenario);
}

const struct command command_bench_cycle = {
    .name = "bench cycle",
    .summary = "measure how fast tasks are leased and acked",
    .description =
        "Each connection is a worker with a session: it leases a batch, and acks it with its next "
        "lease. A task counts once, leased and acked. The queue is filled before the clock starts, "
        "and again, with the clock stopped, when it is used up. With `--ceiling` the same records "
        "are written straight to LMDB, connections x batch tasks a commit. With `--queues` each "
        "worker "
        "works on one of them.",
    .options = (const struct option_spec[]){BENCH_SPAWN,
                                            BENCH_TLS,
                                            BENCH_DIR,
                                            BENCH_PAYLOAD,
                                            BENCH_CONNECTIONS("4", "workers"),
                                            BENCH_BATCH("100"),
                                            BENCH_QUEUES,
                                            BENCH_TIME("3s"),
                                            BENCH_ROUNDS,
                                            BENCH_CEILING,
                                            {NULL}},
    .examples =
        (const struct example[]){
            {"ackctl bench cycle --spawn ./ackd --dir /mnt/disk --ceiling --batch 10",
             "small batches, beside what LMDB itself can do on that disk"},
            {"ackctl bench cycle -c 64 --batch 1", "64 workers that take one task at a time"},
            {NULL, NULL}},
    .run = run,
};
