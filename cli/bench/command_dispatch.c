/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_dispatch.c -- `ackctl bench dispatch`: how soon a task that is published reaches a worker
 * that waits for one.
 *
 * The publisher keeps to its times whether the broker is late or not: a stall is seen by every task
 * that falls into it. The time of sending travels in the payload's first bytes. A worker acks its
 * task and waits for the next in one go, over one connection.
 */
#include "base/assert.h"
#include "cli/bench/bench.h"
#include "cli/bench/feeder.h"
#include "cli/bench/meter.h"
#include "cli/bench/wire.h"
#include "cli/bench/worker.h"

#define WAIT_MS 60000
#define SECOND_NS INT64_C(1000000000)

enum { CALL_PUBLISH, CALL_LEASE, CALL_ACK };
enum { PUBLISH_TASKS = 2, NEW_PAYLOAD = 2 };   /* of PublishRequest */
enum { LEASED_TASKS = 1, LEASED_PAYLOAD = 2 }; /* of LeaseResponse */

struct dispatch {
    struct worker *workers; /* one a link but the last, which is the publisher's */
    size_t worker_count;
    struct request publishes[LINK_DEPTH_MAX]; /* one a place in the pipeline */
    size_t stamp_at;                          /* in their bodies */
    struct histogram latencies;               /* from publish to the worker */

    int64_t interval_ns;
    int64_t due_ns;   /* of the next publish */
    int64_t until_ns; /* none is due any more */
    bool held_back;   /* the next one was due, but the pipeline was full */
    int64_t sent;
    int64_t received;
    size_t unanswered; /* publishes and acks */
};

static void make_publish(struct bench *bench, struct dispatch *self, struct request *request)
{
    struct wire_field field;
    struct slice body;

    feeder_make_request(bench, bench->queue, 1, false, request);
    body = slice_of(request_body(request), request_body_size(request));
    if (wire_find(body, PUBLISH_TASKS, &field) && wire_find(field.bytes, NEW_PAYLOAD, &field))
        self->stamp_at = (size_t)(field.bytes.data - body.data);
    ASSERT(self->stamp_at > 0);
}

static enum exit_code begin(struct bench *bench)
{
    const struct worker_options options = {
        .queue = bench->queue, .batch = 1, .wait_ms = WAIT_MS, .acks_apart = true};
    struct dispatch *self = bench->state;
    enum exit_code code = bench_connect(bench, bench->connections + 1);

    if (code != EXIT_OK)
        return code;
    self->interval_ns = SECOND_NS / bench_option(bench->cli, "rate", 1);
    for (size_t i = 0; i < LINK_DEPTH_MAX; i++)
        make_publish(bench, self, &self->publishes[i]);
    self->workers = CLI_ARRAY(bench->cli, bench->connections, struct worker);
    self->worker_count = bench->connections;
    for (size_t i = 0; i < self->worker_count && code == EXIT_OK; i++)
        code = worker_init(&self->workers[i], bench, &options);
    for (size_t i = 0; i < self->worker_count && code == EXIT_OK; i++)
        load_send(&bench->load, &bench->load.links[i], request_seal(&self->workers[i].lease),
                  CALL_LEASE);
    return code;
}

static void end(struct bench *bench)
{
    struct dispatch *self = bench->state;

    for (size_t i = 0; i < self->worker_count; i++)
        worker_deinit(&self->workers[i]);
    for (size_t i = 0; i < LINK_DEPTH_MAX; i++)
        request_deinit(&self->publishes[i]);
}

static void publish(struct dispatch *self, struct load *load, struct link *link, int64_t stamp_ns)
{
    struct request *request = &self->publishes[link->begun % LINK_DEPTH_MAX];

    memcpy(request_body(request) + self->stamp_at, &stamp_ns, sizeof stamp_ns);
    load_send(load, link, request_seal(request), CALL_PUBLISH);
    self->sent++;
    self->unanswered++;
}

/* Publishes all that is due. What had to wait because the pipeline was full counts from when it was
 * due; what comes late because this thread slept does not: that is not the broker's doing. */
