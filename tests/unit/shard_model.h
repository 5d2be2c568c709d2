/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_model.h -- what one queue should do, told a second time: small, slow, and without looking
 * at broker/core. test_shard_random.c holds the shard to it.
 *
 * The model is told what was asked, in the order of asking, and says what the answer must be. Only
 * what the shard draws by chance (the jitter of a backoff) is taken from the shard, and judged.
 */
#ifndef ACKD_TESTS_UNIT_SHARD_MODEL_H
#define ACKD_TESTS_UNIT_SHARD_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/queue_config.h"
#include "core/task.h"

enum {
    MODEL_TASKS = 60,     /* IDs */
    MODEL_SESSIONS = 400, /* opened in the life of a model */
    MODEL_TOMBSTONES = 4000
};

struct model_task {
    bool exists; /* its ID is taken */
    enum task_state state;
    int incarnation; /* grows with each publish of the ID */
    int priority;
    uint64_t seq;
    bool fresh; /* READY and never touched */
    uint32_t fence;
    uint32_t failures, losses, preemptions, deliveries;
    int64_t due_ms; /* DELAYED; LEASED without session: its deadline */
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
    uint64_t id;
    int64_t session_ms;
    int64_t deadline_ms;
    int stops; /* notices not yet told */
};

struct model_counts {
    int64_t ready, delayed, leased, done, dead;
    int64_t published, purged, deliveries, failures, preemptions, losses, salvaged;
    int64_t useful_ms, wasted_ms;
};

struct model {
    struct queue_config config;
    int64_t now_ms;
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
/* Which tasks a lease gets, in their order; leases them. */
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
int model_redrive(struct model *self);
int model_delete_dead(struct model *self);
int model_purge(struct model *self);
/* The bounds of a backoff after so many failures. */
void model_backoff(const struct model *self, uint32_t failures, int64_t *ret_min_ms,
                   int64_t *ret_max_ms);

int model_open(struct model *self, uint64_t id, int64_t session_ms);
/* The notices that a heartbeat must bring; -1: the session is gone. */
int model_heartbeat(struct model *self, int session);
int model_close(struct model *self, int session);

/* All that is due at the new time. */
void model_pass(struct model *self, int64_t now_ms);
void model_restart(struct model *self, int64_t grace_ms);
struct model_counts model_counts(const struct model *self);

#endif
