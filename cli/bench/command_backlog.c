/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_backlog.c -- `ackctl bench backlog`: what a long queue costs.
 *
 *   1  lease+ack on a queue that is kept short, in one of its own
 *   2  publish into an empty queue; on to the whole backlog; publish behind it
 *   3  memory and disk, with the backlog lying there
 *   4  lease+ack from its head
 *   5  kill -9, start, first lease; nothing may be missing      (only of a broker that is ours)
 */
#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "cli/bench/bench.h"
#include "cli/bench/cycle.h"
#include "cli/broker.h"

struct backlog {
    char long_queue[BENCH_QUEUE_MAX]; /* bench->queue is the short one */
    struct cycle on_short;
    struct cycle on_long;
};

static enum exit_code begin(struct bench *bench)
{
    struct backlog *self = bench->state;
    enum exit_code code = bench_connect(bench, bench->connections);

    if (code == EXIT_OK)
        code = bench_make_queue(bench, "long", self->long_queue);
    if (code == EXIT_OK)
        code = cycle_init(&self->on_short, bench, bench->queue, bench->batch);
    if (code == EXIT_OK)
        code = cycle_init(&self->on_long, bench, self->long_queue, bench->batch);
    return code;
}

static void end(struct bench *bench)
{
    struct backlog *self = bench->state;

    cycle_deinit(&self->on_short);
    cycle_deinit(&self->on_long);
}

static enum exit_code measure_short(struct bench *bench, struct figures *figures)
{
    struct backlog *self = bench->state;
    struct meter meter = {0};
    enum exit_code code = cycle_measure(&self->on_short, &meter, bench->time_ns);

    if (code == EXIT_OK)
        code = cycle_settle(&self->on_short);
    figures_set(figures, FIGURE_CYCLE_EMPTY, meter_rate(&meter, self->on_short.leased));
    return code;
}

static enum exit_code measure_publish(struct bench *bench, struct figures *figures,
                                      enum figure figure)
{
    struct cycle *cycle = &((struct backlog *)bench->state)->on_long;
    struct meter meter = {0};
    int64_t before = cycle->feeder.stored;
    enum exit_code code = meter_start(&meter, &bench->target);

    if (code == EXIT_OK)
        code = feeder_run(&cycle->feeder, INT64_MAX, monotonic_ns() + bench->time_ns);
    if (code == EXIT_OK)
        code = meter_stop(&meter, &bench->target);
    figures_set(figures, figure, meter_rate(&meter, cycle->feeder.stored - before));
    return code;
}

/* Publishes the backlog; *ret_before is how the broker was without it. */
static enum exit_code pile_up(struct bench *bench, struct figures *figures)
{
    struct cycle *cycle = &((struct backlog *)bench->state)->on_long;
    struct target_sample before, after;
    enum exit_code code = target_sample(&bench->target, &before);

    if (code == EXIT_OK)
        code = measure_publish(bench, figures, FIGURE_PUBLISH_EMPTY);
    if (code == EXIT_OK)
        code = cycle_fill(cycle, bench->tasks);
    if (code == EXIT_OK)
        code = target_sample(&bench->target, &after);
    if (code != EXIT_OK)
        return code;
    figures_set(figures, FIGURE_BACKLOG, (double)cycle_stock(cycle));
    figures_set(figures, FIGURE_RSS, (double)after.rss_bytes);
    if (after.anonymous_bytes >= 0)
        figures_set(figures, FIGURE_ANONYMOUS, (double)after.anonymous_bytes);
    figures_set(figures, FIGURE_DISK,
                (double)(after.used_bytes - before.used_bytes) / (double)cycle_stock(cycle));
    return EXIT_OK;
}

static enum exit_code measure_head(struct bench *bench, struct figures *figures)
{
    struct cycle *cycle = &((struct backlog *)bench->state)->on_long;
    struct meter meter = {0};
    enum exit_code code = cycle_stretch(cycle, &meter, bench->time_ns);

