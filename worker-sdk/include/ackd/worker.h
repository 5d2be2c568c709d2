/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ackd/worker.h -- a worker: takes tasks of one queue, hands them to your function, and sees to
 * the rest.
 *
 *     lease ahead of need -> done already? -> your handler -> commit to the sink -> ack
 *                                  ^ keeper thread: heartbeats, tells of lost leases
 *
 * Your handler runs on threads of the worker and may take hours. The leases are kept by a thread of
 * their own. When the broker goes away the worker goes on computing what it holds, keeps the
 * results, and acks when the broker is back.
 *
 * Drain (SIGTERM with `handle_signals`, or ackd_worker_drain): no more tasks are leased and those
 * not begun go back at once; handlers see ackd_task_should_stop and the time left; what finishes is
 * committed and acked, what does not is given back with its last checkpoint. Then ackd_worker_run
 * returns.
 *
 * Threads and signals: the worker's threads block all signals. Its mutexes are never held while
 * your code runs. A worker does not survive fork: make it in the child. Since 0.1, all of it.
 */
#ifndef ACKD_WORKER_H
#define ACKD_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ackd/error.h"
#include "ackd/sink.h"

struct ackd_worker;

struct ackd_attribute {
    const char *key;
    const char *value;
};

/*
 * A task as the handler sees it. Everything belongs to the worker and holds until the handler
 * returns. The payload, the checkpoint and all texts are followed by a NUL byte, so that text may
 * be used as a string.
 */
struct ackd_task {
    const char *id;
    const char *queue;
    const char *dataset; /* "" if it has none */
    struct ackd_bytes payload;
    const struct ackd_attribute *attributes;
    size_t attribute_count;
    struct ackd_bytes checkpoint; /* what the last holder saved; `data` is NULL if nothing */
    int priority;                 /* 0 .. 9 */
    int64_t fence;                /* of this lease; larger than of any earlier one */
    int64_t published_unix_ms;
    int failures;    /* times that a handler failed it */
    int preemptions; /* times that it was given back by a draining worker */
    int losses;      /* times that its worker vanished */
    int deliveries;  /* leases, this one included: the first has 1 */
};

/* What a handler says of its task. */
enum ackd_verdict {
    ACKD_DONE = 0,    /* commit the result, if one was set, and ack */
    ACKD_FAILED = 1,  /* count a failure; another try after the queue's backoff */
    ACKD_RELEASED = 2 /* give it back unfinished; no failure. The answer to should_stop */
};

/* Why a handler should stop. */
enum ackd_stop {
    ACKD_STOP_NO = 0,    /* go on */
    ACKD_STOP_DRAIN = 1, /* the worker drains: finish within the time left, or save and release */
    ACKD_STOP_CANCELLED = 2, /* the task was cancelled: nobody wants the result */
    ACKD_STOP_DONE = 3,      /* another delivery finished it: nobody needs the result */
    ACKD_STOP_LOST = 4       /* the lease is lost, and the task perhaps with another worker now; if
                              * you finish first, the result still counts */
};

/* One task. It runs on any of the worker's `concurrency` threads. */
typedef enum ackd_verdict (*ackd_handler)(struct ackd_task *task, void *context);
/* A micro-batch: 1 .. batch_max tasks. Each counts as done unless ackd_task_fail or
 * ackd_task_release was called for it. */
typedef void (*ackd_batch_handler)(struct ackd_task **tasks, size_t count, void *context);

enum ackd_log_level { ACKD_LOG_DEBUG, ACKD_LOG_INFO, ACKD_LOG_WARN, ACKD_LOG_ERROR };

/* Set `size` and what differs from the default; 0 and NULL always mean the default. */
struct ackd_worker_options {
    size_t size; /* sizeof(struct ackd_worker_options) */

    /* The broker. NULL: ACKD_URL, else http://127.0.0.1:7333. Token, CA and certificate come from
     * the files that ACKD_TOKEN_FILE, ACKD_CA_FILE, ACKD_CERT_FILE and ACKD_KEY_FILE name, as
     * struct ackd_client_options has them. */
    const char *url;
    const char *queue; /* required */
    const char *name;  /* who this is, for people; at most 256 bytes. NULL: host name and pid */

    /* One of the two is required. */
    ackd_handler handler;
    ackd_batch_handler batch_handler;
    void *context; /* given to the handler and to `log` */

    int concurrency; /* handler threads, 1 .. 1,000. 0: 1 */
    int batch_max;   /* tasks a call of batch_handler, 1 .. 10,000. 0: 16 */
    /* Tasks held but not begun, 1 .. 10,000. 0: what half a second takes, by the time that the
     * handler has needed so far, and at least a batch a thread; but none where a batch takes 2 s
     * or more, and until that is known: then a task is leased when a thread is free for it, and
     * waits behind no other while workers elsewhere have none. */
    int prefetch;

