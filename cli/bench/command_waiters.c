/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_waiters.c -- `ackctl bench waiters`: many workers that wait for one task each.
 *
 * The broker's memory is read before the connections are made and when all of them wait. Then one
 * more connection publishes a task for each of them at once.
 */
#include "ackd/v1/task.pb-c.h"
#include "cli/bench/bench.h"
#include "cli/bench/feeder.h"
#include "cli/bench/meter.h"
#include "cli/bench/wire.h"

#define WAIT_MS 60000
#define BATCH_MAX ((size_t)10000)

enum { CALL_LEASE, CALL_PUBLISH };
enum { LEASED_TASKS = 1 }; /* of LeaseResponse */

struct waiters {
    struct request lease;       /* all waiters'; it stays as it is */
    struct request publish;     /* a batch */
    struct request publish_end; /* what is left after whole batches */
    struct histogram latencies; /* from publish to the worker */
    int64_t begun_ns;
    int64_t reached_ns; /* the last of them */
    size_t reached;
    size_t unpublished; /* requests without a reply */
};

static enum exit_code begin(struct bench *bench)
{
    struct waiters *self = bench->state;
    Ackd__V1__LeaseRequest message = ACKD__V1__LEASE_REQUEST__INIT;

    message.queue = bench->queue;
    message.max_tasks = 1;
    message.wait_ms = WAIT_MS;
    request_init(&self->lease, bench->target.lines, "TaskService/Lease");
    request_add(&self->lease, &message.base);
    feeder_make_request(bench, bench->queue, BATCH_MAX, false, &self->publish);
    feeder_make_request(bench, bench->queue, bench->connections % BATCH_MAX, false,
                        &self->publish_end);
    return EXIT_OK;
}

static void end(struct bench *bench)
{
    struct waiters *self = bench->state;

    request_deinit(&self->lease);
    request_deinit(&self->publish);
    request_deinit(&self->publish_end);
}

static void on_leased(struct waiters *self, struct load *load, struct link *link,
                      struct slice reply)
{
    struct wire_field task;

    if (wire_find(reply, LEASED_TASKS, &task)) {
        histogram_add(&self->latencies, load->now_ns - self->begun_ns);
        self->reached_ns = load->now_ns;
        self->reached++;
    } else { /* it has waited for all of WAIT_MS: again */
        load_send(load, link, request_seal(&self->lease), CALL_LEASE);
    }
}

static void on_replied(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct waiters *self = load->context;

    if (reply->tag == CALL_LEASE)
        on_leased(self, load, link, reply->body);
    else
        self->unpublished--;
}

static enum exit_code wait_all(struct bench *bench)
{
    struct waiters *self = bench->state;
    struct load *load = &bench->load;
    enum exit_code code = bench_connect(bench, bench->connections + 1);

    if (code != EXIT_OK)
        return code;
    load->replied = on_replied;
    load->context = self;
    for (size_t i = 0; i < bench->connections; i++)
        load_send(load, &load->links[i], request_seal(&self->lease), CALL_LEASE);
    return bench_await_waiters(bench, (int64_t)bench->connections);
}

static enum exit_code publish_all(struct bench *bench)
{
    struct waiters *self = bench->state;
    struct load *load = &bench->load;
    struct link *link = &load->links[bench->connections];

    self->begun_ns = load->now_ns = monotonic_ns();
    for (size_t left = bench->connections; left > 0; self->unpublished++) {
        struct request *request = left >= BATCH_MAX ? &self->publish : &self->publish_end;

        load_send(load, link, request_seal(request), CALL_PUBLISH);
        left -= left >= BATCH_MAX ? BATCH_MAX : left;
    }
    return load_run(load);
}

static enum exit_code run_round(struct bench *bench, struct figures *figures)
{
    struct waiters *self = bench->state;
    double count = (double)bench->connections;
    struct target_sample before, waiting;
    enum exit_code code = target_sample(&bench->target, &before);

    if (code == EXIT_OK)
        code = wait_all(bench);
    if (code == EXIT_OK)
        code = target_sample(&bench->target, &waiting);
    if (code == EXIT_OK)
        code = publish_all(bench);
    if (code != EXIT_OK)
        return code;
    figures_set(figures, FIGURE_WAITERS, count);
    figures_set(figures, FIGURE_RSS, (double)waiting.rss_bytes);
    figures_set(figures, FIGURE_WAITER_BYTES,
                (double)(waiting.rss_bytes - before.rss_bytes) / count);
    figures_set(figures, FIGURE_REACHED, (double)(self->reached_ns - self->begun_ns) / 1e3);
    meter_report_latencies(&self->latencies, figures);
    return EXIT_OK;
}

static const struct scenario scenario = {
    .name = "waiters",
    .state_size = sizeof(struct waiters),
    .begin = begin,
    .round = run_round,
    .end = end,
};

static enum exit_code run(struct cli *cli)
{
    return bench_run(cli, &scenario);
}

const struct command command_bench_waiters = {
    .name = "bench waiters",
    .summary = "measure what many waiting workers cost, and how soon they are served",
    .description =
        "Opens many connections that wait for a task in a long poll, tells what each costs the "
        "broker in memory, then publishes a task for each at once; p50, p99 and p99.9 are the time "
        "from the publish until a worker has its task. Each connection takes a file descriptor "
        "here and one in the broker; see `ulimit -n`.",
    .options = (const struct option_spec[]){BENCH_SPAWN,
                                            BENCH_TLS,
                                            BENCH_DIR,
                                            BENCH_PAYLOAD,
                                            BENCH_CONNECTIONS("10000", "workers that wait"),
                                            {NULL}},
    .run = run,
};
