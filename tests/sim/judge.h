/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h -- what the answer to each call must be, in the world that the checker has entered.
 *
 * A judge takes the call through the model and compares. Without an answer (the broker died in the
 * batch) it takes it through the model all the same: so it would be if the batch took place.
 */
#ifndef ACKD_TESTS_SIM_JUDGE_H
#define ACKD_TESTS_SIM_JUDGE_H

#include "checker.h"
#include "rpc/method.h"

struct visit;

void judge(struct checker *self, struct visit *visit);
/* Whether the method can change anything. */
bool judge_changes(enum method_number method);

/* Long polls whose time is over or whose client has gone; `all`: the broker is stopping. */
void judge_gone_waiters(struct checker *self, bool all);
/* Long polls that get what became ready: first come, first served. */
void judge_served(struct checker *self, int queue);
/* At the end of a batch: who waits still has no answer. */
void judge_waiters(struct checker *self);
/* Heartbeats count before anything expires. */
void judge_keep_alive(struct checker *self, const struct visit *visit);

/* What the checker itself asks the broker. */
void judge_ask_for_all(struct sim *sim, int queue);
void judge_ask_for_counts(struct sim *sim, int queue);
/* When a task that this call gives back is to be tried again: the broker draws that. */
void judge_ask_for_backoffs(struct checker *self, struct sim *sim, const struct visit *visit);

/* ---- a judge a method; judge_lease.c, judge_settle.c, judge_task.c, judge_rest.c ---- */

typedef void judge_function(struct checker *self, struct visit *visit);
judge_function judge_lease, judge_ack, judge_nack, judge_renew, judge_checkpoint, judge_publish,
    judge_task_get, judge_task_list, judge_cancel, judge_session_open, judge_heartbeat,
    judge_session_close, judge_session_list, judge_queue_create, judge_queue_get,
    judge_queue_update, judge_pause, judge_resume, judge_purge, judge_redrive, judge_dead_delete,
    judge_results;

/* Whether the answer is to be had. False for one that died with the broker. */
bool is_known(const struct checker *self, const struct visit *visit);
/* A step of a call that takes several batches: expects no answer yet. */
void expect_more(struct checker *self, const struct visit *visit);
void expect_counts(struct checker *self, const struct model *model, int64_t ready, int64_t delayed,
                   int64_t leased);
/* Where an outcome has no error: STATUS_OK. */
struct Ackd__V1__ErrorDetail;
void expect_outcome(struct checker *self, const char *what, const char *id,
                    const struct Ackd__V1__ErrorDetail *error, enum status expected);

struct Ackd__V1__AckItem;
struct Ackd__V1__AckOutcome;
struct Ackd__V1__NackItem;
struct Ackd__V1__Outcome;
/* `outcomes` NULL: there are none to be had. */
void judge_ack_items(struct checker *self, struct Ackd__V1__AckItem **items, size_t count,
                     struct Ackd__V1__AckOutcome **outcomes);
void judge_nack_items(struct checker *self, struct Ackd__V1__NackItem **items, size_t count,
                      struct Ackd__V1__Outcome **outcomes);

#endif
