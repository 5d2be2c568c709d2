/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard.h -- a slice of the queues, owned by one thread and one store.
 *
 * A shard takes every call that waits, runs each through the rules inside one store transaction,
 * commits once (group commit), then updates its indexes in memory, and then posts the replies. It
 * never waits for a batch to fill while idle: load makes the batches, and callers that work in a
 * loop share them (gather.c). Nothing in memory changes before the commit, except what can be
 * taken back (batch.c).
 *
 * shard_step runs one batch on the calling thread; shard_start puts a thread around it. Tests and
 * the simulator use shard_step alone, with a clock of their own.
 */
#ifndef ACKD_SHARD_SHARD_H
#define ACKD_SHARD_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "core/limits.h"
#include "shard/call.h"
#include "store/store.h"

#define SHARDS_MAX 64
/* A queue's number and a session's ID begin with their shard's. */
#define QUEUE_NUMBER_MAX ((UINT32_C(1) << 26) - 1) /* the part behind the shard's */
#define SHARD_OF_QUEUE(queue) ((int)((queue) >> 26))
#define SHARD_OF_SESSION(session) ((int)((session) >> 58))

struct shard_options {
    int index; /* 0 .. SHARDS_MAX - 1 */
    struct store *store;
    struct clock clock;
    struct limits limits;
    int64_t restart_grace_ms;
    uint64_t seed; /* of the jitter */
    /* Once, on the shard's thread, when the store failed: outcomes are unknown, nothing may be
     * served any more. The calls of the failing batch get STATUS_UNAVAILABLE. */
    void (*on_failure)(void *context);
    void *context;
};

/* Reads the store. The store stays the caller's if this fails. */
enum status shard_open(const struct shard_options *options, struct shard **ret_shard,
                       struct error *error) MUST_USE;
/* Frees the shard and closes its store. Its thread, if any, has been stopped. NULL is nothing. */
void shard_close(struct shard *self);

/* Every queue found or made, by name: for the directory of all shards. Before shard_start only. */
void shard_each_queue(struct shard *self,
                      void (*visit)(void *context, struct slice name, int shard), void *context);

/* Any thread. After shard_stop calls are answered STATUS_UNAVAILABLE. */
void shard_send(struct shard *self, struct call *call);
/* Any thread, only before the call's letter is opened: a waiting call ends soon, without a task. */
void shard_cancel(struct shard *self, struct call *call);
/* Any thread: waiting leases are answered, and none waits from now on. */
void shard_drain(struct shard *self);

/* Runs one batch of what is there; true if anything was done. The shard's thread only. */
bool shard_step(struct shard *self);
/* When it has something to do by itself; INT64_MAX: never. The shard's thread only. */
int64_t shard_next_ms(const struct shard *self);

enum status shard_start(struct shard *self) MUST_USE;
/* Finishes what was sent, and ends the thread. */
void shard_stop(struct shard *self);

/* On a thread of its own, over a snapshot; answers like any call. At most one at a time a shard:
 * else STATUS_UNAVAILABLE. */
void shard_backup(struct shard *self, struct inspect_call *call);
void shard_check(struct shard *self, struct inspect_call *call);
/* What shard_check runs, on the calling thread: also for a store that no shard has opened. The
 * arena and the check's fields of the call are all it uses. STATUS_STORE_FULL: given up, since the
 * store grew too much meanwhile; STATUS_UNAVAILABLE: stopped. */
enum status check_run(struct store *store, struct inspect_call *call) MUST_USE;

#endif
