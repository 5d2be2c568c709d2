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

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "base/assert.h"
#include "base/clock.h"
#include "cli/broker.h"
#include "cli/interrupt.h"
#include "cli/units.h"

#define FILES_BESIDE 64 /* descriptors that are no connections */
#define WAITERS_NS INT64_C(30000000000)
#define POLL_MS 5

static enum exit_code open_all(struct bench *self, bool sealed);
static enum exit_code run_rounds(struct bench *self, struct bench *twin);
static void report(struct bench *self, const struct figures *rounds, bool is_durable);

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
        .connections = (size_t)bench_option(cli, "connections", 1),
        .tasks = bench_option(cli, "tasks", 0),
        .depth = (size_t)bench_option(cli, "pipeline", 1),
        .time_ns = bench_option(cli, "time", 0) * 1000000,
        .rounds = (size_t)bench_option(cli, "rounds", 1),
        .spread = (size_t)bench_option(cli, "queues", 1),
        .has_ids = bench_option(cli, "ids", 0) != 0,
        .with_ceiling = bench_option(cli, "ceiling", 0) != 0,
    };
    self->queues = cli_alloc(cli, (self->spread + BENCH_QUEUES_BESIDE) * sizeof *self->queues);
    snprintf(self->queue, sizeof self->queue, "bench-%d-%lld-%0*d", (int)getpid(),
             (long long)clock_wall_ms(), BENCH_SPREAD_DIGITS, 0);
}

static void delete_queue(struct bench *self, const char *queue)
{
    Ackd__V1__DeleteQueueRequest request = ACKD__V1__DELETE_QUEUE_REQUEST__INIT;
    enum exit_code code;

    request.name = (char *)queue;
    BROKER_CALL(self->cli, "QueueService", "Delete", &request, delete_queue_response, &code);
}

/* A spawned broker's vanish with it. */
static void delete_queues(struct bench *self)
{
    for (size_t i = 0; i < self->queue_count && self->target.pid == 0; i++)
        delete_queue(self, self->queues[i]);
}

static enum exit_code begin(struct bench *self, struct cli *cli, const struct scenario *scenario,
                            bool sealed)
{
    enum exit_code code;

    init(self, cli, scenario);
    code = open_all(self, sealed);
    return code == EXIT_OK && scenario->begin != NULL ? scenario->begin(self) : code;
}

/* However far it came; a zeroed one did not begin. */
static void end(struct bench *self)
{
    if (self->scenario == NULL)
        return;
    if (self->scenario->end != NULL)
        self->scenario->end(self);
    load_close(&self->load);
    ceiling_close(&self->ceiling);
    delete_queues(self);
    target_close(&self->target);
}

enum exit_code bench_run(struct cli *cli, const struct scenario *scenario)
{
    struct bench *self = cli_alloc(cli, sizeof *self);
    struct bench *twin = bench_option(cli, "tls", 0) != 0 ? cli_alloc(cli, sizeof *twin) : NULL;
    enum exit_code code = EXIT_OK;

    memset(self, 0, sizeof *self);
    if (twin != NULL)
        code = begin(twin, cli, scenario, false);
    if (code == EXIT_OK)
        code = begin(self, cli, scenario, twin != NULL);
    if (code == EXIT_OK)
        code = run_rounds(self, twin);
    if (code == EXIT_OK && scenario->check != NULL)
        code = scenario->check(self);
    end(self);
    if (twin != NULL)
        end(twin);
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

static enum exit_code make_queue(struct bench *self, const char *name)
{
    Ackd__V1__CreateQueueRequest request = ACKD__V1__CREATE_QUEUE_REQUEST__INIT;
    enum exit_code code;

    ASSERT(self->queue_count < self->spread + BENCH_QUEUES_BESIDE);
    request.name = (char *)name;
    if (BROKER_CALL(self->cli, "QueueService", "Create", &request, create_queue_response, &code) ==
        NULL)
        return code;
    snprintf(self->queues[self->queue_count++], BENCH_QUEUE_MAX, "%s", name);
    return EXIT_OK;
}

enum exit_code bench_make_queue(struct bench *self, const char *suffix,
                                char ret_queue[BENCH_QUEUE_MAX])
{
    snprintf(ret_queue, BENCH_QUEUE_MAX, "%.64s-%s", self->queue, suffix);
    return make_queue(self, ret_queue);
}

/* Those that tasks are spread over: their names differ in the digits at the end. */
static enum exit_code make_queues(struct bench *self)
{
    char name[BENCH_QUEUE_MAX];
    size_t fixed = strlen(self->queue) - BENCH_SPREAD_DIGITS;
    enum exit_code code = EXIT_OK;

    for (size_t i = 0; i < self->spread && code == EXIT_OK; i++) {
        snprintf(name, sizeof name, "%.*s%0*zu", (int)fixed, self->queue, BENCH_SPREAD_DIGITS, i);
        code = make_queue(self, name);
    }
    return code;
}

static enum exit_code open_all(struct bench *self, bool sealed)
{
    enum exit_code code;

    raise_files(self->connections);
    code = target_open(&self->target, self->cli, sealed);
    if (code == EXIT_OK && self->with_ceiling)
        code = target_make_directory(&self->target);
    if (code == EXIT_OK && self->with_ceiling)
        code = ceiling_open(&self->ceiling, self->target.directory, self->payload_bytes,
                            self->has_ids);
    if (code == EXIT_OK)
        code = make_queues(self);
    return code;
}

enum exit_code bench_connect(struct bench *self, size_t links)
{
    return load_open(&self->load, &self->target.address, links);
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
    if (score->tasks > 0)
        figures_set(figures, FIGURE_CEILING_CPU, score->cpu_s * 1e6 / (double)score->tasks);
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

/* A round on the twin, and what it tells beside this one's. */
static enum exit_code run_twin(struct bench *twin, struct figures *figures)
{
    struct figures *plain = CLI_ARRAY(twin->cli, 1, struct figures);
    enum exit_code code;