    if (code == EXIT_OK)
        code = cycle_settle(cycle);
    figures_set(figures, FIGURE_CYCLE_FULL, meter_rate(&meter, cycle->leased));
    return code;
}

static enum exit_code lease_one(struct bench *bench)
{
    Ackd__V1__LeaseRequest request = ACKD__V1__LEASE_REQUEST__INIT;
    Ackd__V1__LeaseResponse *reply;
    enum exit_code code;

    request.queue = ((struct backlog *)bench->state)->long_queue;
    request.max_tasks = 1;
    reply = BROKER_CALL(bench->cli, "TaskService", "Lease", &request, lease_response, &code);
    if (reply == NULL || reply->n_tasks == 1)
        return code;
    complain("after kill -9 and a restart no task was leased");
    return EXIT_REFUSED;
}

static enum exit_code check_whole(struct bench *bench)
{
    struct cycle *cycle = &((struct backlog *)bench->state)->on_long;
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    Ackd__V1__GetQueueResponse *reply;
    const Ackd__V1__Counts *counts;
    enum exit_code code;

    request.name = (char *)cycle->queue;
    reply = BROKER_CALL(bench->cli, "QueueService", "Get", &request, get_queue_response, &code);
    if (reply == NULL)
        return code;
    counts = reply->queue->counts;
    if (counts->done == cycle->leased &&
        counts->done + counts->ready + counts->leased == cycle->feeder.stored)
        return EXIT_OK;
    complain("%lld tasks were published and %lld acked, but after kill -9 there are %lld done, "
             "%lld leased and %lld ready",
             (long long)cycle->feeder.stored, (long long)cycle->leased, (long long)counts->done,
             (long long)counts->leased, (long long)counts->ready);
    return EXIT_REFUSED;
}

static enum exit_code measure_restart(struct bench *bench, struct figures *figures)
{
    int64_t begun_ns;
    enum exit_code code;

    load_close(&bench->load);
    begun_ns = monotonic_ns();
    target_kill(&bench->target);
    code = target_start(&bench->target);
    if (code == EXIT_OK)
        code = lease_one(bench);
    figures_set(figures, FIGURE_RESTART, (double)(monotonic_ns() - begun_ns) / 1e3);
    return code == EXIT_OK ? check_whole(bench) : code;
}

static enum exit_code run_round(struct bench *bench, struct figures *figures)
{
    enum exit_code code = measure_short(bench, figures);

    if (code == EXIT_OK)
        code = pile_up(bench, figures);
    if (code == EXIT_OK)
        code = measure_publish(bench, figures, FIGURE_PUBLISH_FULL);
    if (code == EXIT_OK)
        code = measure_head(bench, figures);
    if (code == EXIT_OK && bench->target.pid != 0)
        code = measure_restart(bench, figures);
    return code;
}

static const struct scenario scenario = {
    .name = "backlog",
    .state_size = sizeof(struct backlog),
    .begin = begin,
    .round = run_round,
    .end = end,
};

static enum exit_code run(struct cli *cli)
{
    return bench_run(cli, &scenario);
}

const struct command command_bench_backlog = {
    .name = "bench backlog",
    .summary = "measure what a long queue costs",
    .description =
        "Publishes `--tasks` and tells what they cost in memory and on disk, how fast tasks are "
        "published into the empty queue and behind the backlog, and how fast they are leased and "
        "acked in a queue that is kept short and from the backlog's head: a broker that scales "
        "has the same rates in both. A broker started by `--spawn` is then killed (SIGKILL) and "
        "started again; from the kill to the first lease counts, and no task may be missing.",
    .options = (const struct option_spec[]){BENCH_SPAWN,
                                            BENCH_TLS,
                                            BENCH_DIR,
                                            BENCH_PAYLOAD,
                                            BENCH_TASKS("1000000", "the backlog, at least"),
                                            BENCH_CONNECTIONS("4", "publishers, and then workers"),
                                            BENCH_BATCH("100"),
                                            BENCH_TIME("3s"),
                                            {NULL}},
    .run = run,
};
