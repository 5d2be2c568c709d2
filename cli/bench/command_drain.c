/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_drain.c -- `ackctl bench drain`: a backlog, worked off to the last task.
 */
#include "cli/bench/bench.h"
#include "cli/bench/feeder.h"
#include "cli/bench/meter.h"
#include "cli/bench/wire.h"
#include "cli/bench/worker.h"

enum { CALL_LEASE, CALL_ACK };
enum { LEASED_SITUATION = 4, SITUATION_READY = 1 }; /* of LeaseResponse */

struct drain {
    struct feeder feeder;
    struct worker *workers; /* one a link */
    size_t worker_count;
    struct histogram latencies; /* of both calls */
    int64_t acked;
};

static enum exit_code begin(struct bench *bench)
{
    const struct worker_options options = {
        .queue = bench->queue, .batch = bench->batch, .acks_apart = true};
    struct drain *self = bench->state;
    enum exit_code code = bench_connect(bench, bench->connections);

    if (code != EXIT_OK)
        return code;
    feeder_init(&self->feeder, bench, bench->queue, feeder_fill_batch(bench->payload_bytes), false);
    self->workers = CLI_ARRAY(bench->cli, bench->connections, struct worker);
    self->worker_count = bench->connections;
    for (size_t i = 0; i < self->worker_count && code == EXIT_OK; i++)
        code = worker_init(&self->workers[i], bench, &options);
    return code;
}

static void end(struct bench *bench)
{
    struct drain *self = bench->state;

    for (size_t i = 0; i < self->worker_count; i++)
        worker_deinit(&self->workers[i]);
    feeder_deinit(&self->feeder);
}

/* After a lease: the ack, or nothing more once the broker says that no task is ready. */
static enum exit_code on_leased(struct load *load, struct link *link, struct worker *worker,
                                struct slice reply)
{
    struct wire_field situation;
    size_t tasks;
    enum exit_code code = worker_take(worker, reply, &tasks);

    if (code != EXIT_OK)
        return code;
    if (tasks > 0)
        load_send(load, link, request_seal(&worker->ack), CALL_ACK);
    else if (wire_find(reply, LEASED_SITUATION, &situation) &&
             wire_number(situation.bytes, SITUATION_READY) > 0)
        load_send(load, link, request_seal(&worker->lease), CALL_LEASE);
    return EXIT_OK;
}

static enum exit_code on_acked(struct load *load, struct link *link, struct worker *worker,
                               struct slice reply)
{
    struct drain *self = load->context;
    size_t tasks = worker->acks;
    enum exit_code code = worker_check_acked(worker, reply);

    if (code != EXIT_OK)
        return code;
    self->acked += (int64_t)tasks;
    load_send(load, link, request_seal(&worker->lease), CALL_LEASE);
    return EXIT_OK;
}

static void on_replied(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct drain *self = load->context;
    struct worker *worker = &self->workers[link->index];

    histogram_add(&self->latencies, reply->latency_ns);
    load_fail(load, reply->tag == CALL_LEASE ? on_leased(load, link, worker, reply->body)
                                             : on_acked(load, link, worker, reply->body));
}

static enum exit_code drain(struct bench *bench)
{
    struct drain *self = bench->state;
    struct load *load = &bench->load;

    load->replied = on_replied;
    load->context = self;
    load->now_ns = monotonic_ns();
    for (size_t i = 0; i < load->count; i++)
        load_send(load, &load->links[i], request_seal(&self->workers[i].lease), CALL_LEASE);
    return load_run(load);
}

static enum exit_code run_round(struct bench *bench, struct figures *figures)
{
    struct drain *self = bench->state;
    struct meter meter = {0};
    int64_t before = self->acked;
    enum exit_code code;

    histogram_clear(&self->latencies);
    code = feeder_run(&self->feeder, bench->tasks, INT64_MAX);
    if (code == EXIT_OK)
        code = meter_start(&meter, &bench->target);
    if (code == EXIT_OK)
        code = drain(bench);
    if (code == EXIT_OK)
        code = meter_stop(&meter, &bench->target);
    meter_report(&meter, self->acked - before, figures);
    meter_report_latencies(&self->latencies, figures);
    return code;
}

static enum exit_code check(struct bench *bench)
{
    struct drain *self = bench->state;
    int64_t done = 0;
    enum exit_code code = bench_count_done(bench, bench->queue, &done);

    if (code != EXIT_OK || (done == self->feeder.stored && done == self->acked))
        return code;
    complain("%lld tasks were published and %lld acked, but %lld are done",
             (long long)self->feeder.stored, (long long)self->acked, (long long)done);
    return EXIT_REFUSED;
}

static const struct scenario scenario = {
    .name = "drain",
    .state_size = sizeof(struct drain),
    .begin = begin,
    .round = run_round,
    .check = check,
    .end = end,
};

static enum exit_code run(struct cli *cli)
{
    return bench_run(cli, &scenario);
}

const struct command command_bench_drain = {
    .name = "bench drain",
    .summary = "measure how fast a backlog is worked off, to the last task",
    .description =
        "Publishes `--tasks`, then starts the clock: each connection is a worker that leases a "
        "batch and acks it by a call of its own, as a client does that does not carry its acks "
        "with the next lease (see `ackctl bench cycle`), until the broker says that nothing is "
        "left. p50, p99 and p99.9 are of both calls.",
    .options = (const struct option_spec[]){BENCH_SPAWN,
                                            BENCH_TLS,
                                            BENCH_DIR,
                                            BENCH_PAYLOAD,
                                            BENCH_TASKS("500000", "the backlog"),
                                            BENCH_CONNECTIONS("4", "workers"),
                                            BENCH_BATCH("100"),
                                            BENCH_ROUNDS,
                                            {NULL}},
    .run = run,
};
