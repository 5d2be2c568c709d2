/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h -- one run of `ackctl bench SCENARIO`: the broker, a queue of its own on it, and rounds
 * that are measured.
 *
 *   command_*.c   a scenario and its command        feeder.h, worker.h   what clients do
 *   meter.h       what a stretch of time costs      figures.h               what is told
 *   target.h      the broker                        load.h, link.h          many connections
 *   ceiling.h     LMDB without a broker             request.h, wire.h       bytes on the wire
 *
 * With --tls the broker has TLS and wants a token, and each round is preceded by the same on a twin
 * without both. With --ceiling each round is preceded by the same traffic straight into LMDB on the
 * same disk, so that what disturbs the machine disturbs both.
 *
 * The generator shares the machine with the broker: it speaks from one thread, makes its requests
 * before the clock starts, and looks at no more of a reply than it needs. Its own CPU time is told.
 */
#ifndef ACKD_CLI_BENCH_BENCH_H
#define ACKD_CLI_BENCH_BENCH_H

#include "cli/bench/ceiling.h"
#include "cli/bench/figures.h"
#include "cli/bench/histogram.h"
#include "cli/bench/load.h"
#include "cli/bench/target.h"
#include "cli/cli.h"

#define BENCH_PAYLOAD_MIN 16
#define BENCH_QUEUE_MAX 96
#define BENCH_SPREAD_DIGITS 4
#define BENCH_QUEUES_BESIDE 2

struct bench;

struct scenario {
    const char *name;
    size_t state_size; /* of bench->state, zeroed at the start */
    /* Before the first round; NULL: nothing to do. */
    enum exit_code (*begin)(struct bench *bench);
    /* One round of bench->time_ns, and what it found. */
    enum exit_code (*round)(struct bench *bench, struct figures *ret_figures);
    /* After the last, if all went well: checks that nothing went astray; NULL: nothing to do. */
    enum exit_code (*check)(struct bench *bench);
    /* Frees what begin made, however far it came; NULL: nothing to do. */
    void (*end)(struct bench *bench);
    /* The same traffic on LMDB; NULL: there is no such. */
    enum exit_code (*ceiling)(struct bench *bench, struct ceiling_score *ret_score);
};

struct bench {
    struct cli *cli;
    const struct scenario *scenario;
    void *state; /* the scenario's own */
    struct target target;
    struct load load; /* opened by the scenario's begin */
    struct ceiling ceiling;
    char queue[BENCH_QUEUE_MAX];     /* the run's first */
    char (*queues)[BENCH_QUEUE_MAX]; /* all that were made: first `spread`, then what else */
    size_t queue_count;

    size_t payload_bytes;
    size_t batch; /* tasks a request */
    size_t connections;
    int64_t tasks;
    size_t depth; /* requests under way on one connection */
    int64_t time_ns;
    size_t rounds;
    size_t spread; /* queues that tasks are published to in turn */
    bool has_ids;  /* tasks are published with task IDs */
    bool with_ceiling;
};

/* The whole run; a command's run function is this and its scenario. */
enum exit_code bench_run(struct cli *cli, const struct scenario *scenario);

/* For scenarios: opens bench->load with so many links. */
enum exit_code bench_connect(struct bench *self, size_t links);
/* A queue beside bench->queue, named after it. */
enum exit_code bench_make_queue(struct bench *self, const char *suffix,
                                char ret_queue[BENCH_QUEUE_MAX]);
/* How many tasks of the queue are done. */
enum exit_code bench_count_done(struct bench *self, const char *queue, int64_t *ret_done);
/* Returns when so many long polls wait at the broker. */
enum exit_code bench_await_waiters(struct bench *self, int64_t count);
/* Opens a session; its ID lives as long as the run. */
enum exit_code bench_open_session(struct bench *self, const char *queue, int64_t session_ms,
                                  char **ret_session);
/* The number of an option (of a flag: 0 or 1); `fallback` if the command has no such option. */
int64_t bench_option(const struct cli *cli, const char *name, int64_t fallback);

/* Rows of an option table. */
#define BENCH_ROW(...)                                                                             \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define BENCH_SPAWN                                                                                \
    BENCH_ROW("spawn", 0, OPTION_FILE, "ACKD", NULL,                                               \
              "start this broker on a fresh directory for the run, instead of --url")
#define BENCH_DIR                                                                                  \
    BENCH_ROW("dir", 0, OPTION_FILE, "DIR", ".",                                                   \
              "where the data of --spawn and --ceiling lies for the run: on the disk to measure")
#define BENCH_PAYLOAD                                                                              \
    BENCH_ROW("payload", 0, OPTION_NUMBER, "BYTES", "256", "of each task", BENCH_PAYLOAD_MIN,      \
              1048576)
#define BENCH_CONNECTIONS(fallback, text)                                                          \
    BENCH_ROW("connections", 'c', OPTION_NUMBER, "N", fallback, text, 1, 20000)
#define BENCH_BATCH(fallback)                                                                      \
    BENCH_ROW("batch", 'b', OPTION_NUMBER, "N", fallback, "tasks a request", 1, 10000)
#define BENCH_TASKS(fallback, text)                                                                \
    BENCH_ROW("tasks", 'n', OPTION_NUMBER, "N", fallback, text, 1, 1000000000)
#define BENCH_TIME(fallback)                                                                       \
    BENCH_ROW("time", 't', OPTION_DURATION, "TIME", fallback, "how long a round is measured", 10,  \
              3600000)
#define BENCH_QUEUES                                                                               \
    BENCH_ROW("queues", 0, OPTION_NUMBER, "N", "1", "spread the tasks over so many", 1, 9999)
#define BENCH_ROUNDS                                                                               \
    BENCH_ROW("rounds", 'r', OPTION_NUMBER, "N", "3", "measure so often, and tell medians", 1, 1000)
#define BENCH_CEILING                                                                              \
    BENCH_ROW("ceiling", 0, OPTION_FLAG, NULL, NULL,                                               \
              "before each round the same traffic straight into LMDB in --dir, and the share of "  \
              "it that the broker reaches")

#define BENCH_TLS                                                                                  \
    BENCH_ROW("tls", 0, OPTION_FLAG, NULL, NULL,                                                   \
              "give the broker of --spawn TLS and a token, measure one without before each "       \
              "round, and tell the ratio")

#endif
