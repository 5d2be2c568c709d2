/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c -- one run of `ackctl bench SCENARIO`.
 */
#include "cli/bench/bench.h"

#include <linux/magic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ackd/v1/queue.pb-c.h"
#include "base/clock.h"
#include "cli/broker.h"
#include "cli/units.h"

#define FILES_BESIDE 64 /* descriptors that are no connections */

static enum exit_code open_all(struct bench *self);
static enum exit_code run_rounds(struct bench *self);
static void report(struct bench *self, const struct figures *rounds, bool is_durable);

/* Its default as a number, where the command has no such option. */
int64_t bench_option(const struct cli *cli, const char *name, int64_t fallback)
{
    for (const struct option_spec *spec = cli->command->options; spec->name != NULL; spec++)
        if (strcmp(spec->name, name) == 0)
            return spec->type == OPTION_FLAG ? cli_flag(cli, name) : cli_number(cli, name);
    return fallback;
}

static void init(struct bench *self, struct cli *cli, const struct scenario *scenario)
{
    *self = (struct bench){
        .cli = cli,
        .scenario = scenario,
        .state = cli_alloc(cli, scenario->state_size + 1),
        .payload_bytes = (size_t)cli_number(cli, "payload"),
        .batch = (size_t)bench_option(cli, "batch", 1),
        .connections = (size_t)cli_number(cli, "connections"),
        .depth = (size_t)bench_option(cli, "pipeline", 1),
        .time_ns = cli_number(cli, "time") * 1000000,
        .rounds = (size_t)bench_option(cli, "rounds", 1),
        .has_ids = bench_option(cli, "ids", 0) != 0,
        .with_ceiling = bench_option(cli, "ceiling", 0) != 0,
    };
    snprintf(self->queue, sizeof self->queue, "bench-%d-%lld", (int)getpid(),
             (long long)clock_wall_ms());
}

static void delete_queue(struct bench *self)
{
    Ackd__V1__DeleteQueueRequest request = ACKD__V1__DELETE_QUEUE_REQUEST__INIT;
    enum exit_code code;

    request.name = self->queue;
    if (self->has_queue && self->target.pid == 0)
        BROKER_CALL(self->cli, "QueueService", "Delete", &request, delete_queue_response, &code);
}

enum exit_code bench_run(struct cli *cli, const struct scenario *scenario)
{
    struct bench *self = cli_alloc(cli, sizeof *self);
    enum exit_code code;

    init(self, cli, scenario);
    code = open_all(self);
    if (code == EXIT_OK && scenario->begin != NULL)
        code = scenario->begin(self);
    if (code == EXIT_OK)
        code = run_rounds(self);
    if (code == EXIT_OK && scenario->check != NULL)
        code = scenario->check(self);
    if (scenario->end != NULL)
        scenario->end(self);
    load_close(&self->load);
    ceiling_close(&self->ceiling);
    delete_queue(self);
    target_close(&self->target);
    return code;
}

/* Room for every connection, here and in a broker that is started by us. */
static void raise_files(size_t connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < connections + FILES_BESIDE)
        limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

enum exit_code bench_make_queue(struct bench *self, const char *name)
{
    Ackd__V1__CreateQueueRequest request = ACKD__V1__CREATE_QUEUE_REQUEST__INIT;
    enum exit_code code;

    request.name = (char *)name;
    BROKER_CALL(self->cli, "QueueService", "Create", &request, create_queue_response, &code);
    return code;
}

enum exit_code bench_count_done(struct bench *self, int64_t *ret_done)
{
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    Ackd__V1__GetQueueResponse *reply;
    enum exit_code code;

    request.name = self->queue;
    reply = BROKER_CALL(self->cli, "QueueService", "Get", &request, get_queue_response, &code);
    if (reply != NULL)
        *ret_done = reply->queue->counts->done;
    return code;
}

static enum exit_code open_all(struct bench *self)
{
    enum exit_code code;

