/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.h -- the rules: what a command makes of a task.
 *
 *              PUBLISH                    LEASE (fence + 1)
 *     NONE ---------------> READY -------------------------------> LEASED --- ACK ---> DONE
 *        |                   ^ ^ ^                                  |  |                 ^
 *        | with a delay      | | +--- NACK preempted|released, LOSE +  |                 |
 *        v          WAKE     | |                                       |       ACK, late |
 *     DELAYED ---------------+ +------------ REDRIVE ----------+       |  (READY, DELAYED, LEASED)
 *        ^                                                     |       |
 *        +------------- NACK failed, backoff ------------------|-------+
 *                                                              |       |
 *     READY, DELAYED, LEASED --- CANCEL, EXPIRE -----------> DEAD <----+ failures or losses at max
 *
 * Invariants (task_check; tests/unit/test_core_task.c)
 *   L1  A task has at most one live lease.
 *   L2  The fences of one task strictly increase and are never reused.
 *   L3  A command with any other fence than the current one changes nothing; but an ack that
 *       proves completion closes an open task (salvage), if the queue wants that.
 *   L4  A lease without a session is live exactly while now_ms < deadline_ms, by the broker's
 *       clock; a lease of a session is live as long as the session, which the shard knows.
 *   L5  Renewing never brings a deadline closer.
 *   L6  Only failures count towards max_failures, only losses towards max_losses; preemptions
 *       never kill a task.
 *   L7  A refused command leaves the task as it was.
 *   L8  DONE is for ever; DEAD ends only by REDRIVE.
 *
 * Pure: no clock, no I/O, no allocation. The caller passes the time and a random number and
 * stores the result; until it is stored, nothing has happened.
 */
#ifndef ACKD_CORE_TASK_H
#define ACKD_CORE_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "core/queue_config.h"

enum task_state { TASK_NONE, TASK_READY, TASK_DELAYED, TASK_LEASED, TASK_DONE, TASK_DEAD };
#define TASK_STATE_COUNT 6
const char *task_state_name(enum task_state state);

/* The numbers are those of ackd.v1.DeadReason. */
enum dead_reason {
    DEAD_NOT,
    DEAD_FAILURES,
    DEAD_LOSSES,
    DEAD_EXPIRED,
    DEAD_CANCELLED,
    DEAD_CORRUPT,
};
#define DEAD_REASON_COUNT 6

/* Why a holder must stop; the numbers are those of ackd.v1.StopReason. */
enum stop_reason { STOP_NOT, STOP_CANCELLED, STOP_DONE, STOP_LOST };

struct task {
    enum task_state state;
    enum dead_reason dead_reason; /* DEAD */
    uint32_t fence;               /* of the latest lease; 0: never leased */
    uint32_t done_fence;          /* DONE: of the lease whose ack closed it */
    uint32_t failures;
    uint32_t preemptions;
    uint32_t losses;
    uint32_t deliveries;
    bool has_checkpoint;
    uint64_t session; /* LEASED: 0: none */
    int64_t published_ms;
    int64_t at_ms;     /* DELAYED: due; LEASED without session: deadline; DONE, DEAD: since */
    int64_t leased_ms; /* LEASED: since */
};

#define TASK_COMMANDS(X)                                                                           \
    X(PUBLISH)        /* delay_ms */                                                               \
    X(LEASE)          /* session, lease_ms */                                                      \
    X(RENEW)          /* fence, lease_ms */                                                        \
    X(CHECKPOINT)     /* fence, has_data */                                                        \
    X(ACK)            /* fence, proves_completion */                                               \
    X(NACK_FAILED)    /* fence, delay_ms, permanent, unstarted */                                  \
    X(NACK_PREEMPTED) /* fence, delay_ms, unstarted */                                             \
    X(NACK_RELEASED)  /* fence, delay_ms, unstarted */                                             \
    X(LOSE)           /* session: the one that is gone, 0: the deadline passed */                  \
    X(WAKE)                                                                                        \
    X(EXPIRE)                                                                                      \
    X(CANCEL)                                                                                      \
    X(REDRIVE)

enum task_command_kind {
#define X(name) TASK_##name,
    TASK_COMMANDS(X)
#undef X
        TASK_COMMAND_COUNT
};
const char *task_command_name(enum task_command_kind kind);

#define TASK_DELAY_BACKOFF (-1) /* delay_ms of a nack: by the queue's rules */

struct task_command {
    enum task_command_kind kind;
    uint32_t fence;
    uint64_t session;
    int64_t lease_ms;
    int64_t delay_ms;
    bool proves_completion;
    bool has_data;
    bool permanent;
    bool unstarted;
};

struct task_effects {
    int64_t useful_ms;             /* lease time that ended in an ack */
    int64_t wasted_ms;             /* lease time that did not */
    bool salvaged;                 /* an old lease's result closed the task */
    bool repeated;                 /* nothing changed: it was done by this lease before */
    enum stop_reason holder_stops; /* the holder of lease (`ended_session`, `ended_fence`) */
    uint64_t ended_session;
    uint32_t ended_fence;
};

/* Carries out one command. `random` is any 64 bits, for jitter.
 * STATUS_LEASE_LOST: the fence is not of a live lease. STATUS_WRONG_STATE: the state does not
 * allow it. In both cases *task is as before. */
enum status task_step(struct task *task, const struct task_command *command,
                      const struct queue_config *config, int64_t now_ms, uint64_t random,
                      struct task_effects *ret_effects) MUST_USE;

/* Asserts what holds for every task at any time. */
void task_check(const struct task *task);

/* The wait before try number `failures` + 1: doubles from backoff_min_ms to backoff_max_ms, the
 * upper half of it drawn by `random`. */
int64_t task_backoff_ms(const struct queue_config *config, uint32_t failures, uint64_t random);

/* Whether an unleased task has outlived its queue's task_ttl_ms. */
bool task_is_expired(const struct queue_config *config, int64_t published_ms, int64_t now_ms);

#endif
