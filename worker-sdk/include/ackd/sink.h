/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ackd/sink.h -- where a worker's results go.
 *
 * A worker commits a result by task ID first and acks its task only then. So a task may be computed
 * twice (its worker vanished between the two), but its result is there once, and a task that was
 * acked has one for sure. Before it computes, a worker asks the sink which tasks of a batch are
 * done already and acks those without computing.
 *
 *   ackd_sink_broker     the result goes with the ack, in one transaction of the broker. Default.
 *   ackd_sink_file       one file a task in a directory: a mounted bucket or volume.
 *   ackd_sink_postgres   one row a task, a batch of tasks in one INSERT.
 *   your own             fill in a `struct ackd_sink`.
 *
 * Who frees: a sink given to ackd_worker_new belongs to that worker from then on, also if
 * ackd_worker_new fails. One that no worker was given is freed by ackd_sink_free.
 *
 * Threads: a worker never runs two functions of its sink at once, but not always on the same
 * thread. Since 0.1, all of it.
 */
#ifndef ACKD_SINK_H
#define ACKD_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ackd/error.h"

/* Bytes that somebody else owns. `data` may be NULL if `size` is 0. */
struct ackd_bytes {
    const void *data;
    size_t size;
};

/* What a sink is given to keep. The texts hold until `commit` returns. */
struct ackd_sink_result {
    const char *queue;
    const char *task_id;
    int64_t fence;       /* grows with each lease of the task: the newer result has the higher */
    const char *dataset; /* "" if the task has none */
    const char *worker;  /* this worker's name */
    bool has_result;     /* false: the handler was done without setting one */
    struct ackd_bytes result; /* empty if !has_result */
};

/*
 * A sink: four functions and what they share. Those that can fail fill in `error` and return a
 * status, which the worker reads so:
 *   ACKD_OK                       done, and on stable storage.
 *   ACKD_UNAVAILABLE, _TIMEOUT    the sink is away: the worker keeps the results and tries again.
 *   ACKD_INVALID, _TOO_LARGE      (commit) a result can't be stored, whoever tries. Of a batch, the
 *                                 worker tries the results one by one; the task whose result is
 *                                 refused alone fails with the message.
 *   anything else                 the sink is broken or set up wrongly: the worker gives its tasks
 *                                 back and ackd_worker_run returns that status.
 */
struct ackd_sink {
    size_t size;      /* sizeof(struct ackd_sink) */
    const char *name; /* for messages */
    void *context;    /* the sink's own */

    /* Called once, by ackd_worker_run, before anything else. May be NULL. */
    enum ackd_status (*open)(struct ackd_sink *self, struct ackd_error *error);
    /* Sets ret_done[i] for each task ID whose result the sink has; all are false before. May be
     * NULL: then nothing is looked up. Should answer within seconds. */
    enum ackd_status (*find_done)(struct ackd_sink *self, const char *queue,
                                  const char *const *task_ids, size_t count, bool *ret_done,
                                  struct ackd_error *error);
    /* Stores `count` >= 1 results on stable storage; no task is in it twice. On an error some of
     * them may be stored: all of them come again, also those that were stored long ago. NULL: the
     * result goes with the ack. */
    enum ackd_status (*commit)(struct ackd_sink *self, const struct ackd_sink_result *results,
                               size_t count, struct ackd_error *error);
    /* Frees the sink with all it holds, opened or not. May be NULL for one in static storage. */
    void (*free)(struct ackd_sink *self);
};

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The result is sent with the ack and stored by the broker in the same transaction, at most 1 MiB
 * (the broker's --max-result). Read them by ackd_client_get_result or `ackctl results`. Never
 * fails.
 */
ACKD_API struct ackd_sink *ackd_sink_broker(void);

/*
 * One file a task: `directory`/TASK_ID, where bytes other than letters, digits and `-_=+,@.` (and a
 * dot in front) are percent-encoded; a name of more than 200 bytes goes on in a directory, cut
 * there, whose name ends with "%". A task without a result gets an empty file. The directory is
 * made if missing; each queue needs one of its own.
 *
 * Each result is written to a temporary file, flushed, and renamed: a file that is there is whole.
 * Of two results for one task the later rename stays. Temporary files (".ackd-*") of a killed
 * worker may be deleted at any time when no worker runs.
 *
 * Never NULL: without memory, opening the sink fails.
 */
ACKD_API struct ackd_sink *ackd_sink_file(const char *directory);

/* Which of two results for one task stays. */
enum ackd_sink_policy {
    ACKD_SINK_FIRST = 0, /* the one committed first */
    ACKD_SINK_NEWEST = 1 /* the one with the higher fence */
};

/* Zero it, set `size`, and set what differs from the default: ackd_sink_postgres_options_init. */
struct ackd_sink_postgres_options {
    size_t size; /* sizeof(struct ackd_sink_postgres_options) */

    /*
     * The table, perhaps with its schema ("public.captions"; written into SQL as it stands). NULL:
     * "ackd_results", made if it is missing. Another table must exist and have the columns
     *     queue text, task_id text, fence bigint, result bytea, dataset text, worker text
     * with a unique key on (queue, task_id); further columns need defaults.
     */
    const char *table;
    enum ackd_sink_policy policy;

    /*
     * Or your own statement instead of `table` and `policy`, run once a batch with arrays of equal
     * length:  $1 text[] queues, $2 text[] task IDs, $3 bigint[] fences, $4 bytea[] results (NULL
     * where there is none), $5 text[] datasets, $6 text[] workers; it need not use all of them. A
     * batch may come again, so it must be idempotent (ON CONFLICT). See examples/postgres.c.
     */
    const char *statement;
    /*
     * With `statement`: which tasks are done? $1 text the queue, $2 text[] task IDs; returns the
     * done ones' IDs as its first column. NULL: nothing is looked up.
     */
    const char *done_statement;
};

static inline void ackd_sink_postgres_options_init(struct ackd_sink_postgres_options *options)
{
    const struct ackd_sink_postgres_options empty = {sizeof(struct ackd_sink_postgres_options),
                                                     NULL, ACKD_SINK_FIRST, NULL, NULL};

    *options = empty;
}

/*
 * Rows in PostgreSQL (or what speaks its protocol). `conninfo` is libpq's: "host=db dbname=x" or a
 * postgresql:// URL; what it leaves out comes from PGHOST and such, as usual. `options` may be NULL
 * and need not outlive the call. Lost connections are made again, and statements repeated, by the
 * worker.
 *
 * Each session sets statement_timeout 5 s, lock_timeout 2 s, idle_in_transaction_session_timeout
 * 10 s and synchronous_commit on, and connects with target_session_attrs=read-write,
 * connect_timeout 5 and TCP keepalives unless `conninfo` says otherwise. A server that is silent
 * for 10 s is given up, and the statement repeated on a new connection.
 *
 * Never NULL: without memory, or in a build without libpq (ACKD_UNIMPLEMENTED), opening it fails.
 */
ACKD_API struct ackd_sink *ackd_sink_postgres(const char *conninfo,
                                              const struct ackd_sink_postgres_options *options);

/* Frees a sink that no worker was given. NULL is nothing. */
ACKD_API void ackd_sink_free(struct ackd_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
