/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ackd/client.h -- the broker's calls, one function each, for programs that publish tasks, look at
 * queues, or lease by hand. Who only wants to work off a queue takes ackd/worker.h instead.
 *
 * The calls that list things, and those for operators (dead letters, datasets, the broker itself,
 * tokens), are in ackd/admin.h. Together they are every call of the broker; a newer broker's
 * others, and whoever has JSON at hand, go through ackd_client_call_json.
 *
 * Common to all calls here
 *   Threads: a client may be used by any number of threads at once; it keeps as many connections
 *   open as calls ran at the same time. It does not survive fork: make it in the child.
 *   Blocking: a call blocks until the broker answers, at most the client's `timeout_ms` (a long
 * poll: its `wait_ms` longer); nothing is retried behind your back. Arguments: texts are
 * NUL-terminated UTF-8 and need not outlive the call; a `struct ackd_error *` may be NULL. Replies:
 * what comes back through a `ret_` pointer is yours, is freed by the `_free` function of its type
 * (NULL is nothing), and owns all it points to. On an error it is set to NULL. Statuses of every
 * call: ACKD_OK; ACKD_INVALID and ACKD_TOO_LARGE (`error->field` names the argument: mend it);
 * ACKD_UNAVAILABLE and ACKD_TIMEOUT (try again; with `error->no_reply` the call may have been
 * carried out); ACKD_INTERNAL (the broker failed, or no memory here). Those that a call adds stand
 * with it. Since 0.1, all of it.
 */
#ifndef ACKD_CLIENT_H
#define ACKD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ackd/error.h"
#include "ackd/sink.h"
#include "ackd/worker.h"

struct ackd_client;

struct ackd_client_options {
    size_t size;                /* sizeof(struct ackd_client_options) */
    const char *url;            /* NULL: ACKD_URL, else http://127.0.0.1:7333 */
    const char *user_agent;     /* NULL: "libackd/VERSION" */
    int64_t connect_timeout_ms; /* 0: 5,000 */
    int64_t timeout_ms;         /* of a whole call. 0: 30,000 */
    /* Who this program is, and which brokers it believes. NULL: what the environment says; a worker
     * goes by that alone. A token's file is looked at before each call, the others with each new
     * connection, so that all of them may be replaced at any time. */
    const char *token_file; /* ACKD_TOKEN_FILE. One word: an ackd token, or a service account's */
    const char *ca_file;    /* ACKD_CA_FILE, in PEM. None: the system's CAs */
    const char *cert_file;  /* ACKD_CERT_FILE: this program's certificate, in PEM */
    const char *key_file;   /* ACKD_KEY_FILE: its private key, in PEM */
    /* A token may go over http:// beyond this machine, where everyone on the way can read it; else
     * that is ACKD_INVALID. false: unless ACKD_INSECURE is set */
    bool insecure;
};

