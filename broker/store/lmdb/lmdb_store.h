/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_store.h -- what the files of the LMDB engine share.
 *
 *   open.c     the environment, its checks, its end      usage.c   pages in use
 *   txn.c      begin, commit, abort, what errors mean    backup.c  a copy of the last checkpoint
 *   read.c     get_many, scan                            pace.c    how fast a copy goes
 *   write.c    reserve, remove                           whole.c   whether the file was cut short
 *   packed.c, packed_scan.c, packs.c, pack.c: the same for tables that are packed
 *   wal.c, changes.c: the log, and what its records say; checkpoint.c, mark.c, recover.c: when LMDB
 *   commits, and how what only the log has is brought back
 *
 * How LMDB is used
 *   U1  Default flags and MDB_NOTLS, so that read transactions are bound to no thread. No
 *       DUPSORT, no nested transactions, no runtime change of the map.
 *   U2  At most one cursor a database and transaction, and every call on its tables goes through
 *       it: then no cursor of another call has to be kept in step, where LMDB's bugs have been.
 *   U3  A cursor is placed by key before each use; where the last use left it does not matter.
 *   U4  An error that leaves the last commit in doubt makes the store unusable (S7).
 */
#ifndef ACKD_STORE_LMDB_LMDB_STORE_H
#define ACKD_STORE_LMDB_LMDB_STORE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/lmdb/changes.h"
#include "store/lmdb/pack.h"
#include "store/lmdb/wal.h"
#include "store/store.h"

enum { LMDB_FREE_DBI = 0 }; /* LMDB's own table of free pages */

struct lmdb_txn {
    struct store_txn base;
    MDB_txn *handle; /* NULL: not open. The writer's stays open from one checkpoint to the next */
    MDB_cursor
        *cursors[STORE_TABLE_COUNT]; /* opened at first use (U2); of the main database: META's */
};

/* Of each table that has no database of its own in LMDB: what its keys begin with in the main one.
 * The counters in these tables change with every commit, and so does the main database's page,
 * which holds the roots of the others: sharing it saves writing two more. Else 0. */
extern const uint8_t lmdb_prefix[STORE_TABLE_COUNT];

/* Of each table whose records are packed (packed.c): how many bytes of the key make a group. Else
 * 0.
 */
extern const uint8_t lmdb_group_bytes[STORE_TABLE_COUNT];

struct lmdb_key {
    uint16_t size;
    uint8_t data[STORE_KEY_MAX];
};

static inline struct slice lmdb_key_slice(const struct lmdb_key *key)
{
    return slice_of(key->data, key->size);
}

/* 0, or MDB_CORRUPTED for a key that this store would not have written. */
static inline int lmdb_key_set(struct lmdb_key *self, struct slice key)
{
    if (key.size > STORE_KEY_MAX)
        return MDB_CORRUPTED;
    self->size = (uint16_t)key.size;
    if (key.size > 0)
        memcpy(self->data, key.data, key.size);
    return 0;
}

/* A pack of a table that the writer changes (packed.c: P1, P2). */
struct lmdb_open_pack {
    bool is_open;
    bool stored; /* LMDB has a record under the key */
    bool dirty;
    struct lmdb_key key;
    struct lmdb_key bound; /* its range's end, at most the next pack's key; size 0: the table's */
    uint64_t used_at;
    struct pack pack;
};

#define LMDB_OPEN_PACKS 4

/* Those of one table. */
struct lmdb_packs {
    struct lmdb_open_pack open[LMDB_OPEN_PACKS];
    int last;       /* used */
    uint64_t clock; /* of used_at */
};

/* The last key of a table as the write transaction sees it, so that a larger one is known to be
 * an append, which fills pages to the brim where an insert would leave halves. */
struct lmdb_tail {
    bool known;
    struct lmdb_key key; /* size 0: the table is empty */
};

/* Pages on the free list, counted at most once a commit (usage.c). */
struct lmdb_free_count {
    bool counted;
    size_t txn_id; /* of the commit they were counted in */
    uint64_t pages;
    uint64_t records;   /* walked to count them */
    int64_t counted_ms; /* monotonic */
};