    raise_files(self->connections);
    code = target_open(&self->target, self->cli);
    if (code == EXIT_OK && self->with_ceiling)
        code = target_make_directory(&self->target);
    if (code == EXIT_OK && self->with_ceiling)
        code = ceiling_open(&self->ceiling, self->target.directory, self->payload_bytes,
                            self->has_ids);
    if (code == EXIT_OK)
        code = bench_make_queue(self, self->queue);
    self->has_queue = code == EXIT_OK;
    if (code == EXIT_OK)
        code = load_open(&self->load, &self->target.address, self->connections);
    return code;
}

static enum exit_code run_ceiling(struct bench *self, struct figures *figures)
{
    struct ceiling_score *score = cli_alloc(self->cli, sizeof *score);
    enum exit_code code = self->scenario->ceiling(self, score);

    if (code != EXIT_OK)
        return code;
    figures_set(figures, FIGURE_CEILING_RATE, score->rate_per_s);
    figures_set(figures, FIGURE_CEILING_P50,
                (double)histogram_percentile_ns(&score->commits, 0.5) / 1e3);
    figures_set(figures, FIGURE_CEILING_P99,
                (double)histogram_percentile_ns(&score->commits, 0.99) / 1e3);
    return EXIT_OK;
}

static enum exit_code run_round(struct bench *self, struct figures *figures)
{
    enum exit_code code = EXIT_OK;

    if (self->with_ceiling)
        code = run_ceiling(self, figures);
    if (code == EXIT_OK)
        code = self->scenario->round(self, figures);
    if (code == EXIT_OK && self->with_ceiling)
        figures_set(figures, FIGURE_RATIO,
                    figures_get(figures, FIGURE_RATE) / figures_get(figures, FIGURE_CEILING_RATE));
    return code;
}

static enum exit_code run_rounds(struct bench *self)
{
    struct figures *rounds = CLI_ARRAY(self->cli, self->rounds, struct figures);
    struct target_sample sample;
    enum exit_code code = target_sample(&self->target, &sample);
    struct text rate;

    for (size_t i = 0; i < self->rounds && code == EXIT_OK; i++) {
        code = run_round(self, &rounds[i]);
        if (code == EXIT_OK && self->cli->is_verbose)
            cli_say(self->cli, "round %zu of %zu: %s", i + 1, self->rounds,
                    units_rate(&rate, figures_get(&rounds[i], FIGURE_RATE)));
    }
    if (code == EXIT_OK)
        report(self, rounds, sample.is_durable);
    return code;
}

static const char *durability(const struct bench *self, bool is_durable)
{
    struct statfs disk;

    if (!is_durable)
        return "none: the store is in memory";
    if (self->target.pid != 0 && statfs(self->target.directory, &disk) == 0 &&
        disk.f_type == TMPFS_MAGIC)
        return "none: --dir is in memory";
    return "fsync before every reply";
}

static void report_json(const struct bench *self, const struct figures *medians,
                        const struct figures *rounds, bool is_durable)
{
    printf("{\"scenario\":\"%s\",\"durability\":\"%s\",\"payloadBytes\":%zu,\"batch\":%zu,"
           "\"connections\":%zu,\"pipeline\":%zu,",
           self->scenario->name, durability(self, is_durable), self->payload_bytes, self->batch,
           self->connections, self->depth);
    figures_print_json(medians);
    printf(",\"rounds\":[");
    for (size_t i = 0; i < self->rounds; i++) {
        printf("%s{", i == 0 ? "" : ",");
        figures_print_json(&rounds[i]);
        putchar('}');
    }
    printf("]}\n");
}

static void report(struct bench *self, const struct figures *rounds, bool is_durable)
{
    struct figures medians;

    figures_median(&medians, rounds, self->rounds);
    if (self->cli->is_json) {
        report_json(self, &medians, rounds, is_durable);
        return;
    }
    printf("%s: payload %zu B, %zu connection%s, %zu task%s a request, %zu round%s\n",
           self->scenario->name, self->payload_bytes, self->connections,
           self->connections == 1 ? "" : "s", self->batch, self->batch == 1 ? "" : "s",
           self->rounds, self->rounds == 1 ? "" : "s");
    printf("  %-28s%s\n", "durability", durability(self, is_durable));
    figures_print(&medians);
}
