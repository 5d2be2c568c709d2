/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packs.h -- the open packs of a table, and where in LMDB the others are. The model and the
 * invariants are in packed.c; private to the files of packed tables.
 *
 * Where a function returns int: 0 or LMDB's error.
 */
#ifndef ACKD_STORE_LMDB_PACKS_H
#define ACKD_STORE_LMDB_PACKS_H

#include "store/lmdb/lmdb_store.h"

/* Where in LMDB a key's pack is. */
struct spot {
    bool found;
    struct slice key;
    struct slice bytes;
};

/* Where among the open packs a key's row is, or would be. */
struct place_in {
    struct lmdb_open_pack *open; /* NULL: in none */
    size_t index;
    bool found;
};

static inline struct lmdb_packs *packs_of(struct lmdb_txn *txn, enum store_table table)
{
    return &lmdb_store_of(txn->base.store)->packs[table];
}

/* The open pack whose range the key is in; readers beside the writer see none. */
struct place_in packs_find(struct lmdb_txn *txn, enum store_table table, struct slice key);
/* The open pack under this key; NULL: it is not open, or not to be seen by this reader. */
struct lmdb_open_pack *packs_under(struct lmdb_txn *txn, enum store_table table, struct slice key);
/* The open pack that LMDB does not have (P3). NULL: there is none. */
struct lmdb_open_pack *packs_unstored(struct lmdb_txn *txn, enum store_table table);
/* The pack whose range the key is in, according to LMDB; the cursor is placed on it. */
int packs_locate(struct lmdb_txn *txn, enum store_table table, struct slice key, MDB_cursor **ret,
                 struct spot *spot) MUST_USE;
/* Gives the open pack that the key belongs in, and where. Where there is none of the key's group, a
 * new one is made, or the answer is MDB_NOTFOUND. */
int packs_open(struct lmdb_txn *txn, enum store_table table, struct slice key, bool make,
               struct place_in *ret) MUST_USE;
/* Sees to it that a row of so many bytes may be inserted at at->index. A pack that would be too
 * large is taken apart there: what is behind goes to a pack of its own, and the row begins a new
 * one unless it is the first of its range. */
int packs_make_place(struct lmdb_txn *txn, enum store_table table, struct place_in *at,
                     struct slice key, size_t bytes) MUST_USE;
/* What is dirty goes to LMDB; a pack without rows is closed and removed there. */
int packs_put_back(struct lmdb_txn *txn, enum store_table table,
                   struct lmdb_open_pack *open) MUST_USE;
/* Logs that the pack under this key is damaged, and answers MDB_CORRUPTED. */
int packs_complain(enum store_table table, struct slice key) MUST_USE;

#endif
