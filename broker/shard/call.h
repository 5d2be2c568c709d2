/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h -- what a shard can be asked: one struct a verb, with what goes in and what comes out.
 *
 * Life of a call: the service fills in the verb's struct (made by call_init), sends it with
 * shard_send, and leaves it alone. The shard's thread runs it inside a batch; after the batch's
 * commit it posts the call's letter to `mailbox`, whose owner opens it. `error.status` tells how it
 * went; the out fields are set only for STATUS_OK. Everything lies in the call's arena, which
 * passes with it.
 *
 * A verb's `run` never blocks and touches nothing but the shard. It answers
 *   CALL_DONE   finished, well or refused (error)
 *   CALL_AGAIN  more to do: it runs again in the next batch, so that long work is done in steps
 *   CALL_WAIT   parked by wait.c until a task or the deadline comes
 */
#ifndef ACKD_SHARD_CALL_H
#define ACKD_SHARD_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/heap.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/status.h"
#include "core/grant.h"
#include "core/record.h"
#include "core/token.h"
#include "shard/mailbox.h"
#include "store/store.h"

struct shard;
struct call;

enum call_result { CALL_DONE, CALL_AGAIN, CALL_WAIT };

struct verb {
    const char *name; /* metric label */
    bool writes;      /* false: runs on a read transaction, if no other call of the batch writes */
    bool may_be_full; /* true: refused with STATUS_STORE_FULL when the store is nearly full */
    enum call_result (*run)(struct shard *shard, struct call *call);
};

/* How far a call of several steps is. A batch that is taken back takes this back too. */
struct progress {
    bool begun;
    uint32_t queue; /* number of the one it began with */
    int64_t count;
    size_t index;
    uint64_t seq;
    struct key from;
};

struct call {
    struct letter letter;
    struct list link;        /* inbox, batch or waiters: the shard's */
    struct list cancel_link; /* guarded by the shard's inbox mutex */
    bool posted;             /* guarded by the shard's inbox mutex */
    bool cancelled;          /* the client has gone; the shard's */
    const struct verb *verb;
    enum call_result result; /* of its run in the batch under way */
    uint64_t ran_as;         /* its place in the order of all runs */
    struct mailbox *mailbox;
    struct arena *arena;
    /* Which queues it may touch; NULL: all. What names its queue in words was looked at before it
     * was sent; lease tokens, sessions and lists are looked at by the verb. */
    const struct scope *scope;
    struct error error;
    struct progress progress;
    struct progress kept;
    void *owner;                         /* the sender's own */
    void (*finished)(struct call *self); /* called on the mailbox's thread */
};

/* `finished` is called when the letter is opened. The scope is set after it. */
void call_init(struct call *self, const struct verb *verb, struct arena *arena,
               struct mailbox *mailbox, void (*finished)(struct call *), void *owner);

/* ---- tasks ---- */

struct publish_item {
    struct slice id;          /* empty: make one */
    struct slice body;        /* attributes, payload */
    uint32_t attributes_size; /* bytes of the body */
    uint8_t priority;
    bool refused; /* by the service: the shard passes it over, and `status` says why */
    int64_t delay_ms;
    /* out */
    enum status status;
    struct place place;
};
struct publish_call {
    struct call call;
    struct slice queue;
    struct slice dataset;
    struct publish_item *items;
    size_t item_count;
    int64_t queue_created_ms; /* out, for made IDs */
};
extern const struct verb verb_publish;

struct ack_item {
    struct lease_token token;
    struct slice result;
    bool has_result;
    bool committed;
    /* out */
    enum status status;
    bool salvaged;
    bool repeated;
};
struct nack_item {
    struct lease_token token;
    enum task_command_kind kind; /* one of TASK_NACK_* */
    struct slice error;
    struct slice checkpoint;
    bool has_checkpoint;
    bool unstarted;
    bool permanent;
    int64_t delay_ms; /* or TASK_DELAY_BACKOFF */
    enum status status;
};
struct renew_item {
    struct lease_token token;
    int64_t lease_ms; /* 0: the queue's */
    bool progress;
    enum status status;
    int64_t deadline_ms; /* out; 0: a session keeps it */
};
struct ack_call {
    struct call call;
    struct ack_item **items; /* of this shard */
    size_t item_count;
};
struct nack_call {
    struct call call;
    struct nack_item **items;
    size_t item_count;
};
struct renew_call {
    struct call call;
    struct renew_item **items;
    size_t item_count;
};
struct checkpoint_call {
    struct call call;
    struct lease_token token;
    struct slice data; /* empty: removes it */
};
extern const struct verb verb_ack, verb_nack, verb_renew, verb_checkpoint;

