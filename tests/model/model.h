/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h -- what one queue should do, told a second time: small, slow, and without looking at
 * broker/core. tests/unit/test_shard_random.c and the simulator hold the broker to it.
 *
 * The model is told what was asked, in the order of asking, and says what the answer must be. Only
 * what the broker draws by chance (the jitter of a backoff) is taken from the broker, and judged.
 *
 * Time: model_tick says what time it is; model_pass says besides that what is due at that time has
 * happened. (A broker without room puts off what is due by itself.)
 *
 * A model is a value: copy it to ask what would be if a batch had, or had not, taken place.
 */
#ifndef ACKD_TESTS_MODEL_MODEL_H
#define ACKD_TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/queue_config.h"
#include "core/task.h"

enum {
    MODEL_TASKS = 60,     /* IDs */
    MODEL_SESSIONS = 400, /* opened in the life of a model */
    MODEL_TOMBSTONES = 4000
};
#define MODEL_DUE_UNKNOWN (INT64_MAX / 4) /* a backoff, until the broker was asked */

struct model_task {
    bool exists; /* its ID is taken */
    enum task_state state;
    int incarnation; /* grows with each publish of the ID */
    int priority;
    uint64_t seq;
    bool fresh; /* READY and never touched */
    uint32_t fence;
    uint32_t failures, losses, preemptions, deliveries;
    enum dead_reason dead_reason;
    int64_t published_ms; /* or redriven */
    int64_t waits_since_ms;
    int64_t due_ms;      /* DELAYED; LEASED without session: its deadline */
    int64_t kept_due_ms; /* LEASED without session: what a restart finds; less than a grace gave */
    int64_t leased_ms;
    int session;      /* LEASED: its index, or -1 */
    unsigned payload; /* seeds of the bytes; 0: none */
    unsigned checkpoint;
    unsigned result;
    int64_t done_ms;
};

/* A lease whose ack may be repeated. */
struct model_tombstone {
    int task;
    int incarnation;
    uint32_t fence;
    int64_t until_ms;
};

struct model_session {
    bool open;
    bool closing;    /* its leases go back from the next batch on */
    bool maybe_lost; /* overdue, but what is due was put off: perhaps it is lost already */
    uint64_t id;
    int64_t session_ms;
    int64_t deadline_ms;
    int stops;       /* notices not yet told */
    int fresh_stops; /* of the batch under way: not told in it */
};

/* How far work that goes through a queue's tasks in steps is. */
struct model_walk {
    bool begun;
    int priority;
    uint64_t seq;
    uint64_t seq_end; /* purge: what was published later stays */
    int changed;
};

struct model_counts {
    int64_t ready, delayed, leased, done, dead;
    int64_t published, purged, deliveries, failures, preemptions, losses, salvaged;
    int64_t useful_ms, wasted_ms;
};

struct model {
    struct queue_config config;
    bool paused;
    int64_t now_ms;
    int64_t passed_ms; /* all that was due by then has happened */
    uint64_t next_seq;
    struct model_task tasks[MODEL_TASKS];
    struct model_session sessions[MODEL_SESSIONS];
    int session_count;
    struct model_tombstone tombstones[MODEL_TOMBSTONES];
    int tombstone_count;
    struct model_counts events; /* all but the five states */
};

void model_init(struct model *self, struct queue_config config, int64_t now_ms);

enum status model_publish(struct model *self, int task, int priority, int64_t delay_ms,
                          unsigned payload);
/* Which tasks a lease gets, in their order; leases them. Those that it finds to have outlived their
 * time die. */
int model_lease(struct model *self, int max, int session, int64_t lease_ms, int ret_tasks[]);
enum status model_ack(struct model *self, int task, int incarnation, uint32_t fence, bool proves,
                      unsigned result, bool *ret_salvaged, bool *ret_repeated);
enum status model_nack(struct model *self, int task, int incarnation, uint32_t fence,
                       enum task_command_kind kind, bool permanent, bool unstarted,
                       int64_t delay_ms, unsigned checkpoint);
enum status model_renew(struct model *self, int task, int incarnation, uint32_t fence,
                        int64_t lease_ms);
enum status model_checkpoint(struct model *self, int task, int incarnation, uint32_t fence,
                             unsigned checkpoint);
enum status model_cancel(struct model *self, int task);
/* One step through the dead letters, or all tasks that are not done, in service order, behind those
 * of the steps before. False: there were none left. */
bool model_redrive(struct model *self, struct model_walk *walk);
bool model_delete_dead(struct model *self, struct model_walk *walk);
bool model_purge(struct model *self, struct model_walk *walk);
/* The bounds of a backoff after so many failures. */
void model_backoff(const struct model *self, uint32_t failures, int64_t *ret_min_ms,
                   int64_t *ret_max_ms);

int model_open(struct model *self, uint64_t id, int64_t session_ms);
/* A heartbeat counts before anything of its batch expires. */
void model_keep_alive(struct model *self, int session);
/* The notices that a heartbeat must bring; -1: the session is gone. */
int model_heartbeat(struct model *self, int session);
/* False: the session is gone. Its leases go back with model_end_close, in a batch after. */
bool model_begin_close(struct model *self, int session);
/* Returns how many leases went back. */
int model_end_close(struct model *self, int session);

void model_tick(struct model *self, int64_t now_ms);
/* All that is due at the new time, but for tasks that outlived theirs. */
void model_pass(struct model *self, int64_t now_ms);
/* Waiting tasks that have outlived their time go to the dead letters. */
void model_expire(struct model *self);
/* What model_pass would have done, and then, with `expires`, model_expire, had it been known that
 * this backoff is over. */
void model_end_backoff(const struct model *self, struct model_task *task, bool expires);
/* The end of a batch. */
void model_settle(struct model *self);
void model_restart(struct model *self, int64_t grace_ms);
struct model_counts model_counts(const struct model *self);

#endif
