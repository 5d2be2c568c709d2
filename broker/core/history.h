/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h -- what became of a task's deliveries, for people.
 *
 * The rules decide by counters; a history tells the story behind them: one attempt for each lease
 * that ended otherwise than by an ack at the first try (but for one that a late result of an older
 * lease cut short: the result's stands for both), and for what happened to the task while it
 * waited. It is a run of bytes in the task's active record, which such a step rewrites anyway:
 *
 *   left_out | attempts, oldest first, each
 *       end and flags(1) fence session leased ended-leased
 *       then worker, pod, node: size and bytes
 *       and, where the flags say so, error: size and bytes; dead_reason(1)
 *
 * Numbers and sizes are as short as they can be (pen_short): a worker that vanishes with a hundred
 * thousand leases lengthens as many rows.
 *
 * Invariants (tests/unit/test_core_history.c)
 *   H1  At most HISTORY_ATTEMPTS_MAX attempts and HISTORY_BYTES_MAX bytes: the oldest go first, and
 *       `left_out` counts them.
 *   H2  Texts are cut between characters.
 *
 * A task that is done at its first delivery never has one, and pays nothing for it.
 */
#ifndef ACKD_CORE_HISTORY_H
#define ACKD_CORE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "core/task.h"

#define HISTORY_ATTEMPTS_MAX 16
#define HISTORY_BYTES_MAX 3800 /* with the longest error, an active record still is two pages */
#define ATTEMPT_NAME_BYTES_MAX 63
#define ATTEMPT_ERROR_BYTES_MAX 512

/* The numbers are those of ackd.v1.AttemptEnd. */
enum attempt_end {
    ATTEMPT_GOES_ON,
    ATTEMPT_ACKED,
    ATTEMPT_FAILED,
    ATTEMPT_PREEMPTED,
    ATTEMPT_RELEASED,
    ATTEMPT_LOST,
    ATTEMPT_EXPIRED,
    ATTEMPT_CANCELLED,
    ATTEMPT_OUTLIVED,
    ATTEMPT_REDRIVEN,
    ATTEMPT_END_COUNT
};

struct attempt {
    enum attempt_end end;
    enum dead_reason dead_reason; /* DEAD_NOT: the task lived on */
    bool has_checkpoint;
    bool unstarted;
    uint32_t fence;    /* 0: no delivery */
    uint64_t session;  /* 0: none */
    int64_t leased_ms; /* 0: no delivery, or nobody knows */
    int64_t ended_ms;
    struct slice worker;
    struct slice pod;
    struct slice node;
    struct slice error;
};

struct history {
    size_t size; /* 0: none */
    uint8_t bytes[HISTORY_BYTES_MAX];
};

/* What the step from `before` to `after` is in a history, but for the texts. ATTEMPT_GOES_ON: it is
 * nothing there. */
struct attempt attempt_of_step(const struct task *before, const struct task *after,
                               const struct task_command *command, int64_t now_ms);

void history_add(struct history *self, const struct attempt *attempt);

static inline struct slice history_slice(const struct history *self)
{
    return slice_of(self->bytes, self->size);
}

/* Of a history's bytes: how many attempts are not in it any more; then the attempts behind that
 * number, each taken off the front of *rest. False at the end, or if it is broken. The texts point
 * into the bytes. */
uint32_t history_begin(struct slice history, struct slice *ret_rest);
bool history_next(struct slice *rest, struct attempt *ret);
/* Whether bytes from a store are a history that can be read to its end. */
bool history_is_whole(struct slice history);

#endif