    struct ackd_sink *sink; /* taken over, see ackd/sink.h. NULL: ackd_sink_broker() */

    /* From drain to return, in ms, 1,000 .. 43,200,000. 0: 12,000 (GKE gives user pods 15 s). The
     * last sixth of it (at most 2 s) is kept for committing and giving back. */
    int64_t grace_ms;
    /* The broker takes this worker for dead after so many ms without a heartbeat, 1,000 ..
     * 3,600,000. 0: 15,000. */
    int64_t session_ms;
    /* How long ackd_worker_run waits at its start for a broker or a sink that can't be reached, in
     * ms. 0: 60,000. -1: for ever. */
    int64_t start_timeout_ms;
    /* The machine is known to end at this time (ms since the Unix epoch): the worker begins to
     * drain `grace_ms` before. Earlier it stops to lease: when a task, by the time that the handler
     * has needed so far, would not be done before that. 0: ACKD_MACHINE_MAX_RUN_MS after the
     * machine was booted, if that is set, else never. */
    int64_t max_run_until_unix_ms;

    /* Checkpoints as files in this directory (a volume that all workers of the queue mount; made if
     * missing), of any size, named like those of ackd_sink_file. They are removed when their task
     * is acked. NULL: ACKD_CHECKPOINT_DIR, else with the broker, at most 1 MiB each. */
    const char *checkpoint_directory;

    bool stop_when_empty; /* return when every task of the queue is done or dead */
    bool create_queue;    /* make the queue, with default config, if it is missing */
    /* While ackd_worker_run runs, SIGTERM and SIGINT drain (a second one, at least half a second
     * later, leaves at once); then the old handlers are put back. One worker a process at a time.
     */
    bool handle_signals;

    /* Told what a log should say, a sentence each, from any of the worker's threads. What concerns
     * a task that belongs to a trace ends with ` trace_id=` and its ID. NULL: silent. libackd
     * itself never prints. */
    void (*log)(void *context, enum ackd_log_level level, const char *message);

    /* Asks the cloud's metadata server whether this machine is about to be taken away, and begins
     * to drain when it is, before SIGTERM comes: "gce", "aws" or "azure". NULL: ACKD_PREEMPTION,
     * else nobody is asked. A pod needs leave to reach that server. */
    const char *preemption;
    const char
        *preemption_url; /* of that server. NULL: ACKD_PREEMPTION_URL, else the cloud's own */

    /* Where this worker runs, for people, as struct ackd_session_request has it: the machine, the
     * pod and its namespace. NULL: ACKD_NODE_NAME, ACKD_POD_NAME, ACKD_POD_NAMESPACE. */
    const char *node;
    const char *pod;
    const char *pod_namespace;
};

