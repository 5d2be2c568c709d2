/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cycle.c -- workers on a queue that always has enough.
 */
#include "cli/bench/cycle.h"

#define REQUESTS_MIN 100 /* of each worker, at least, between two pauses */
#define STOCK_BYTES_MAX ((size_t)512 << 20)

static size_t queue_of(const struct cycle *self, size_t worker)
{
    return worker % self->feeder.spread;
}

static enum exit_code init_worker(struct cycle *self, size_t index)
{
    const char *queue =
        self->feeder.spread > 1 ? self->bench->queues[queue_of(self, index)] : self->queue;
    const struct worker_options options = {.queue = queue, .batch = self->batch};

    return worker_init(&self->workers[index], self->bench, &options);
}

enum exit_code cycle_init(struct cycle *self, struct bench *bench, const char *queue, size_t batch)
{
    enum exit_code code = EXIT_OK;

    *self = (struct cycle){.bench = bench, .queue = queue, .batch = batch};
    feeder_init(&self->feeder, bench, queue, feeder_fill_batch(bench->payload_bytes), false);
    self->taken = CLI_ARRAY(bench->cli, self->feeder.spread, int64_t);
    self->workers = CLI_ARRAY(bench->cli, bench->load.count, struct worker);
    self->worker_count = bench->load.count;
    for (size_t i = 0; i < self->worker_count && code == EXIT_OK; i++)
        code = init_worker(self, i);
    return code;
}

void cycle_deinit(struct cycle *self)
{
    for (size_t i = 0; i < self->worker_count; i++)
        worker_deinit(&self->workers[i]);
    feeder_deinit(&self->feeder);
}

static int64_t stock_in(const struct cycle *self, size_t queue)
{
    return self->feeder.stored_in[queue] - self->taken[queue];
}

int64_t cycle_stock(const struct cycle *self)
{
    int64_t stock = 0;

    for (size_t i = 0; i < self->feeder.spread; i++)
        stock += stock_in(self, i);
    return stock;
}

enum exit_code cycle_fill(struct cycle *self, int64_t stock)
{
    int64_t missing = stock - cycle_stock(self);

    return missing > 0 ? feeder_run(&self->feeder, missing, INT64_MAX) : EXIT_OK;
}

static void send_next(struct cycle *self, struct link *link)
{
    struct load *load = &self->bench->load;
    size_t queue = queue_of(self, link->index);

    if (stock_in(self, queue) < (int64_t)self->batch || load->now_ns >= self->until_ns)
        return;
    self->taken[queue] += (int64_t)self->batch;
    load_send(load, link, request_seal(&self->workers[link->index].lease), 0);
}

static void on_replied(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct cycle *self = load->context;
    size_t tasks;
    enum exit_code code = worker_take(&self->workers[link->index], reply->body, &tasks);

    if (code == EXIT_OK && tasks == 0) {
        complain("the broker leased no task, although at least %zu are ready", self->batch);
        code = EXIT_REFUSED;
    }
    if (code != EXIT_OK) {
        load_fail(load, code);
        return;
    }
    self->leased += (int64_t)tasks;
    self->taken[queue_of(self, link->index)] -=
        (int64_t)(self->batch - tasks); /* a reply has its limit in bytes */
    histogram_add(&self->latencies, reply->latency_ns);
    send_next(self, link);
}

enum exit_code cycle_stretch(struct cycle *self, struct meter *meter, int64_t time_ns)
{
    struct load *load = &self->bench->load;
    enum exit_code code = meter_start(meter, &self->bench->target);

    if (code != EXIT_OK)
        return code;
    load->replied = on_replied;
    load->context = self;
    load->now_ns = monotonic_ns();
    self->until_ns = load->now_ns + time_ns;
    for (size_t i = 0; i < load->count; i++)
        send_next(self, &load->links[i]);
    code = load_run(load);
    return code == EXIT_OK ? meter_stop(meter, &self->bench->target) : code;
}

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Enough for the time that is left at the rate so far, with some to spare. */
static int64_t stock_for(const struct cycle *self, int64_t leased, int64_t took_ns, int64_t left_ns)
{
    int64_t at_once = (int64_t)(self->worker_count * self->batch);
    int64_t most = (int64_t)(STOCK_BYTES_MAX / self->bench->payload_bytes);
    int64_t wanted = 0;

    if (took_ns > 0)
        wanted = (int64_t)((double)leased * 1.2 * (double)left_ns / (double)took_ns);
    wanted = max_i64(wanted, at_once * REQUESTS_MIN);
    return max_i64(min_i64(wanted, most), at_once);
}

enum exit_code cycle_measure(struct cycle *self, struct meter *meter, int64_t time_ns)
{
    int64_t before = self->leased;
    int64_t before_ns = meter->took_ns;
    int64_t took_ns = 0;
    enum exit_code code = EXIT_OK;

    while (code == EXIT_OK && took_ns < time_ns) {
        code = cycle_fill(self, stock_for(self, self->leased - before, took_ns, time_ns - took_ns));
        if (code == EXIT_OK)
            code = cycle_stretch(self, meter, time_ns - took_ns);
        took_ns = meter->took_ns - before_ns;
    }
    return code;
}

static void ignore(struct load *load, struct link *link, const struct link_reply *reply)
{
    (void)load, (void)link, (void)reply;
}

static enum exit_code count_done(const struct cycle *self, int64_t *ret_done)
{
    enum exit_code code = EXIT_OK;
    int64_t done;

    if (self->feeder.spread == 1)
        return bench_count_done(self->bench, self->queue, ret_done);
    *ret_done = 0;
    for (size_t i = 0; i < self->feeder.spread && code == EXIT_OK; i++) {
        code = bench_count_done(self->bench, self->bench->queues[i], &done);
        *ret_done += code == EXIT_OK ? done : 0;
    }
    return code;
}

enum exit_code cycle_settle(struct cycle *self)
{
    struct load *load = &self->bench->load;
    int64_t done = 0;
    enum exit_code code;

    load->replied = ignore;
    for (size_t i = 0; i < self->worker_count; i++) {
        worker_ack_only(&self->workers[i]);
        load_send(load, &load->links[i], request_seal(&self->workers[i].lease), 0);
    }
    code = load_run(load);
    if (code == EXIT_OK)
        code = count_done(self, &done);
    if (code != EXIT_OK || done == self->leased)
        return code;
    complain("%lld tasks were leased and acked, but %lld are done", (long long)self->leased,
             (long long)done);
    return EXIT_REFUSED;
}
