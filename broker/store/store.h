/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h -- the ordered, transactional, durable record keeping that a shard needs.
 *
 * A store is a few tables of records, key bytes -> value bytes, each sorted by key (memcmp order,
 * a prefix first). One writer at a time; a transaction sees its own writes. The store knows
 * nothing of tasks: what keys and values mean is said in core/record.h.
 *
 * Contract of every engine (the conformance suite holds each to it)
 *   S1  After store_commit has returned STATUS_OK the transaction survives SIGKILL, a kernel crash
 *       and power loss. Before that, nothing of it may be seen after a restart.
 *   S2  A transaction is all or nothing, also when its commit fails.
 *   S3  A write transaction's reads see the last commit and its own writes, and nothing else. A
 *       read transaction's see the last checkpoint: one commit that is no older than the last
 *       store_checkpoint.
 *   S4  store_scan gives rows in key order, from `from` (included) to `to` (excluded).
 *   S5  Slices given out by reads hold until the next write in the transaction, or its end.
 *       Memory given out by store_reserve is filled before the next call on the transaction.
 *   S6  A refusal (STATUS_STORE_FULL) leaves the transaction fit only for store_abort.
 *   S7  STATUS_INTERNAL means that the storage itself failed: the store is unusable from
 *       then on, and nobody knows whether a failing commit took place.
 *
 * Status of every call: STATUS_OK; STATUS_NOT_FOUND where a record is asked for by key and is not
 * there; STATUS_STORE_FULL when map, transaction or disk has no room (S6); STATUS_INTERNAL (S7).
 *
 * Threads: a store and its write transactions belong to one thread. store_usage, store_backup and
 * read transactions opened by store_begin_read may be used by other threads, each by one.
 *
 * Engines fill in `struct store_ops`, one file per verb where a verb is more than a few lines.
 * Reads that belong together are asked for together (store_get_many, store_scan), so that an engine
 * behind a network can answer them in one round trip.
 */
#ifndef ACKD_STORE_STORE_H
#define ACKD_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

#define STORE_KEY_MAX 300 /* bytes; a queue number and a task ID fit */

#define STORE_TABLES(X)                                                                            \
    X(META, "meta")                                                                                \
    X(QUEUE, "queue")                                                                              \
    X(DATASET, "dataset")                                                                          \
    X(TASK, "task")                                                                                \
    X(ACTIVE, "active")                                                                            \
    X(RETURNED, "returned")                                                                        \
    X(DUE, "due")                                                                                  \
    X(ID, "id")                                                                                    \
    X(RESULT, "result")                                                                            \
    X(CHECKPOINT, "checkpoint")                                                                    \
    X(SESSION, "session")                                                                          \
    X(DEAD, "dead")                                                                                \
    X(CHUNK, "chunk")

enum store_table {
#define X(name, text) STORE_##name,
    STORE_TABLES(X)
#undef X
        STORE_TABLE_COUNT
};

/* "task"; for messages and for the engines' own names. */
const char *store_table_name(enum store_table table);

struct store_row {
    struct slice key;
    struct slice value;
};

struct store_read {
    enum store_table table;
    struct slice key;   /* in */
    struct slice value; /* out, if found */
    bool found;         /* out */
};

struct store_usage {
    uint64_t used_bytes; /* live data and its tree */
    uint64_t file_bytes; /* on disk now */
    uint64_t max_bytes;  /* the most it may ever use */
    uint64_t free_pages; /* of the file, to be used again; 0 where the engine has no pages */
    uint64_t page_bytes;
};

/* A copy of a store, as asked for and as made. */
struct store_copy {
    const char *directory;   /* made by the copy; must not exist */
    uint64_t bytes_per_s;    /* at most, unless the store grows much meanwhile; 0: no bound */
    const atomic_bool *stop; /* once it is true the copy is given up; NULL: it is not */
    uint64_t bytes;          /* out: copied */
    bool expected;           /* it will begin: the engine's, and store_expect_backup's */
};

struct store_txn;
struct store;

struct store_ops {
    const char *name; /* "lmdb" */
    enum status (*begin)(struct store *, bool writable, struct store_txn **ret_txn);
    enum status (*commit)(struct store_txn *);
    void (*abort)(struct store_txn *);
    enum status (*checkpoint)(struct store *);
    bool (*is_behind)(const struct store *);
    void (*leave)(struct store *);
    void (*expect_backup)(struct store *, struct store_copy *copy, bool expected);
    enum status (*get_many)(struct store_txn *, struct store_read *reads, size_t count);
    enum status (*scan)(struct store_txn *, enum store_table, struct slice from, struct slice to,
                        struct store_row *ret_rows, size_t rows_max, size_t *ret_count);
    enum status (*reserve)(struct store_txn *, enum store_table, struct slice key, size_t size,
                           uint8_t **ret_value);
    enum status (*remove)(struct store_txn *, enum store_table, struct slice key);
    enum status (*usage)(struct store *, struct store_usage *ret_usage);
    enum status (*backup)(struct store *, struct store_copy *copy);
    void (*close)(struct store *);
};