static void on_tick(struct load *load)
{
    struct dispatch *self = load->context;
    struct link *link = &load->links[self->worker_count];
    int64_t now_ns = monotonic_ns();

    while (self->due_ns <= now_ns && self->due_ns < self->until_ns) {
        self->held_back |= link_in_flight(link) == LINK_DEPTH_MAX;
        if (link_in_flight(link) == LINK_DEPTH_MAX)
            break;
        publish(self, load, link, self->held_back ? self->due_ns : now_ns);
        self->due_ns += self->interval_ns;
    }
    if (self->due_ns > now_ns)
        self->held_back = false;
    if (self->due_ns < self->until_ns)
        load_wake(load, self->held_back ? now_ns + self->interval_ns : self->due_ns);
}

static enum exit_code on_leased(struct dispatch *self, struct load *load, struct link *link,
                                const struct link_reply *reply)
{
    struct worker *worker = &self->workers[link->index];
    struct wire_field field;
    int64_t stamp_ns;
    size_t tasks;
    enum exit_code code = worker_take(worker, reply->body, &tasks);

    if (code != EXIT_OK)
        return code;
    if (tasks > 0 && wire_find(reply->body, LEASED_TASKS, &field) &&
        wire_find(field.bytes, LEASED_PAYLOAD, &field) && field.bytes.size >= sizeof stamp_ns) {
        memcpy(&stamp_ns, field.bytes.data, sizeof stamp_ns);
        histogram_add(&self->latencies, load->now_ns - stamp_ns);
        self->received++;
        self->unanswered++;
        load_queue(load, link, request_seal(&worker->ack), CALL_ACK);
    }
    load_send(load, link, request_seal(&worker->lease), CALL_LEASE);
    return EXIT_OK;
}

static void on_replied(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct dispatch *self = load->context;

    if (reply->tag == CALL_LEASE) {
        load_fail(load, on_leased(self, load, link, reply));
    } else {
        self->unanswered--;
        if (reply->tag == CALL_ACK)
            load_fail(load, worker_check_acked(&self->workers[link->index], reply->body));
    }
    if (self->due_ns >= self->until_ns && self->received == self->sent && self->unanswered == 0)
        load_stop(load);
}

static enum exit_code dispatch(struct bench *bench)
{
    struct dispatch *self = bench->state;
    struct load *load = &bench->load;

    load->replied = on_replied;
    load->ticked = on_tick;
    load->context = self;
    self->due_ns = monotonic_ns() + self->interval_ns;
    self->until_ns = self->due_ns + bench->time_ns;
    load_wake(load, self->due_ns);
    return load_run(load);
}

static enum exit_code run_round(struct bench *bench, struct figures *figures)
{
    struct dispatch *self = bench->state;
    struct meter meter = {0};
    int64_t before = self->received;
    enum exit_code code = bench_await_waiters(bench, (int64_t)bench->connections);

    histogram_clear(&self->latencies);
    if (code == EXIT_OK)
        code = meter_start(&meter, &bench->target);
    if (code == EXIT_OK)
        code = dispatch(bench);
    if (code == EXIT_OK)
        code = meter_stop(&meter, &bench->target);
    meter_report(&meter, self->received - before, figures);
    meter_report_latencies(&self->latencies, figures);
    return code;
}

static const struct scenario scenario = {
    .name = "dispatch",
    .state_size = sizeof(struct dispatch),
    .begin = begin,
    .round = run_round,
    .end = end,
};

static enum exit_code run(struct cli *cli)
{
    return bench_run(cli, &scenario);
}

const struct command command_bench_dispatch = {
    .name = "bench dispatch",
    .summary = "measure how soon a published task reaches a worker that waits",
    .description =
        "Publishes one task at a time at a steady `--rate`, whether the broker keeps up or not, "
        "while workers wait in long polls. p50, p99 and p99.9 are the time from sending the "
        "publish until the worker has the task.",
    .options = (const struct option_spec[]){BENCH_SPAWN,
                                            BENCH_TLS,
                                            BENCH_DIR,
                                            BENCH_PAYLOAD,
                                            BENCH_CONNECTIONS("4", "workers that wait"),
                                            {"rate", 0, OPTION_NUMBER, "N", "500",
                                             "publishes a second", 1, 100000},
                                            BENCH_TIME("3s"),
                                            BENCH_ROUNDS,
                                            {NULL}},
    .run = run,
};