    target_select(&twin->target);
    memset(plain, 0, sizeof *plain);
    code = twin->scenario->round(twin, plain);
    if (code != EXIT_OK)
        return code;
    figures_copy(figures, FIGURE_PLAIN_RATE, plain, FIGURE_RATE);
    figures_copy(figures, FIGURE_PLAIN_P50, plain, FIGURE_P50);
    figures_copy(figures, FIGURE_PLAIN_CPU, plain, FIGURE_BROKER_CPU);
    return EXIT_OK;
}

static enum exit_code run_pair(struct bench *self, struct bench *twin, struct figures *figures)
{
    enum exit_code code = run_twin(twin, figures);

    target_select(&self->target);
    if (code == EXIT_OK)
        code = run_round(self, figures);
    if (code == EXIT_OK && figures_get(figures, FIGURE_PLAIN_RATE) > 0)
        figures_set(figures, FIGURE_TLS_RATIO,
                    figures_get(figures, FIGURE_RATE) / figures_get(figures, FIGURE_PLAIN_RATE));
    return code;
}

static enum exit_code run_rounds(struct bench *self, struct bench *twin)
{
    struct figures *rounds = CLI_ARRAY(self->cli, self->rounds, struct figures);
    struct target_sample sample;
    enum exit_code code = target_sample(&self->target, &sample);
    struct text rate;

    for (size_t i = 0; i < self->rounds && code == EXIT_OK; i++) {
        code = twin != NULL ? run_pair(self, twin, &rounds[i]) : run_round(self, &rounds[i]);
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

/* The options that say how much: what the command has of them. */
static const struct {
    const char *option;
    const char *json;
    const char *label;
} settings[] = {
    {"payload", "payloadBytes", "payload bytes"}, {"connections", "connections", "connections"},
    {"batch", "batch", "tasks a request"},        {"pipeline", "pipeline", "requests at once"},
    {"rate", "rate", "publishes a second"},       {"queues", "queues", "queues"},
    {"rounds", "roundCount", "rounds"},
};

static void print_settings(const struct cli *cli)
{
    const char *before = ": ";
    struct text text;

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        int64_t value = bench_option(cli, settings[i].option, -1);

        if (value < 0)
            continue;
        printf("%s%s %s", before, settings[i].label, units_count(&text, value));
        before = ", ";
    }
    putchar('\n');
}

static void report_json(const struct bench *self, const struct figures *medians,
                        const struct figures *rounds, bool is_durable)
{
    printf("{\"scenario\":\"%s\",\"durability\":\"%s\",\"taskIds\":%s,", self->scenario->name,
           durability(self, is_durable), self->has_ids ? "true" : "false");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        int64_t value = bench_option(self->cli, settings[i].option, -1);

        if (value >= 0)
            printf("\"%s\":%lld,", settings[i].json, (long long)value);
    }
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
    printf("%s%s", self->scenario->name, self->has_ids ? ", with task IDs" : "");
    print_settings(self->cli);
    figures_print_text("durability", durability(self, is_durable));
    figures_print(&medians);
}

enum exit_code bench_count_done(struct bench *self, const char *queue, int64_t *ret_done)
{
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    Ackd__V1__GetQueueResponse *reply;
    enum exit_code code;

    request.name = (char *)queue;
    reply = BROKER_CALL(self->cli, "QueueService", "Get", &request, get_queue_response, &code);
    if (reply != NULL)
        *ret_done = reply->queue->counts->done;
    return code;
}

static enum exit_code count_waiters(struct bench *self, int64_t *ret_count)
{
    Ackd__V1__StatsRequest request = ACKD__V1__STATS_REQUEST__INIT;
    Ackd__V1__StatsResponse *reply;
    enum exit_code code;

    *ret_count = 0;
    reply = BROKER_CALL(self->cli, "AdminService", "Stats", &request, stats_response, &code);
    for (size_t i = 0; reply != NULL && i < reply->n_shards; i++)
        *ret_count += reply->shards[i]->waiters;
    return code;
}

enum exit_code bench_await_waiters(struct bench *self, int64_t count)
{
    int64_t until_ns = monotonic_ns() + WAITERS_NS;
    int64_t waiting = 0;
    enum exit_code code = count_waiters(self, &waiting);

    while (code == EXIT_OK && waiting < count) {
        if (interrupt_came())
            return interrupt_exit_code();
        if (monotonic_ns() > until_ns) {
            complain("%lld long polls should wait, but %lld do", (long long)count,
                     (long long)waiting);
            return EXIT_REFUSED;
        }
        interrupt_sleep(POLL_MS);
        code = count_waiters(self, &waiting);
    }
    return code;
}

enum exit_code bench_open_session(struct bench *self, const char *queue, int64_t session_ms,
                                  char **ret_session)
{
    Ackd__V1__OpenSessionRequest request = ACKD__V1__OPEN_SESSION_REQUEST__INIT;
    Ackd__V1__OpenSessionResponse *reply;
    enum exit_code code;

    request.queue = (char *)queue;
    request.worker = (char *)"ackctl bench";
    request.session_ms = session_ms;
    reply =
        BROKER_CALL(self->cli, "SessionService", "Open", &request, open_session_response, &code);
    if (reply != NULL)
        *ret_session = reply->session_id;
    return code;
}