/* Engines embed these as their first member. */
struct store {
    const struct store_ops *ops;
    /* Of engines that keep a log; the owning thread's. */
    int64_t flush_ns;    /* how long the last commit's flush of it took; 0: it needed none */
    int64_t checkpoints; /* made since the store was opened */
};
struct store_txn {
    struct store *store;
    bool writable;
    bool refused; /* a call failed: fit only for store_abort (S6) */
};

/* Begins a transaction; one at a time. One that changes nothing costs nothing. */
enum status store_begin_write(struct store *self, struct store_txn **ret_txn) MUST_USE;
/* A snapshot for reading, as of the last checkpoint (S3). No read transaction outlives one call
 * from above: a long reader keeps every page that is freed meanwhile. store_abort ends it. */
enum status store_begin_read(struct store *self, struct store_txn **ret_txn) MUST_USE;
/* Ends the transaction in any case. STATUS_OK: durable (S1). */
enum status store_commit(struct store_txn *txn) MUST_USE;
/* Ends the transaction without a trace. NULL is nothing. */
void store_abort(struct store_txn *txn);

/* An engine may keep commits in a log before they come into what others than the writer see:
 * snapshots, usage and backups. A checkpoint brings in all. The owning thread, no write transaction
 * open. STATUS_STORE_FULL: there is no room for it now, and the store goes on. */
enum status store_checkpoint(struct store *self) MUST_USE;
/* Whether there is something to bring in. */
bool store_is_behind(const struct store *self);

/* The owning thread goes: a checkpoint if it can be made, and nothing stays open. Another thread
 * may own the store from then on. */
void store_leave(struct store *self);

enum status store_get(struct store_txn *txn, enum store_table table, struct slice key,
                      struct slice *ret_value) MUST_USE;
/* Many at once; each says whether it was found. */
enum status store_get_many(struct store_txn *txn, struct store_read *reads, size_t count) MUST_USE;
/* Up to rows_max rows with from <= key < to. An empty `to` means: to the table's end. */
enum status store_scan(struct store_txn *txn, enum store_table table, struct slice from,
                       struct slice to, struct store_row *ret_rows, size_t rows_max,
                       size_t *ret_count) MUST_USE;
/* Makes or replaces a record of `size` bytes and gives its memory to fill (S5). size >= 1. The key,
 * here and below, may not be a slice that this transaction gave out. */
enum status store_reserve(struct store_txn *txn, enum store_table table, struct slice key,
                          size_t size, uint8_t **ret_value) MUST_USE;
/* The same with the bytes at hand, which may not be a slice that this transaction gave out; an
 * empty value is stored as no bytes. */
enum status store_put(struct store_txn *txn, enum store_table table, struct slice key,
                      struct slice value) MUST_USE;
/* STATUS_NOT_FOUND if there was none. */
enum status store_remove(struct store_txn *txn, enum store_table table, struct slice key) MUST_USE;

/* As of the last checkpoint. Any thread. */
enum status store_usage(struct store *self, struct store_usage *ret_usage) MUST_USE;
/* Copies the last checkpoint into a directory, synced, while writers go on. Any thread, but not one
 * that has a write transaction open, and the owning one only after a checkpoint. STATUS_INVALID:
 * the directory exists or can't be made; STATUS_STORE_FULL: no room there, or too little for what
 * the store grows by meanwhile; STATUS_UNAVAILABLE: it can't be written there, or was stopped
 * (logged); STATUS_UNIMPLEMENTED: the engine keeps nothing on disk. Nothing is left behind by a
 * failure, and the store goes on. */
enum status store_backup(struct store *self, struct store_copy *copy) MUST_USE;
/* The owning thread says so when a backup will be made on another: before its own next transaction,
 * which waits until that has begun, and after a checkpoint, so that it finds the store at rest. Or
 * takes it back, if the backup will not be made. */
void store_expect_backup(struct store *self, struct store_copy *copy, bool expected);
/* Ends the store, with a checkpoint if it can; no transaction may be open. NULL is nothing. */
void store_close(struct store *self);

#endif
