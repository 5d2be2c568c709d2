/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_bench.h -- a shard on a bench: the mem store, a clock that tests move, no threads. With
 * ACKD_TEST_STORE=lmdb in the environment it is the LMDB store, which has no faults to order.
 *
 * A story sends calls and runs batches itself. `bench_x` below sends one call and runs until the
 * shard is idle; bench_call with bench_send leaves the running to the story, so that several calls
 * meet in one batch. Every call lives until bench_free.
 *
 * bench_check holds the shard to its invariants: the store's check finds no problem, memory is what
 * a start would read (M1, M2), nobody sleeps past something due. Every bench_free does it too.
 */
#ifndef ACKD_TESTS_UNIT_SHARD_BENCH_H
#define ACKD_TESTS_UNIT_SHARD_BENCH_H

#include "shard/shard.h"
#include "shard/state.h"
#include "store/mem.h"

#define BENCH_START_MS INT64_C(1700000000000)
#define BENCH_ARENA_BYTES (size_t)(80 << 20)

struct bench {
    struct store *store;
    char *directory; /* of LMDB; NULL: the mem store */
    struct shard *shard;
    struct mailbox mailbox;
    int64_t now_ms;
    struct limits limits;
    int64_t restart_grace_ms;
    int failures; /* times on_failure was called */
    struct list tickets;
};

struct bench *bench_new(void);
void bench_free(struct bench *self);
/* SIGKILL and a start: what was not committed is gone, waiting calls are never answered. */
void bench_crash(struct bench *self);
/* One batch, and the letters it posted are opened. */
bool bench_step(struct bench *self);
/* Until the shard is idle; fails if it never is. */
void bench_run(struct bench *self);
/* Moves the clock on and runs. */
void bench_pass(struct bench *self, int64_t ms);
/* As store_mem_fault; nothing where the store is another. */
void bench_fault(struct bench *self, enum store_mem_fault fault, uint64_t k);
void bench_check(struct bench *self);
/* What the store's check says; 0: no problem. */
int64_t bench_problems(struct bench *self);
/* The number of rows of a table. */
size_t bench_rows(struct bench *self, enum store_table table);
/* Flips a bit in the middle of a row's value, or in its last byte. */
void bench_rot(struct bench *self, enum store_table table, struct slice key);

/* ---- calls ---- */

/* A zeroed call of `size` bytes, whose first member is its struct call. */
void *bench_call(struct bench *self, size_t size, const struct verb *verb);
#define BENCH_CALL(bench, type, verb)                                                              \
    ((struct type *)bench_call((bench), sizeof(struct type), verb))
void bench_send(struct bench *self, struct call *call);
/* Sends it and runs; fails if it is not answered. Returns how it went. */
enum status bench_do(struct bench *self, struct call *call);
bool bench_is_answered(const struct call *call);
/* Whether a call of bench->tickets was answered, or never sent. */
bool bench_ticket_is_settled(const struct list *link);
/* Answered, well. */
void bench_assert_ok(const struct call *call);

struct slice text(const char *string);
/* `size` bytes that differ from one `seed` to the next, in the call's arena. */
struct slice bench_bytes(struct call *call, size_t size, unsigned seed);

/* ---- one call, sent and run ---- */

void bench_queue(struct bench *self, const char *name);
void bench_queue_with(struct bench *self, const char *name, struct queue_config config);
/* Publishes one task and returns its outcome; id "" lets the broker make one. */
enum status bench_publish(struct bench *self, const char *queue, const char *id);
/* The same with all there is to say; the call's only item. */
struct publish_call *bench_publish_call(struct bench *self, const char *queue, const char *id);
/* `count` tasks "<prefix>0", "<prefix>1" ... in one request. */
struct publish_call *bench_publish_many(struct bench *self, const char *queue, const char *prefix,
                                        size_t count);

struct lease_call *bench_lease_call(struct bench *self, const char *queue, uint32_t max_tasks);
struct lease_call *bench_lease(struct bench *self, const char *queue, uint32_t max_tasks);
struct lease_call *bench_lease_in(struct bench *self, const char *queue, uint32_t max_tasks,
                                  uint64_t session);
/* Leases the one task that is ready and fails if that is not `id`. */
struct lease_token bench_take(struct bench *self, const char *queue, const char *id);
struct lease_token bench_token(const struct lease_call *call, size_t index);
bool bench_is_task(const struct lease_call *call, size_t index, const char *id);

/* Calls with one item, to be sent. */
struct ack_item *bench_ack_item(struct call *call, struct lease_token token, const char *result);
struct ack_call *bench_ack_call(struct bench *self, struct lease_token token, const char *result);
struct nack_call *bench_nack_call(struct bench *self, struct lease_token token,
                                  enum task_command_kind kind);
/* `result` NULL: without one. */
enum status bench_ack(struct bench *self, struct lease_token token, const char *result);
enum status bench_nack(struct bench *self, struct lease_token token, enum task_command_kind kind);
enum status bench_renew(struct bench *self, struct lease_token token, int64_t lease_ms);
enum status bench_checkpoint(struct bench *self, struct lease_token token, const char *data);
enum status bench_cancel(struct bench *self, const char *queue, const char *id);

uint64_t bench_session(struct bench *self, const char *queue, int64_t session_ms);
struct session_call *bench_heartbeat(struct bench *self, uint64_t session);
struct session_call *bench_close(struct bench *self, uint64_t session);

enum status bench_queue_verb(struct bench *self, const char *name, const struct verb *verb);
struct queue_view bench_view(struct bench *self, const char *name);
struct tally bench_tally(struct bench *self, const char *name);
struct dataset_view bench_dataset(struct bench *self, const char *queue, const char *name);
struct task_get_call *bench_get(struct bench *self, const char *queue, const char *id);
struct dead_list_call *bench_dead(struct bench *self, const char *queue);
/* Redrives or deletes all dead letters of a reason (DEAD_NOT: any); says how many. */
int64_t bench_change_dead(struct bench *self, const char *queue, const struct verb *verb,
                          enum dead_reason reason);
struct result_list_call *bench_results(struct bench *self, const char *queue);

#endif
