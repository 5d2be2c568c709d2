/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checker.h -- whoever watches: sees every request and every answer, and holds the broker to the
 * model of its rules (tests/model), which knows nothing of the broker's own code.
 *
 * A world is a state that the broker may be in. There is one, as a rule. A batch in which the
 * broker died may have taken place or not, so that after it there are two; what is seen later rules
 * worlds out, and when none is left, a promise is broken:
 *
 *   I1  what was confirmed is there after any crash    I5  counters only grow, deliveries by leases
 *   I2  a task has one live lease at a time            I6  counts equal a scan (audit.h)
 *   I3  an old lease token changes nothing             I7  an ID makes one task
 *   I4  what was acked is never handed out again       I8  without trouble everything ends
 *
 * I1 to I5 and I7 follow from each answer being the model's, down to which tasks a lease gets and
 * in what order. The calls of a batch are judged in the order in which they ran.
 */
#ifndef ACKD_TESTS_SIM_CHECKER_H
#define ACKD_TESTS_SIM_CHECKER_H

#include "base/map.h"
#include "base/slice.h"
#include "core/limits.h"
#include "core/token.h"
#include "model/model.h"

struct sim;
struct visit;

enum { SIM_QUEUES = 2, WORLDS_MAX = 4, WORLD_WAITERS_MAX = 64, CHECKER_TOKENS_MAX = 8192 };
enum { CHECKER_SESSIONS_MAX = SIM_QUEUES * MODEL_SESSIONS };

/* A call that takes several batches, as far as a world knows. */
struct progress_seen {
    bool begun;
    bool is_over; /* of a long poll: its answer was judged */
    struct model_walk walk;
};

/* Who waits and found no room is served at the latest so long after there is some. */
#define SERVE_AGAIN_MS 1000

/* What the checker is told of a batch. */
struct batch_seen {
    int64_t now_ms;
    bool puts_off;     /* what is due by itself was put off */
    bool expires;      /* tasks that have outlived their time were looked for */
    bool may_be_full;  /* something found no room */
    bool serves_later; /* so did who waited, less than SERVE_AGAIN_MS ago */
};

struct world {
    bool alive;
    struct model models[SIM_QUEUES];
    struct visit *waiters[SIM_QUEUES][WORLD_WAITERS_MAX]; /* long polls, as they came */
    int64_t waits_until_ms[SIM_QUEUES][WORLD_WAITERS_MAX];
    int waiter_counts[SIM_QUEUES];
    int sessions_at_start; /* of the batch */
    int sessions_opened;   /* in the batch */
};

/* A lease token that was given out. */
struct token_seen {
    struct map_node node;
    char text[TOKEN_BYTES_MAX];
    int queue;
    int task;
    int incarnation;
    uint32_t fence;
    int64_t batch; /* that gave it out */
    int at;        /* the world that saw it first */
};

/* A session whose ID was given out. */
struct session_seen {
    char text[24];
    int queue;
    int session;
};

struct checker {
    struct world worlds[WORLDS_MAX];
    int at;              /* the world in which things are judged now */
    struct world *world; /* worlds[at] */
    bool blind;          /* the batch's answers are not to be had: what would it have done? */
    bool quiet;          /* told by another world already */
    struct batch_seen batch;
    int64_t batches;
    struct limits limits;
    bool squeezed;      /* the disk is small now */
    int64_t room_at_ms; /* or was until then, by the schedule */
    bool wrong;         /* this world can't be */
    char why[400];
    struct map tokens;
    struct token_seen *token_list;
    int token_count;
    struct session_seen sessions[CHECKER_SESSIONS_MAX];
    int session_count;
    unsigned maybe_happened; /* worlds, by bit, in which the last batch before a death happened */
};

void checker_init(struct checker *self, struct sim *sim);
void checker_deinit(struct checker *self);

/* Before a batch: the checker asks along with the others, as the last. */
void checker_ask_along(struct checker *self, struct sim *sim);
/* After it. */
void checker_judge(struct checker *self, struct sim *sim, const struct batch_seen *batch);
/* After one in which the broker died. */
void checker_judge_last(struct checker *self, struct sim *sim, const struct batch_seen *batch);
/* An answer without a batch. */
void checker_judge_at_once(struct checker *self, struct visit *visit);
/* The broker is up again: looks at everything. */
void checker_restart(struct checker *self, struct sim *sim);
/* Asks for everything there is to see, and judges it. */
void checker_look(struct checker *self, struct sim *sim);
/* Whether a death can be afforded: there are not too many worlds, and nothing is in doubt but for
 * the answers of the batch. */
bool checker_is_sure(const struct checker *self);
/* All tasks of all queues are done. */
bool checker_all_is_done(const struct checker *self);

/* ---- for judge_*.c ---- */

/* Rules this world out if `holds` is false. */
bool expect(struct checker *self, bool holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool expect_status(struct checker *self, const struct visit *visit, enum status expected);
/* Counts and story are for one world alone. */
bool tells(const struct checker *self);
/* NULL: there is no such queue. */
struct model *model_of(struct checker *self, const char *queue);
/* -1: it is none of theirs. */
int task_of_id(const char *id);
const char *id_of_task(int task);
/* NULL: never given out. */
const struct token_seen *token_find(const struct checker *self, const char *text);
void token_note(struct checker *self, int queue, int task, const char *text);
/* False: there is none of that name. */
bool session_of_id(const struct checker *self, const char *id, int *ret_queue, int *ret_session);
void session_note(struct checker *self, int queue, int session, const char *text);

#endif
