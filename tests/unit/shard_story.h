/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_story.h -- a story that chance tells on one queue: what may be asked, and what the model
 * says of the answer. test_shard_random.c tells many.
 *
 *     a zeroed story, `random` or `bytes` set -> story_begin -> story_run_batch ... -> story_end
 *
 * Chance is a seed, or bytes that a fuzzer has thought of: each decision takes the next one or two.
 *
 * An op is asked by `send`, which makes its call; when its batch has run, `judge` tells the model
 * of it and compares. Ops of one batch are judged in the order in which they were sent.
 */
#ifndef ACKD_TESTS_UNIT_SHARD_STORY_H
#define ACKD_TESTS_UNIT_SHARD_STORY_H

#include "model/model.h"
#include "shard_bench.h"

enum {
    STORY_BATCHES_MAX = 60, /* a story; the arrays of model and story are as large */
    STORY_OPS_MAX = 6,      /* a batch */
    STORY_ITEMS_MAX = 8,    /* an op */
    STORY_TOKENS_MAX = 2000,
    STORY_WAITERS_MAX = 64,
    STORY_LINES = 12
};

struct story_token {
    struct lease_token token;
    int task;
    int incarnation;
};

struct waiter {
    struct lease_call *call;
    int64_t until_ms;
};

struct story {
    struct bench *bench;
    struct model model;
    uint64_t random;     /* the seed and what has become of it */
    struct slice bytes;  /* instead of a seed; data NULL: there are none */
    unsigned next_bytes; /* seed of the next payload, checkpoint or result */
    struct story_token tokens[STORY_TOKENS_MAX];
    int token_count;
    struct waiter waiters[STORY_WAITERS_MAX];
    int waiter_count;
    char lines[STORY_LINES][512];
    int line;
};

struct item {
    struct story_token token;
    int task;
    bool flag; /* ack: committed; nack: permanent */
    bool unstarted;
    int64_t ms;
    unsigned bytes;
    int priority;
};

struct op {
    const struct op_kind *kind;
    struct call *call;
    struct item items[STORY_ITEMS_MAX];
    int count;
    int carried; /* of a lease: items that are acks */
    int session;
    int max;
    int64_t wait_ms;
    enum task_command_kind nack;
};

struct op_kind {
    const char *name;
    int weight;
    bool alone;                                      /* no other op in its batch */
    bool (*send)(struct story *self, struct op *op); /* false: nothing to do it with */
    void (*judge)(struct story *self, struct op *op);
};

extern const struct op_kind story_kinds[];
extern const size_t story_kind_count;
extern char story_task_names[MODEL_TASKS][8];

/* The names of the tasks, once. */
void story_name_tasks(void);

void story_begin(struct story *self);
void story_run_batch(struct story *self);
void story_end(struct story *self);
/* The calls of the last batches. */
void story_print_lines(const struct story *self);

/* ---- for the ops ---- */

int story_below(struct story *self, int bound);
bool story_chance(struct story *self, int percent);
/* What a payload, checkpoint or result of this seed must be. */
void story_assert_bytes(struct call *call, struct slice bytes, unsigned seed);
/* First come, first served: the model hands out, the waiters must have been answered so. */
void story_judge_served(struct story *self);

#endif