struct lmdb_store {
    struct store base;
    MDB_env *env;
    MDB_dbi dbis[STORE_TABLE_COUNT];
    size_t page_bytes;
    uint64_t map_bytes;
    atomic_bool failed; /* S7; any thread */

    /* Owning thread only, up to the mutex. */
    struct lmdb_txn writer;
    bool is_writing; /* the store's write transaction is open */
    struct lmdb_tail tails[STORE_TABLE_COUNT];
    struct lmdb_packs packs[STORE_TABLE_COUNT];
    struct changes changes; /* of the store's write transaction */
    struct wal wal;
    uint64_t marked_seq; /* what LMDB's last commit has of the log; 0: it does not know of one */
    uint64_t logged_ops; /* in the log since */
    uint64_t ops_max;

    pthread_mutex_t copies_mutex;
    pthread_cond_t copies_begun;
    int copies_beginning; /* guarded by copies_mutex: backups that want LMDB's lock for a moment */

    pthread_mutex_t usage_mutex;
    struct lmdb_free_count free_count; /* guarded by usage_mutex */
};

static inline struct lmdb_store *lmdb_store_of(struct store *base)
{
    return (struct lmdb_store *)base;
}

static inline struct lmdb_txn *lmdb_txn_of(struct store_txn *base)
{
    return (struct lmdb_txn *)base;
}

/* What was put last is whole now (S5). */
static inline void lmdb_before_read(struct lmdb_txn *txn)
{
    if (txn->base.writable)
        changes_fill(&lmdb_store_of(txn->base.store)->changes);
}

static inline MDB_val lmdb_val(struct slice data)
{
    return (MDB_val){.mv_size = data.size, .mv_data = (void *)(uintptr_t)data.data};
}

/* A record's key in LMDB. */
static inline MDB_val lmdb_key_val(enum store_table table, struct slice key,
                                   uint8_t scratch[STORE_KEY_MAX + 1])
{
    if (lmdb_prefix[table] == 0)
        return lmdb_val(key);
    scratch[0] = lmdb_prefix[table];
    if (key.size > 0)
        memcpy(scratch + 1, key.data, key.size);
    return lmdb_val(slice_of(scratch, key.size + 1));
}

static inline struct slice lmdb_slice(MDB_val val)
{
    return slice_of(val.mv_data, val.mv_size);
}

/* The store's caller's word for LMDB's answer; the unexpected is logged once and ends the store
 * (U4). `call` is for the log. Meaning: the same answer, where the circumstances say more. Fail:
 * whatever it is. */
enum status lmdb_status(struct lmdb_store *self, int rc, const char *call) MUST_USE;
int lmdb_meaning(struct lmdb_store *self, int rc) MUST_USE;
enum status lmdb_fail(struct lmdb_store *self, int rc, const char *call);
/* The same for a store that is being opened, with a sentence. */
enum status lmdb_explain(int rc, const char *directory, struct error *error);

/* Whether an error says that there was no room. */
bool lmdb_is_full(int rc);
/* LMDB's write transaction: begun, when backups that begin have had LMDB's lock (backup.c); given
 * up with all that was known of it (not open: nothing). */
int lmdb_open_writer(struct lmdb_store *self) MUST_USE;
void lmdb_drop_writer(struct lmdb_store *self);
void lmdb_let_copies_begin(struct lmdb_store *self);
/* What is known of a transaction that was undone goes. */
void lmdb_forget(struct lmdb_store *self);
int lmdb_put_packs_back(struct lmdb_txn *txn) MUST_USE;

/* ---- the log and LMDB: checkpoint.c, mark.c, recover.c ---- */
/* How much may wait in the log, from the room that the map and the disk have. */
enum status lmdb_prepare_log(struct lmdb_store *self, const char *directory,
                             struct error *error) MUST_USE;