struct leased_task {
    struct place place;
    struct slice id;
    struct slice body;
    uint32_t attributes_size;
    struct slice dataset;
    struct slice checkpoint;
    bool has_checkpoint;
    struct task task; /* after the lease */
};
struct situation {
    int64_t ready;
    int64_t leased;
    int64_t delayed;
    int64_t next_change_ms; /* -1: none by itself */
    bool paused;
};
struct lease_call {
    struct call call;
    struct slice queue;
    uint32_t max_tasks;
    int64_t wait_ms;
    int64_t lease_ms; /* 0: the queue's */
    uint64_t session; /* 0: none */
    int64_t max_bytes;
    struct ack_item **acks;
    size_t ack_count;
    struct nack_item **nacks;
    size_t nack_count;
    /* the shard's, while it waits */
    struct heap_node wait_node;
    struct queue *waits_for;
    uint64_t parked_in; /* the batch's serial */
    bool settled;
    /* out */
    struct leased_task *tasks;
    size_t task_count;
    int64_t queue_created_ms;
    struct situation situation;
};
extern const struct verb verb_lease;

/* A task as an operator sees it. */
struct task_view {
    struct place place;
    struct slice id;
    struct slice body; /* if asked for */
    uint32_t attributes_size;
    uint32_t payload_size;
    struct slice dataset;
    struct task task;
    struct slice error;
    int64_t published_ms;
    int64_t progress_ms; /* LEASED */
    bool has_result;
    struct slice history; /* core/history.h; this and the next three: of Get alone */
    struct slice worker;  /* LEASED: who holds it */
    struct slice pod;
    struct slice node;
};
struct task_get_call {
    struct call call;
    struct slice queue;
    struct slice id;
    struct task_view view; /* out */
    int64_t queue_created_ms;
};
struct task_list_call {
    struct call call;
    struct slice queue;
    enum task_state state; /* TASK_NONE: all */
    bool any_dataset;
    struct slice dataset;
    int64_t min_stalled_ms; /* LEASED, and without progress for so long; 0: all */
    uint32_t page_size;
    bool with_body;
    struct slice from; /* key to begin at; empty: the first */
    /* out */
    struct task_view *views;
    size_t view_count;
    struct slice next; /* empty: no more */
    int64_t queue_created_ms;
};
struct task_cancel_call {
    struct call call;
    struct slice queue;
    struct slice *ids;
    enum status *statuses; /* out */
    size_t id_count;
};
extern const struct verb verb_task_get, verb_task_list, verb_task_cancel;

/* ---- queues ---- */

/* Why a task waits again after it was delivered, or given up. */
#define RETURN_CAUSES(X)                                                                           \
    X(FAILED, "failed")                                                                            \
    X(PREEMPTED, "preempted")                                                                      \
    X(LOST, "lost")                                                                                \
    X(RELEASED, "released")                                                                        \
    X(REDRIVEN, "redriven")
enum return_cause {
#define X(name, text) RETURN_##name,
    RETURN_CAUSES(X)
#undef X
        RETURN_CAUSE_COUNT
};
/* What happened to a queue's tasks since the shard was opened. */
struct queue_events {
    int64_t returned[RETURN_CAUSE_COUNT];
    int64_t dead[DEAD_REASON_COUNT]; /* became dead letters */
};

struct queue_view {
    struct slice name;
    struct queue_config config;
    struct tally tally;
    int64_t created_ms;
    bool paused;
    int64_t waiters;
    int64_t sessions;
    int64_t oldest_ready_age_ms; /* as in queue_figures; only get looks for it */
    int64_t oldest_lease_age_ms; /* 0: none */
};
struct queue_call {
    struct call call;
    struct slice name;
    struct queue_config config; /* create */
    bool set[32];               /* update: which fields, by their row in QUEUE_CONFIG_TABLE */
    uint64_t generation;        /* the service's, for its directory */
    /* out */
    struct queue_view view;
    bool created;
};
struct queue_list_call {
    struct call call;
    struct queue_view *views; /* out: all of the shard's, in no order */
    size_t view_count;
};
struct queue_purge_call {
    struct call call;
    struct slice name;
    struct slice dataset;
    bool any_dataset;
    /* out: call.progress.count */
};
extern const struct verb verb_queue_create, verb_queue_get, verb_queue_update, verb_queue_delete,
    verb_queue_pause, verb_queue_resume, verb_queue_list, verb_queue_purge;

/* ---- sessions ---- */

struct session_view {
    uint64_t session;
    struct slice queue;
    struct worker_names names;
    int64_t opened_ms;
    int64_t heartbeat_ms;
    int64_t session_ms;
    int64_t leased;
    int64_t acked;
};
struct stop_notice {
    struct lease_token token;
    enum stop_reason reason;
};
struct session_call {
    struct call call;
    struct slice queue;           /* open, list (empty: all) */
    struct worker_names names;    /* open */
    struct lease_token *progress; /* heartbeat: leases that came nearer to their end */
    size_t progress_count;
    int64_t session_ms; /* open; out */
    uint64_t session;   /* heartbeat, close; out of open */
    /* out */
    struct stop_notice *stops;
    size_t stop_count;
    int64_t leased;
    struct session_view *views;
    size_t view_count;
};
extern const struct verb verb_session_open, verb_session_heartbeat, verb_session_close,
    verb_session_list;

