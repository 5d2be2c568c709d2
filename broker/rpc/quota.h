/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota.h -- what each caller has being served, and how much it asks: the bounds on both.
 *
 * A caller is who the principal says, or where callers are not known an address. Rates are token
 * buckets (base/bucket.h): a second's worth may come at once. A request is let in by what was asked
 * before it, and then counted with all its bytes, in and out: what is too much is paid for by the
 * next one.
 *
 * What ends or keeps work that a worker has in hand (acks, renewals, heartbeats) is counted, but
 * never refused for its bytes or for what else is being served, and for its number a second only a
 * second later than the rest: refusing it would have the work done again, which costs more.
 *
 * Threads: any; one lock, taken a few times a request, where there is any bound at all.
 */
#ifndef ACKD_RPC_QUOTA_H
#define ACKD_RPC_QUOTA_H

#include "base/slice.h"
#include "base/status.h"
#include "rpc/counters.h"

/* Bounds as LIMITED_TABLE calls them: one caller may `verb` so many `things`. A request counts as
 * being served from its head on. */
#define QUOTA_TABLE(X)                                                                             \
    X(requests_per_second, "send", "requests a second")                                            \
    X(bytes_per_second, "send and be sent", "bytes a second")                                      \
    X(requests_per_caller, "have", "requests served at once")                                      \
    X(waiters_per_caller, "have", "calls wait at once")

struct quota_bounds { /* 0: none */
#define X(name, verb, things) int64_t name;
    QUOTA_TABLE(X)
#undef X
};

struct quotas;
struct quota; /* one caller's, while it has a request */

/* NULL: no memory. */
struct quotas *quotas_new(const struct quota_bounds *bounds, struct counters *counters);
/* Nobody uses it any more. NULL is nothing. */
void quotas_free(struct quotas *self);

/* Lets a request in; quota_end ends it. A refusal is STATUS_RATE_LIMITED, and *ret_wait_ms when to
 * try again. `in_hand`: it is about work that the caller has. */
enum status quota_begin(struct quotas *self, struct slice caller, bool in_hand, int64_t now_ms,
                        struct quota **ret_quota, int64_t *ret_wait_ms,
                        struct error *error) MUST_USE;
/* The request may wait. */
enum status quota_wait(struct quotas *self, struct quota *quota, struct error *error) MUST_USE;
/* Bytes that it came with, or that answer it. */
void quota_charge(struct quotas *self, struct quota *quota, size_t bytes, int64_t now_ms);
void quota_end(struct quotas *self, struct quota *quota, bool waited);

#endif
