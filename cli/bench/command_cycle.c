/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_cycle.c -- `ackctl bench cycle`: how fast tasks are leased and acked.
 *
 * Workers lease from a queue that always has enough. When its stock is used up they pause, the
 * clock stops, and it is filled again; the acks that were still to come are carried by the first
 * leases of the next stretch, so that in a stretch as many are acked as leased.
 */
#include "cli/bench/bench.h"
#include "cli/bench/feeder.h"
#include "cli/bench/meter.h"
#include "cli/bench/worker.h"

#define STRETCH_MIN 100 /* requests of each worker, at least, between two pauses */
#define STOCK_BYTES_MAX ((size_t)512 << 20)

struct cycle {
    struct feeder filler;
    struct worker *workers; /* one a link */
    struct histogram latencies;
    int64_t stock;    /* tasks in the queue that no request has asked for */
    int64_t until_ns; /* no lease is sent any more */
    int64_t leased;
};

static enum exit_code begin(struct bench *bench)
{
    struct cycle *self = bench->state;
    enum exit_code code = EXIT_OK;

    feeder_init(&self->filler, bench, feeder_fill_batch(bench->payload_bytes), false);
    self->workers = CLI_ARRAY(bench->cli, bench->connections, struct worker);
    for (size_t i = 0; i < bench->connections && code == EXIT_OK; i++)
        code = worker_init(&self->workers[i], bench, bench->batch);
    return code;
}

static void end(struct bench *bench)
{
    struct cycle *self = bench->state;

    for (size_t i = 0; self->workers != NULL && i < bench->connections; i++)
        worker_deinit(&self->workers[i]);
    feeder_deinit(&self->filler);
}

static void send_next(struct bench *bench, struct link *link)
{
    struct cycle *self = bench->state;
    struct load *load = &bench->load;

    if (self->stock < (int64_t)bench->batch || load->now_ns >= self->until_ns)
        return;
    self->stock -= (int64_t)bench->batch;
    load_send(load, link, request_seal(&self->workers[link->index].request), 0);
}

static void on_replied(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct bench *bench = load->context;
    struct cycle *self = bench->state;
    size_t tasks;
    enum exit_code code = worker_take(&self->workers[link->index], reply->body, &tasks);

    if (code != EXIT_OK) {
        load_fail(load, code);
        return;
    }
    self->leased += (int64_t)tasks;
    self->stock += (int64_t)(bench->batch - tasks); /* a reply has its limit in bytes */
    histogram_add(&self->latencies, reply->latency_ns);
    send_next(bench, link);
}

static enum exit_code fill(struct bench *bench, int64_t wanted)
{
    struct cycle *self = bench->state;
    int64_t before = self->filler.stored;
    enum exit_code code = EXIT_OK;

    if (wanted > self->stock)
        code = feeder_run(&self->filler, wanted - self->stock, INT64_MAX);
    self->stock += self->filler.stored - before;
    return code;
}

/* From a full stock until it is used up, or the time is over. */
static enum exit_code run_stretch(struct bench *bench, struct meter *meter)
{
    struct cycle *self = bench->state;
    struct load *load = &bench->load;
    enum exit_code code = meter_start(meter, &bench->target);

    if (code != EXIT_OK)
        return code;
    load->replied = on_replied;
    load->context = bench;
    load->now_ns = monotonic_ns();
    self->until_ns = load->now_ns + bench->time_ns - meter->took_ns;
    for (size_t i = 0; i < load->count; i++)
        send_next(bench, &load->links[i]);
    code = load_run(load);
    return code == EXIT_OK ? meter_stop(meter, &bench->target) : code;
}

/* Enough for the time that is left at the rate so far, with some to spare. */
static int64_t wanted_stock(const struct bench *bench, const struct meter *meter, int64_t leased)
{
    int64_t least = (int64_t)(bench->connections * bench->batch) * STRETCH_MIN;
    int64_t most = (int64_t)(STOCK_BYTES_MAX / bench->payload_bytes);
    double left_ns = (double)(bench->time_ns - meter->took_ns);
    int64_t wanted = least;

    if (meter->took_ns > 0)
        wanted = (int64_t)((double)leased * 1.2 * left_ns / (double)meter->took_ns);
    wanted = wanted < most ? wanted : most;
    return wanted > least ? wanted : least;
}

static enum exit_code run_round(struct bench *bench, struct figures *figures)
{
    struct cycle *self = bench->state;
    struct meter meter = {0};
    int64_t before = self->leased;
    enum exit_code code = EXIT_OK;

    histogram_clear(&self->latencies);
    while (meter.took_ns < bench->time_ns && code == EXIT_OK) {
        code = fill(bench, wanted_stock(bench, &meter, self->leased - before));
        if (code == EXIT_OK)
            code = run_stretch(bench, &meter);
    }
    if (code != EXIT_OK)
        return code;
    meter_report(&meter, self->leased - before, figures);
    meter_report_latencies(&self->latencies, figures);
    return EXIT_OK;
}

static void ignore(struct load *load, struct link *link, const struct link_reply *reply)
{
    (void)load, (void)link, (void)reply;
}

/* The last acks; then what was leased must be done, each task once. */
static enum exit_code check(struct bench *bench)
{
    struct cycle *self = bench->state;
    int64_t done = 0;
    enum exit_code code;

    bench->load.replied = ignore;
    for (size_t i = 0; i < bench->load.count; i++) {
        worker_ack_only(&self->workers[i]);
        load_send(&bench->load, &bench->load.links[i], request_seal(&self->workers[i].request), 0);
    }
    code = load_run(&bench->load);
    if (code == EXIT_OK)
        code = bench_count_done(bench, &done);
    if (code != EXIT_OK || done == self->leased)
        return code;
    complain("%lld tasks were leased and acked, but %lld are done", (long long)self->leased,
             (long long)done);
    return EXIT_REFUSED;
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
    return bench_run(cli, &scenario);
}

const struct command command_bench_cycle = {
    .name = "bench cycle",
    .summary = "measure how fast tasks are leased and acked",
    .description =
        "Each connection is a worker with a session: it leases a batch, and acks it with its next "
        "lease. A task counts once, leased and acked. The queue is filled before the clock starts, "
        "and again, with the clock stopped, when it is used up. With `--ceiling` the same records "
        "are written straight to LMDB, connections x batch tasks a commit.",
    .options =
        (const struct option_spec[]){
            BENCH_OPTIONS("4", "3s"), BENCH_BATCH("100"), BENCH_ROUNDS, BENCH_CEILING, {NULL}},
    .examples =
        (const struct example[]){
            {"ackctl bench cycle --spawn ./ackd --dir /mnt/disk --ceiling --batch 10",
             "small batches, beside what LMDB itself can do on that disk"},
            {"ackctl bench cycle -c 64 --batch 1", "64 workers that take one task at a time"},
            {NULL, NULL}},
    .run = run,
};