static inline void ackd_worker_options_init(struct ackd_worker_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

/* Counters since ackd_worker_run began, and how it stands now. */
struct ackd_worker_stats {
    size_t size;         /* set it to sizeof(struct ackd_worker_stats) before the call */
    int64_t leased;      /* tasks received */
    int64_t skipped;     /* found done in the sink, acked without computing */
    int64_t computed;    /* handler calls' tasks that ended as done */
    int64_t failed;      /* that ended as failed */
    int64_t released;    /* that ended as released */
    int64_t acked;       /* acks that the broker confirmed, `skipped` ones included */
    int64_t salvaged;    /* of these, acks whose lease was lost, and which counted nevertheless */
    int64_t lost;        /* tasks whose lease was lost and whose work did not count */
    int64_t unstarted;   /* given back without having been begun */
    int64_t waiting;     /* now: held, not begun */
    int64_t running;     /* now: with a handler */
    int64_t unconfirmed; /* now: finished, but not committed or not confirmed by the broker */
};

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes a worker. Checks the options, copies what it needs of them (texts included), and does no
 * I/O. Does not block; any thread.
 *   ACKD_OK        *ret_worker is set; end it with ackd_worker_free.
 *   ACKD_INVALID   an option breaks its rule: `error->field` names it.
 *   ACKD_INTERNAL  no memory.
 */
ACKD_API enum ackd_status ackd_worker_new(const struct ackd_worker_options *options,
                                          struct ackd_worker **ret_worker,
                                          struct ackd_error *error);

/*
 * Runs the worker on this thread and others until it has drained; once a worker. Blocks.
 *   ACKD_OK               drained, or (stop_when_empty) nothing is left to do: everything held is
 *                         settled. Exit 0.
 *   ACKD_TIMEOUT          the grace ended before everything was settled; what is open goes back by
 *                         itself when the session expires. Handler threads may still run (see
 *                         ackd_worker_free): leave by _exit or exit.
 *   ACKD_CANCELED         drain was asked for twice: the same.
 *   ACKD_QUEUE_NOT_FOUND  there is no such queue (also: it was deleted meanwhile).
 *   ACKD_UNAVAILABLE      broker or sink were not reached within start_timeout_ms.
 *   ACKD_WRONG_STATE      it ran before, or handle_signals is in use by another worker.
 *   what a sink returned  the sink is broken; see ackd/sink.h.
 *   other                 the broker refuses this worker: the message says why.
 */
ACKD_API enum ackd_status ackd_worker_run(struct ackd_worker *worker, struct ackd_error *error);

/*
 * Asks the worker to drain; called a second time, to leave at once. Does not block. Any thread, and
 * async-signal-safe: a signal handler of your own may call it. Before ackd_worker_run it makes that
 * return at once.
 */
ACKD_API void ackd_worker_drain(struct ackd_worker *worker);

/* Copies the counters to *stats, as many as its `size` has room for. Does not block; any thread. */
ACKD_API void ackd_worker_stats(struct ackd_worker *worker, struct ackd_worker_stats *stats);

/*
 * After ackd_worker_run: whether it returned because a drain was asked for or the machine ends,
 * with work perhaps left in the queue, and not because (stop_when_empty) the queue is done or
 * something failed. Who exits with a code of its own for it tells a Kubernetes Job that another
 * worker is needed. Does not block; any thread.
 */
ACKD_API bool ackd_worker_drained(struct ackd_worker *worker);

/*
 * Ends the worker, after ackd_worker_run has returned. NULL is nothing. Does not block: if handlers
 * still run (after ACKD_TIMEOUT or ACKD_CANCELED), the memory lives until the last one returns, and
 * `context` must too.
 */
ACKD_API void ackd_worker_free(struct ackd_worker *worker);

/*
 * The functions below are for the handler, on any thread, until it returns.
 */

/* The value of an attribute, or NULL. */
ACKD_API const char *ackd_task_attribute(const struct ackd_task *task, const char *key);

/* The trace that the task belongs to: its attribute `traceparent` (W3C Trace Context), to be the
 * parent of your own spans. NULL: none, or one that is not well-formed. */
ACKD_API const char *ackd_task_traceparent(const struct ackd_task *task);

/*
 * Sets the result that is committed if the handler ends as done; a later call replaces it. Copies
 * `size` bytes; does not block. ACKD_OK, or ACKD_INTERNAL: no memory. A result that the sink
 * refuses for its size fails the task.
 */
ACKD_API enum ackd_status ackd_task_set_result(struct ackd_task *task, const void *data,
                                               size_t size);

/*
 * Marks the task as failed, with a sentence for people (cut to 4 KiB; shown by `ackctl dead list`),
 * and returns ACKD_FAILED for the handler to return.
 */
ACKD_API enum ackd_verdict ackd_task_fail(struct ackd_task *task, const char *format, ...)
    ACKD_PRINTF(2, 3);

/* The same for a task that no try will ever do: it is dead-lettered at once. */
ACKD_API enum ackd_verdict ackd_task_fail_for_good(struct ackd_task *task, const char *format, ...)
    ACKD_PRINTF(2, 3);

/* Marks the task as released (given back, no failure), for at least `delay_ms` (0 .. 1 year);
 * returns ACKD_RELEASED. While the worker drains it counts as a preemption and is ready again at
 * once. */
ACKD_API enum ackd_verdict ackd_task_release(struct ackd_task *task, int64_t delay_ms);

/* Whether, and why, the handler should stop; cheap enough for every step of a loop. */
ACKD_API enum ackd_stop ackd_task_should_stop(const struct ackd_task *task);

/* Until the worker gives the task back unfinished, in ms: 0 when that time has come, INT64_MAX
 * while it does not drain. */
ACKD_API int64_t ackd_task_time_left_ms(const struct ackd_task *task);

/*
 * Says that the task came nearer to its end: a page, a batch, a step. The next heartbeat tells the
 * broker, which can then find tasks that are held and do not move (`ackctl list --stuck`); a
 * checkpoint says it too. Sets a flag and no more: cheap enough for every step of a loop.
 */
ACKD_API void ackd_task_progress(const struct ackd_task *task);

/*
 * Saves progress, at most 1 MiB, that the next delivery has as `task->checkpoint`. Copies the bytes
 * and blocks until the broker has stored them, at most 5 s; with `checkpoint_directory`, until they
 * are on the disk, of any size. A size of 0 removes the checkpoint. ACKD_OK           stored.
 *   ACKD_UNAVAILABLE, ACKD_TIMEOUT
 *                     the broker is away: go on. If the task is given back later, this checkpoint
 *                     goes with it. (Or the directory's disk is full or away.)
 *   ACKD_LEASE_LOST   the lease is lost: not stored.
 *   ACKD_TOO_LARGE    over the broker's --max-checkpoint: not stored.
 *   ACKD_INTERNAL     no memory here, or a fault of the broker.
 */
ACKD_API enum ackd_status ackd_task_checkpoint(struct ackd_task *task, const void *data,
                                               size_t size, struct ackd_error *error);

#ifdef __cplusplus
}
#endif
#endif