static inline void ackd_client_options_init(struct ackd_client_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

/* What became of one item of a batch. ACKD_OK: done. */
struct ackd_outcome {
    enum ackd_status status;
    const char *message; /* "" if ACKD_OK */
};

/*
 * Queues
 */

/* The rules that a queue's tasks live by. -1 is "not set": the default on create, no change on
 * update. Fill it with ackd_queue_config_init, then set fields. */
struct ackd_queue_config {
    int64_t lease_ms;            /* 1,000 .. 43,200,000. Default 60,000 */
    int64_t max_failures;        /* 1 .. 1,000. Default 5 */
    int64_t max_losses;          /* 1 .. 10,000. Default 20 */
    int64_t backoff_min_ms;      /* 0 .. 86,400,000. Default 1,000 */
    int64_t backoff_max_ms;      /* the same. Default 600,000 */
    int64_t dedup;               /* 0 or 1. Default 1. Can't be changed later */
    int64_t dedup_retention_ms;  /* 0 .. 1 year. Default 7 days */
    int64_t result_retention_ms; /* 0 .. 10 years; 0: until deleted. Default 0 */
    int64_t task_ttl_ms;         /* 0 .. 10 years; 0: none. Default 0 */
    int64_t max_leased;          /* 0 .. 100,000,000; 0: none. Default 0 */
    int64_t refuse_late_results; /* 0: a late result that proves completion counts. Default 0 */
};

static inline void ackd_queue_config_init(struct ackd_queue_config *config)
{
    const struct ackd_queue_config unset = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

    *config = unset;
}

struct ackd_queue {
    const char *name;
    struct ackd_queue_config config; /* all set */
    bool paused;
    int64_t created_unix_ms;
    /* Tasks now. All done is: ready + delayed + leased == 0. */
    int64_t ready;
    int64_t delayed;
    int64_t leased;
    int64_t dead;
    /* Events since the queue was made. */
    int64_t published;
    int64_t done;
    int64_t purged;
    int64_t deliveries;
    int64_t failures;
    int64_t preemptions;
    int64_t losses;
    int64_t salvaged;
    int64_t useful_lease_ms;
    int64_t wasted_lease_ms;
    int64_t waiters;
    int64_t sessions;
};

/*
 * Tasks
 */

struct ackd_new_task {
    const char *id; /* 1 .. 256 bytes, no control characters, not with '@' first. NULL: the broker
                     * makes one, and a repeated publish makes another task */
    struct ackd_bytes payload; /* at most 1 MiB (the broker's --max-payload) */
    const struct ackd_attribute *attributes;
    size_t attribute_count; /* at most 64 */
    int priority;           /* 0 .. 9; 9 is served first */
    int64_t delay_ms;       /* not leased before. 0 .. 1 year */
};

struct ackd_publish_outcome {
    const char *task_id;     /* the one sent, or the one that the broker made */
    enum ackd_status status; /* ACKD_OK: stored. ACKD_DUPLICATE: it was there already */
    const char *message;
};

struct ackd_publish_reply {
    int64_t stored;
    int64_t duplicates;
    int64_t refused;
    struct ackd_publish_outcome *outcomes; /* in the order of the request */
    size_t outcome_count;
};

struct ackd_ack {
    const char *lease_token;
    bool has_result;
    struct ackd_bytes result; /* stored by the broker in the same transaction */
    bool committed;           /* a sink of your own has the result */
};

enum ackd_nack_reason {
    ACKD_NACK_FAILED = 1,    /* counts as a failure, backs off */
    ACKD_NACK_PREEMPTED = 2, /* this machine goes away; ready again at once */
    ACKD_NACK_RELEASED = 3   /* not now; ready again at once */
};

struct ackd_nack {
    const char *lease_token;
    enum ackd_nack_reason reason;
    const char *error; /* for people, at most 4 KiB. NULL: none */
    bool has_delay;    /* false: the queue's backoff if it failed, else none */
    int64_t delay_ms;  /* instead of that, 0 .. 1 year */
    bool has_checkpoint;
    struct ackd_bytes checkpoint; /* replaces the task's */
    bool unstarted;               /* never begun: its lease time counts neither way */
    bool permanent;               /* FAILED: dead-letter it now */
};

struct ackd_ack_outcome {
    enum ackd_status status; /* ACKD_LEASE_LOST: does not count */
    const char *message;
    bool salvaged; /* the lease was lost, but the result counts */
    bool repeated; /* this very lease had acked before */
};

struct ackd_lease_request {
    size_t size;            /* sizeof(struct ackd_lease_request) */
    const char *queue;      /* required */
    int64_t max_tasks;      /* 0 .. 10,000. 0 only settles what is carried along */
    int64_t wait_ms;        /* how long to wait for a first task. 0 .. 60,000 */
    int64_t lease_ms;       /* ack deadline without a session. 0: the queue's. 1,000 .. 12 h */
    const char *session_id; /* NULL: none. Its heartbeats keep the leases */
    int64_t max_bytes;      /* of all payloads together. 0: 16 MiB */
    /* Settled first, in the same round trip. */
    const struct ackd_ack *acks;
    size_t ack_count;
    const struct ackd_nack *nacks;
    size_t nack_count;
};

static inline void ackd_lease_request_init(struct ackd_lease_request *request)
{
    memset(request, 0, sizeof *request);
    request->size = sizeof *request;
}

/* Of the functions in ackd/worker.h only ackd_task_attribute and ackd_task_traceparent are for
 * these tasks. */
struct ackd_leased_task {
    struct ackd_task task;
    const char *lease_token;  /* proves the lease in renew, ack, nack and checkpoint */
    int64_t deadline_unix_ms; /* when the lease ends without a renew; 0 with a session */
};

struct ackd_lease_reply {
    struct ackd_leased_task *tasks;
    size_t task_count;
    struct ackd_ack_outcome *ack_outcomes; /* in the order of the request */
    size_t ack_outcome_count;
    struct ackd_outcome *nack_outcomes;
    size_t nack_outcome_count;
    /* The truth for who got nothing. All done is: ready + leased + delayed == 0. */
    int64_t ready;
    int64_t leased;
    int64_t delayed;
    int64_t next_change_ms; /* until something changes by itself; -1: never */
    bool paused;
};

struct ackd_renewal {
    enum ackd_status status;
    const char *message;
    int64_t deadline_unix_ms;
};
struct ackd_renew_reply {
    struct ackd_renewal *outcomes;
    size_t outcome_count;
};
struct ackd_ack_reply {
    struct ackd_ack_outcome *outcomes;
    size_t outcome_count;
};
struct ackd_nack_reply {
    struct ackd_outcome *outcomes;
    size_t outcome_count;
};

enum ackd_task_state {
    ACKD_TASK_READY = 1,
    ACKD_TASK_DELAYED = 2,
    ACKD_TASK_LEASED = 3,
    ACKD_TASK_DONE = 4,
    ACKD_TASK_DEAD = 5
};

/* Why a task lies in the dead letters. */
enum ackd_dead_reason {
    ACKD_DEAD_FAILURES = 1,  /* failed max_failures times */
    ACKD_DEAD_LOSSES = 2,    /* its lease was lost max_losses times: it may kill its worker */
    ACKD_DEAD_EXPIRED = 3,   /* older than the queue's task_ttl_ms, never leased in time */
    ACKD_DEAD_CANCELLED = 4, /* cancelled by a caller */
    ACKD_DEAD_CORRUPT = 5    /* its record fails the checksum; kept aside, never served */
};

/* How a delivery of a task ended, or what else happened to it. */
enum ackd_attempt_end {
    ACKD_ATTEMPT_GOES_ON = 0,   /* the task is LEASED */
    ACKD_ATTEMPT_ACKED = 1,     /* its ack closed the task */
    ACKD_ATTEMPT_FAILED = 2,    /* the handler said that it can't */
    ACKD_ATTEMPT_PREEMPTED = 3, /* given back: the machine was going away, or the session closed */
    ACKD_ATTEMPT_RELEASED = 4,  /* given back: the worker did not want it then */
    ACKD_ATTEMPT_LOST = 5,      /* its session expired: the worker vanished */
    ACKD_ATTEMPT_EXPIRED = 6,   /* it had no session, and its ack deadline passed */
    ACKD_ATTEMPT_CANCELLED = 7, /* a caller cancelled the task, leased or waiting */
    ACKD_ATTEMPT_OUTLIVED = 8,  /* the waiting task was older than the queue's task_ttl_ms */
    ACKD_ATTEMPT_REDRIVEN = 9   /* a caller made the dead letter ready again */
};

/* A part of a task's history: a delivery, or (fence 0) what happened while it waited. */
struct ackd_attempt {
    int64_t fence;
    enum ackd_attempt_end end;
    int64_t leased_unix_ms;            /* 0: no delivery, or not known any more */
    int64_t ended_unix_ms;             /* 0: it goes on */
    const char *session_id;            /* "" if none */
    const char *worker;                /* who had it, at most 63 bytes; "" if not known */
    const char *pod;                   /* "" also if it is the worker's name */
    const char *node;                  /* the machine */
    const char *error;                 /* what the worker said, at most 512 bytes */
    bool has_checkpoint;               /* one was there for the next delivery */
    bool unstarted;                    /* the handler never began */
    enum ackd_dead_reason dead_reason; /* it made the task a dead letter; 0: it did not */
};

/* A task as an operator sees it. Of a done one only the times and the ID remain, and for some ten
 * minutes its attempts. */
struct ackd_task_view {
    struct ackd_task task; /* `checkpoint` stays empty: see `has_checkpoint` */
    enum ackd_task_state state;
    int64_t due_unix_ms;    /* DELAYED: when it becomes ready. LEASED: the ack deadline */
    int64_t leased_unix_ms; /* 0: not leased */
    int64_t done_unix_ms;   /* 0: not done */
    const char *session_id; /* "" if none */
    const char *last_error; /* what the last failure said; "" if nothing */
    bool has_checkpoint;
    bool has_result;                   /* only ackd_client_get_task tells */
    enum ackd_dead_reason dead_reason; /* 0: not dead */
    int64_t payload_bytes;             /* also where the payload is left out */
    int64_t dead_unix_ms;              /* 0: not dead */
    /* LEASED: when it last came nearer to its end, see ackd_task_progress; else since when it is
     * leased. 0: not leased. */
    int64_t progress_unix_ms;
    /* What became of its deliveries, oldest first, and last the one that goes on: the latest 16, or
     * fewer where they say much. None if it was done at the first. Only ackd_client_get_task tells.
     */
    const struct ackd_attempt *attempts;
    size_t attempt_count;
    int64_t attempts_left_out; /* older ones that are not kept */
};

/*
 * Sessions and results
 */

struct ackd_session_request {
    size_t size;        /* sizeof(struct ackd_session_request) */
    const char *queue;  /* required */
    const char *worker; /* who this is, for people, at most 256 bytes; NULL: not told */
    int64_t session_ms; /* it expires after this time without a heartbeat, 1,000 .. 3,600,000. 0:
                         * 15,000 */
    /* Where it runs, for people: the machine, the pod and its namespace, at most 253, 253 and 63
     * bytes. NULL: ACKD_NODE_NAME, ACKD_POD_NAME, ACKD_POD_NAMESPACE, else not told. */
    const char *node;
    const char *pod;
    const char *pod_namespace;
};

static inline void ackd_session_request_init(struct ackd_session_request *request)
{
    memset(request, 0, sizeof *request);
    request->size = sizeof *request;
}

struct ackd_session {
    const char *id;
    int64_t session_ms;   /* it expires after this time without a heartbeat */
    int64_t heartbeat_ms; /* heartbeat this often */
};

struct ackd_lease_stop {
    const char *lease_token;
    enum ackd_stop reason;
};
struct ackd_heartbeat_reply {
    int64_t session_ms; /* the session lives at least so long from now */
    int64_t leased;     /* leases that the broker knows it to hold */
    struct ackd_lease_stop *stops;
    size_t stop_count;
};

struct ackd_result {
    const char *task_id;
    const char *dataset;
    struct ackd_bytes data;
    int64_t fence;
    int64_t stored_unix_ms;
};

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes a client; connects to nothing yet. `options` may be NULL. Does not block.
 *   ACKD_OK, ACKD_INVALID (the URL is not one), ACKD_INTERNAL (no memory).
 */
ACKD_API enum ackd_status ackd_client_open(const struct ackd_client_options *options,
                                           struct ackd_client **ret_client,
                                           struct ackd_error *error);

/* Closes its connections and frees it. No call may be under way. NULL is nothing. */
ACKD_API void ackd_client_close(struct ackd_client *client);

/* Makes every call under way, on other threads, return ACKD_CANCELED at once, and every later one
 * too. What it had asked for may still be carried out. Does not block; any thread. */
ACKD_API void ackd_client_interrupt(struct ackd_client *client);

/*
 * Any call that the broker has, in JSON. `method` is its full name, such as
 * "ackd.v1.DeadLetterService/List"; `request` is the request's JSON (the proto3 mapping of
 * proto/ackd/v1); NULL: {}. *ret_reply is the reply's JSON, freed by free().
 *   ACKD_UNIMPLEMENTED  the broker has no such call; else as the call says.
 */
ACKD_API enum ackd_status ackd_client_call_json(struct ackd_client *client, const char *method,
                                                const char *request, char **ret_reply,
                                                struct ackd_error *error);

/*
 * Makes a queue; `config` NULL: all defaults. Repeating it with the same config succeeds.
 * `ret_created` (may be NULL) is false if it was there. `ret_queue` may be NULL, here and below.
 *   ACKD_QUEUE_EXISTS   it is there with another config. ACKD_LIMIT_REACHED  too many queues.
 */
ACKD_API enum ackd_status ackd_client_create_queue(struct ackd_client *client, const char *name,
                                                   const struct ackd_queue_config *config,
                                                   struct ackd_queue **ret_queue, bool *ret_created,
                                                   struct ackd_error *error);

/* How a queue stands. ACKD_QUEUE_NOT_FOUND, here and in all calls below that name a queue. */
ACKD_API enum ackd_status ackd_client_get_queue(struct ackd_client *client, const char *name,
                                                struct ackd_queue **ret_queue,
                                                struct ackd_error *error);

/* Changes the fields of `config` that are set, while the queue runs. */
ACKD_API enum ackd_status ackd_client_update_queue(struct ackd_client *client, const char *name,
                                                   const struct ackd_queue_config *config,
                                                   struct ackd_queue **ret_queue,
                                                   struct ackd_error *error);

/* Deletes a queue with its tasks, results and dead letters. */
ACKD_API enum ackd_status ackd_client_delete_queue(struct ackd_client *client, const char *name,
                                                   struct ackd_error *error);

/* Stops handing out tasks; leases given already go on. */
ACKD_API enum ackd_status ackd_client_pause_queue(struct ackd_client *client, const char *name,
                                                  struct ackd_error *error);

/* Hands out tasks again. */
ACKD_API enum ackd_status ackd_client_resume_queue(struct ackd_client *client, const char *name,
                                                   struct ackd_error *error);

/* Removes every task that is not leased; `dataset` NULL: of all datasets. `ret_purged` (how many)
 * may be NULL. */
ACKD_API enum ackd_status ackd_client_purge_queue(struct ackd_client *client, const char *name,
                                                  const char *dataset, int64_t *ret_purged,
                                                  struct ackd_error *error);

/* Frees what the calls above returned. */
ACKD_API void ackd_queue_free(struct ackd_queue *queue);

/*
 * Stores 1 .. 10,000 tasks, 32 MiB in all, in order; returns when they are on stable storage.
 * `dataset` may be NULL. ACKD_OK says that the batch was read: look at the reply's `refused` and
 * outcomes. Repeat it if the outcome is unknown: tasks with IDs are stored once.
 *   ACKD_STORE_FULL     the broker's store is nearly full: later.
 *   ACKD_LIMIT_REACHED  too many datasets in the queue.
 */
ACKD_API enum ackd_status ackd_client_publish(struct ackd_client *client, const char *queue,
                                              const char *dataset,
                                              const struct ackd_new_task *tasks, size_t count,
                                              struct ackd_publish_reply **ret_reply,
                                              struct ackd_error *error);
ACKD_API void ackd_publish_reply_free(struct ackd_publish_reply *reply);

/*
 * Takes up to `max_tasks` under lease, after settling the acks and nacks that the request carries;
 * waits up to `wait_ms` for a first one. No task is an ordinary reply. If the outcome is unknown,
 * tasks may have been leased to nobody: their leases end by themselves, or with the session.
 *   ACKD_SESSION_NOT_FOUND  the session has expired: open another.
 */
ACKD_API enum ackd_status ackd_client_lease(struct ackd_client *client,
                                            const struct ackd_lease_request *request,
                                            struct ackd_lease_reply **ret_reply,
                                            struct ackd_error *error);
ACKD_API void ackd_lease_reply_free(struct ackd_lease_reply *reply);

/*
 * Moves the ack deadline of `count` (1 .. 10,000) leases without a session to `lease_ms` from now
 * (0: the queue's lease_ms); never brings one closer. Outcomes: ACKD_LEASE_LOST: drop the task.
 */
ACKD_API enum ackd_status ackd_client_renew(struct ackd_client *client,
                                            const char *const *lease_tokens, size_t count,
                                            int64_t lease_ms, struct ackd_renew_reply **ret_reply,
                                            struct ackd_error *error);
ACKD_API void ackd_renew_reply_free(struct ackd_renew_reply *reply);

/*
 * Closes 1 .. 10,000 tasks as done, with or without a result. Repeating it with the same tokens
 * succeeds. Outcomes: ACKD_LEASE_LOST: the task is another's now, or ended, and the ack does not
 * count.
 */
ACKD_API enum ackd_status ackd_client_ack(struct ackd_client *client, const struct ackd_ack *acks,
                                          size_t count, struct ackd_ack_reply **ret_reply,
                                          struct ackd_error *error);
ACKD_API void ackd_ack_reply_free(struct ackd_ack_reply *reply);

/* Gives 1 .. 10,000 tasks back. Outcomes: ACKD_LEASE_LOST: it is not yours to give. */
ACKD_API enum ackd_status ackd_client_nack(struct ackd_client *client,
                                           const struct ackd_nack *nacks, size_t count,
                                           struct ackd_nack_reply **ret_reply,
                                           struct ackd_error *error);
ACKD_API void ackd_nack_reply_free(struct ackd_nack_reply *reply);

/* Stores progress, at most 1 MiB, for the task's next delivery; empty removes it. ACKD_LEASE_LOST.
 */
ACKD_API enum ackd_status ackd_client_save_checkpoint(struct ackd_client *client,
                                                      const char *lease_token, const void *data,
                                                      size_t size, struct ackd_error *error);

/* One task. ACKD_TASK_NOT_FOUND. */
ACKD_API enum ackd_status ackd_client_get_task(struct ackd_client *client, const char *queue,
                                               const char *task_id,
                                               struct ackd_task_view **ret_task,
                                               struct ackd_error *error);
ACKD_API void ackd_task_view_free(struct ackd_task_view *task);

/* Opens a session for a queue: leases taken with it live as long as it does. ACKD_LIMIT_REACHED:
 * too many are open. */
ACKD_API enum ackd_status ackd_client_open_session(struct ackd_client *client,
                                                   const struct ackd_session_request *request,
                                                   struct ackd_session **ret_session,
                                                   struct ackd_error *error);
ACKD_API void ackd_session_free(struct ackd_session *session);

/* Keeps every lease of the session, and says which ones to stop. `progress`: the tokens of `count`
 * (0 .. 10,000) leases whose tasks came nearer to their end since the last heartbeat; those that
 * are no leases of the session any more are passed over. ACKD_SESSION_NOT_FOUND. */
ACKD_API enum ackd_status ackd_client_heartbeat(struct ackd_client *client, const char *session_id,
                                                const char *const *progress, size_t count,
                                                struct ackd_heartbeat_reply **ret_reply,
                                                struct ackd_error *error);
ACKD_API void ackd_heartbeat_reply_free(struct ackd_heartbeat_reply *reply);

/* Ends the session at once; its leases return to the queue as preempted. `ret_returned` (how many)
 * may be NULL. ACKD_SESSION_NOT_FOUND. */
ACKD_API enum ackd_status ackd_client_close_session(struct ackd_client *client,
                                                    const char *session_id, int64_t *ret_returned,
                                                    struct ackd_error *error);

/* The result that came with a task's ack. ACKD_NOT_FOUND. */
ACKD_API enum ackd_status ackd_client_get_result(struct ackd_client *client, const char *queue,
                                                 const char *task_id,
                                                 struct ackd_result **ret_result,
                                                 struct ackd_error *error);
ACKD_API void ackd_result_free(struct ackd_result *result);

#ifdef __cplusplus
}
#endif
#endif