/* Whether the log takes the open transaction's changes; takes them (errors: wal_append). */
bool lmdb_fits_log(struct lmdb_store *self);
int lmdb_log(struct lmdb_store *self) MUST_USE;
/* A checkpoint. STATUS_STORE_FULL: LMDB's transaction is as the log has it (K1). */
enum status lmdb_commit_writer(struct lmdb_store *self) MUST_USE;
/* Takes the open transaction's changes back. */
void lmdb_undo(struct lmdb_store *self);
/* Begins LMDB's transaction with what only the log has. An error: then it is not open. */
int lmdb_redo(struct lmdb_store *self) MUST_USE;
int lmdb_put_mark(struct lmdb_txn *txn, uint64_t id, uint64_t seq) MUST_USE;
/* MDB_NOTFOUND: there is none; MDB_VERSION_MISMATCH: it is of a newer ackd. */
int lmdb_get_mark(struct lmdb_txn *txn, uint64_t *ret_id, uint64_t *ret_seq) MUST_USE;
/* Makes the log of a store that has no mark. */
int lmdb_make_log(struct lmdb_store *self) MUST_USE;
/* Opens the log, and brings what it has into LMDB. */
enum status lmdb_recover(struct lmdb_store *self, const char *directory,
                         struct error *error) MUST_USE;

/* Records of any table, in LMDB's transaction alone. 0 or LMDB's error. */
int lmdb_put_record(struct lmdb_txn *txn, enum store_table table, struct slice key, size_t size,
                    uint8_t **ret_value) MUST_USE;
int lmdb_remove_record(struct lmdb_txn *txn, enum store_table table, struct slice key) MUST_USE;
/* The transaction's cursor of a table (U2). 0 or LMDB's error. */
int lmdb_cursor(struct lmdb_txn *txn, enum store_table table, MDB_cursor **ret_cursor) MUST_USE;
/* Free pages with numbers >= `from`, and the records that list them, by a cursor of LMDB_FREE_DBI.
 * 0 or LMDB's error. */
int lmdb_count_free(MDB_cursor *cursor, uint64_t from, uint64_t *ret_pages,
                    uint64_t *ret_records) MUST_USE;
/* 0 if the file holds all its pages; MDB_CORRUPTED if not, or another error. */
int lmdb_check_whole(struct lmdb_store *self) MUST_USE;

/* Packed tables; 0 or LMDB's error. Put back: the open packs, before LMDB commits. Forget: all open
 * packs, after an abort or a failed commit. */
int lmdb_packed_get(struct lmdb_txn *txn, enum store_table table, struct slice key,
                    struct slice *ret_value) MUST_USE;
int lmdb_packed_scan(struct lmdb_txn *txn, enum store_table table, struct slice from,
                     struct slice to, struct store_row *ret_rows, size_t rows_max,
                     size_t *ret_count) MUST_USE;
int lmdb_packed_reserve(struct lmdb_txn *txn, enum store_table table, struct slice key, size_t size,
                        uint8_t **ret_value) MUST_USE;
int lmdb_packed_remove(struct lmdb_txn *txn, enum store_table table, struct slice key) MUST_USE;
int lmdb_packed_put_back(struct lmdb_txn *txn, enum store_table table) MUST_USE;
void lmdb_packed_forget(struct lmdb_store *self);
void lmdb_packed_deinit(struct lmdb_store *self);

/* Verbs of struct store_ops. */
enum status lmdb_begin(struct store *base, bool writable, struct store_txn **ret_txn);
enum status lmdb_commit(struct store_txn *base);
void lmdb_abort(struct store_txn *base);
enum status lmdb_checkpoint(struct store *base);
bool lmdb_is_behind(const struct store *base);
void lmdb_leave(struct store *base);
void lmdb_expect_backup(struct store *base, struct store_copy *copy, bool expected);
enum status lmdb_get_many(struct store_txn *base, struct store_read *reads, size_t count);
enum status lmdb_scan(struct store_txn *base, enum store_table table, struct slice from,
                      struct slice to, struct store_row *ret_rows, size_t rows_max,
                      size_t *ret_count);
enum status lmdb_reserve(struct store_txn *base, enum store_table table, struct slice key,
                         size_t size, uint8_t **ret_value);
enum status lmdb_remove(struct store_txn *base, enum store_table table, struct slice key);
enum status lmdb_usage(struct store *base, struct store_usage *ret_usage);
enum status lmdb_backup(struct store *base, struct store_copy *wanted);
void lmdb_close(struct store *base);

#endif