/* ---- dead letters ---- */

struct dead_view {
    struct task_view view;
    enum dead_reason reason;
    int64_t dead_ms;
};
struct dead_list_call {
    struct call call;
    struct slice queue;
    bool any_dataset;
    struct slice dataset;
    uint32_t page_size;
    bool with_body;
    struct slice from;
    struct dead_view *views;
    size_t view_count;
    struct slice next;
    int64_t queue_created_ms;
};
struct dead_change_call {
    struct call call;
    struct slice queue;
    struct slice *ids; /* or by the filters, if id_count is 0 */
    size_t id_count;
    enum dead_reason reason; /* DEAD_NOT: any */
    struct slice error;      /* empty: any */
    bool any_dataset;
    struct slice dataset;
    /* out: call.progress.count */
};
extern const struct verb verb_dead_list, verb_dead_redrive, verb_dead_delete;

/* ---- results and datasets ---- */

struct result_view {
    struct slice id;
    struct slice data;
    struct slice dataset;
    uint32_t fence;
    int64_t stored_ms;
};
struct result_list_call {
    struct call call;
    struct slice queue;
    bool any_dataset;
    struct slice dataset;
    struct slice *ids; /* these only */
    size_t id_count;
    bool ids_only;
    uint32_t page_size;
    struct slice from; /* key to begin at; empty: the first */
    struct result_view *views;
    size_t view_count;
    struct slice next;
};
extern const struct verb verb_result_list;

struct dataset_rate {
    double done_per_s;
    int64_t eta_ms; /* -1: can't be told */
};
struct dataset_view {
    struct slice name;
    struct tally tally;
    struct dataset_rate rate;
};
struct dataset_call {
    struct call call;
    struct slice queue;
    bool all;
    struct slice name;
    struct dataset_view *views; /* out */
    size_t view_count;
};
extern const struct verb verb_dataset_list;

/* ---- the shard itself ---- */

extern const struct histogram_scale scale_ns;       /* of times, in nanoseconds */
extern const struct histogram_scale scale_commands; /* of commands a batch */
struct shard_histograms {
    struct histogram batch_ns;       /* from a batch's begin until it is durable */
    struct histogram commit_ns;      /* the store's part of it: writing and flushing */
    struct histogram flush_ns;       /* of that, the flush of commits that the log took */
    struct histogram checkpoint_ns;  /* between batches: the log is brought in */
    struct histogram batch_commands; /* 0: only what was due by itself */
};
struct shard_stats {
    int shard;
    int64_t commits;
    int64_t checkpoints;
    int64_t commands;
    int64_t queues;
    int64_t sessions;
    int64_t leases;
    int64_t waiters;
    struct store_usage usage;
    uint64_t publish_limit_bytes; /* used_bytes at which publish is refused */
    struct shard_histograms histograms;
    const char *store_name;
};
struct stats_call {
    struct call call;
    struct shard_stats stats; /* out */
};
extern const struct verb verb_stats;

/* What monitoring wants to know, of a bounded number of queues and datasets by themselves, and of
 * all others together. */
struct queue_figures {
    struct slice name;
    int64_t created_ms;
    struct tally tally;
    struct queue_events events;
    int64_t paused; /* queues */
    int64_t waiters;
    int64_t sessions;
    int64_t oldest_ready_age_ms;    /* since its publish; 0: none is ready; -1: not looked for, or
                                     * not found */
    int64_t oldest_lease_age_ms;    /* 0: none */
    int64_t oldest_progress_age_ms; /* since a lease last told any, the longest; 0: no leases */
};
struct dataset_figures {
    struct slice queue;
    struct slice name;
    struct tally tally;
    struct dataset_rate rate;
};
struct figures_call {
    struct call call;
    size_t max; /* queues, and datasets, by themselves */
    /* out */
    struct shard_stats stats;
    struct queue_figures *queues; /* the oldest */
    size_t queue_count;
    struct queue_figures others; /* the other queues together */
    size_t other_count;
    struct dataset_figures *datasets; /* those that were published last */
    size_t dataset_count;
    int64_t dataset_total;
};
extern const struct verb verb_figures;
/* The sum of several queues, as their others. */
void queue_figures_add(struct queue_figures *self, const struct queue_figures *other);

/* Run on a thread of their own over a snapshot (inspect.c), not in a batch. */
#define CHECK_PROBLEMS_MAX 100
struct inspect_call {
    struct call call;
    struct store_copy copy; /* backup; its `stop` ends a check too */
    int64_t records;        /* check, out */
    int64_t problem_count;
    char *problems[CHECK_PROBLEMS_MAX];
};

#endif
