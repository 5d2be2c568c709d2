/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures.h -- what a scenario found out: numbers by name, each with its unit, one table for the
 * text and the JSON.
 *
 * A scenario that runs several rounds has a set of figures of each; what is told is the median of
 * each figure, with all rounds in the JSON.
 */
#ifndef ACKD_CLI_BENCH_FIGURES_H
#define ACKD_CLI_BENCH_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

/* How a value is written. In JSON all are plain numbers, in the unit that the name tells. */
enum figure_unit {
    UNIT_COUNT,
    UNIT_MEAN,    /* of counts */
    UNIT_RATE,    /* a second */
    UNIT_TIME,    /* us */
    UNIT_SECONDS, /* s, of CPU */
    UNIT_BYTES,
    UNIT_RATIO,
    UNIT_SHARE, /* of one core; shown as % */
};

#define FIGURES(X)                                                                                 \
    /* id, JSON name, unit, label */                                                               \
    X(TASKS, "tasks", COUNT, "tasks")                                                              \
    X(SECONDS, "seconds", SECONDS, "measured")                                                     \
    X(RATE, "ratePerS", RATE, "rate")                                                              \
    X(WAITERS, "waiters", COUNT, "waiting long polls")                                             \
    X(BACKLOG, "backlogTasks", COUNT, "backlog")                                                   \
    X(PUBLISH_EMPTY, "publishEmptyPerS", RATE, "publish, empty queue")                             \
    X(PUBLISH_FULL, "publishFullPerS", RATE, "publish, behind the backlog")                        \
    X(CYCLE_EMPTY, "cycleEmptyPerS", RATE, "lease+ack, empty queue")                               \
    X(CYCLE_FULL, "cycleFullPerS", RATE, "lease+ack, from its head")                               \
    X(RESTART, "firstLeaseAfterKillUs", TIME, "first lease after kill -9")                         \
    X(SESSIONS, "sessions", COUNT, "sessions")                                                     \
    X(LEASES, "leases", COUNT, "live leases")                                                      \
    X(IDLE_SHARE, "idleCpuShare", SHARE, "broker CPU, idle")                                       \
    X(BEATING_SHARE, "heartbeatCpuShare", SHARE, "broker CPU, heartbeats")                         \
    X(LOST, "lostLeases", COUNT, "leases of a lost session")                                       \
    X(LOST_AGAIN, "lostLeasedAgainUs", TIME, "until all are leased again")                         \
    X(OTHERS_WORST, "othersWorstUs", TIME, "worst publish meanwhile")                              \
    X(OTHERS_BEFORE, "othersBeforeUs", TIME, "worst publish just before")                          \
    X(REACHED, "reachedAllUs", TIME, "until all had a task")                                       \
    X(P50, "p50Us", TIME, "p50")                                                                   \
    X(P99, "p99Us", TIME, "p99")                                                                   \
    X(P999, "p999Us", TIME, "p99.9")                                                               \
    X(WORST, "maxUs", TIME, "worst")                                                               \
    X(COMMITS, "commitsPerS", RATE, "commits")                                                     \
    X(PER_COMMIT, "tasksPerCommit", MEAN, "tasks a commit")                                        \
    X(BROKER_CPU, "brokerCpuSPerMillion", SECONDS, "broker CPU a million tasks")                   \
    X(BROKER_SHARE, "brokerCpuShare", SHARE, "broker CPU")                                         \
    X(CLIENT_SHARE, "clientCpuShare", SHARE, "load generator CPU")                                 \
    X(RSS, "rssBytes", BYTES, "broker RSS")                                                        \
    X(ANONYMOUS, "anonymousBytes", BYTES, "broker anonymous memory")                               \
    X(WAITER_BYTES, "bytesPerWaiter", BYTES, "broker memory each")                                 \
    X(DISK, "diskBytesPerTask", BYTES, "disk a task")                                              \
    X(CEILING_RATE, "ceilingRatePerS", RATE, "LMDB ceiling")                                       \
    X(CEILING_P50, "ceilingCommitP50Us", TIME, "LMDB commit, p50")                                 \
    X(CEILING_P99, "ceilingCommitP99Us", TIME, "LMDB commit, p99")                                 \
    X(CEILING_CPU, "ceilingCpuSPerMillion", SECONDS, "LMDB CPU a million tasks")                   \
    X(RATIO, "ceilingRatio", RATIO, "share of the ceiling")                                        \
    X(PLAIN_RATE, "plainRatePerS", RATE, "rate without TLS")                                       \
    X(PLAIN_P50, "plainP50Us", TIME, "p50 without TLS")                                            \
    X(PLAIN_CPU, "plainBrokerCpuSPerMillion", SECONDS, "CPU a million without TLS")                \
    X(TLS_RATIO, "tlsRatio", RATIO, "rate with TLS to without")

enum figure {
#define X(id, json, unit, label) FIGURE_##id,
    FIGURES(X)
#undef X
        FIGURE_COUNT
};

/* Zeroed it has none. */
struct figures {
    struct {
        bool known;
        double value;
    } all[FIGURE_COUNT];
};

void figures_set(struct figures *self, enum figure figure, double value);
/* 0 if it is not known. */
double figures_get(const struct figures *self, enum figure figure);
/* If it is known there. */
void figures_copy(struct figures *self, enum figure to, const struct figures *other,
                  enum figure from);
/* Of each figure the median of the rounds that have it. */
void figures_median(struct figures *self, const struct figures *rounds, size_t count);

/* One a line, aligned; and a line like them. */
void figures_print_text(const char *label, const char *text);
void figures_print(const struct figures *self);
/* `"name":value` pairs, parted by commas. */
void figures_print_json(const struct figures *self);

#endif
