/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed.c -- tables whose records are packed.
 *
 * Records that come and go in the order of their keys, as tasks do, cost LMDB a search, a page
 * and its bookkeeping each. Here a table's neighbours share one record of LMDB, a pack (pack.h),
 * of at most one page; the writer takes it apart in memory, changes as many of its rows as come,
 * and puts it back once. A dozen tasks then cost what one did. And a queue fills its pages to
 * the brim whatever queues lie behind it, where LMDB would leave halves.
 *
 *   packed.c  get, reserve, remove      packs.c  which packs are open, and which key is where
 *   packed_scan.c                       pack.c   one pack, packed and taken apart
 *
 *   LMDB's key   a lower bound of the pack's rows: the key of its first when it was made
 *   a pack's     from its key to the next pack's. Rows of two groups (the first bytes of a key:
 *   range        a queue and priority) share no pack, so that one's end stays an end.
 *
 * Each packed table has a few open packs, those last changed: tasks are published at one end of a
 * queue, leased at another and acked at a third. They stay open from transaction to transaction,
 * since there is only one writer.
 *
 * Invariants
 *   P1  An open pack is what LMDB has under its key, and where `dirty` says so, newer than that.
 *   P2  Every row within an open pack's range is in it, and open packs' ranges are apart. For any
 *       other key LMDB is right.
 *   P3  At most one open pack of a table is not in LMDB at all (`stored`).
 *   P4  Reads change nothing, so that slices hold until the next write (S5).
 *   P5  A commit of LMDB puts back what is dirty; an abort and a failed commit forget the open
 *       packs.
 */
#include <errno.h>

#include "store/lmdb/packs.h"

const uint8_t lmdb_group_bytes[STORE_TABLE_COUNT] = {
    [STORE_TASK] = 5, /* queue, priority */
    [STORE_ACTIVE] = 5,
};

/* The row among packed bytes. 0, MDB_NOTFOUND or MDB_CORRUPTED. */
static int find_in_bytes(enum store_table table, struct slice pack_key, struct slice bytes,
                         struct slice key, struct slice *ret_value)
{
    struct pack_each each;
    struct slice row_key;

    if (!pack_each_begin(&each, pack_key, bytes))
        return packs_complain(table, pack_key);
    while (pack_each_next(&each, &row_key, ret_value)) {
        int order = slice_compare(row_key, key);

        if (order >= 0)
            return order == 0 ? 0 : MDB_NOTFOUND;
    }
    return MDB_NOTFOUND;
}

int lmdb_packed_get(struct lmdb_txn *txn, enum store_table table, struct slice key,
                    struct slice *ret_value)
{
    struct place_in place = packs_find(txn, table, key);
    MDB_cursor *cursor;
    struct spot spot;
    int rc;

    if (place.found)
        *ret_value = pack_value_at(&place.open->pack, place.index);
    if (place.open != NULL)
        return place.found ? 0 : MDB_NOTFOUND;
    rc = packs_locate(txn, table, key, &cursor, &spot);
    if (rc != 0 || !spot.found)
        return rc != 0 ? rc : MDB_NOTFOUND;
    return find_in_bytes(table, spot.key, spot.bytes, key, ret_value);
}

int lmdb_packed_reserve(struct lmdb_txn *txn, enum store_table table, struct slice key, size_t size,
                        uint8_t **ret_value)
{
    struct place_in at;
    struct pack *pack;
    int rc = packs_open(txn, table, key, true, &at);

    if (rc != 0)
        return rc;
    pack = &at.open->pack;
    at.open->dirty = true;
    if (at.found && pack->rows[at.index].value_size == size) {
        *ret_value = pack->data + pack->rows[at.index].value_at;
        return 0;
    }
    if (at.found)
        pack_remove(pack, at.index);
    rc = packs_make_place(txn, table, &at, key, pack_row_bytes(key.size, size));
    if (rc != 0)
        return rc;
    *ret_value = pack_insert(pack, at.index, key, size);
    return *ret_value == NULL ? ENOMEM : 0;
}

int lmdb_packed_remove(struct lmdb_txn *txn, enum store_table table, struct slice key)
{
    struct place_in at;
    int rc = packs_open(txn, table, key, false, &at);

    if (rc != 0)
        return rc;
    if (!at.found)
        return MDB_NOTFOUND;
    pack_remove(&at.open->pack, at.index);
    at.open->dirty = true;
    return 0;
}

int lmdb_packed_put_back(struct lmdb_txn *txn, enum store_table table)
{
    struct lmdb_packs *packs = packs_of(txn, table);
    int rc = 0;

    for (int i = 0; rc == 0 && i < LMDB_OPEN_PACKS; i++)
        rc = packs_put_back(txn, table, &packs->open[i]);
    return rc;
}

void lmdb_packed_forget(struct lmdb_store *self)
{
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        for (int i = 0; i < LMDB_OPEN_PACKS; i++)
            self->packs[table].open[i].is_open = false;
    }
}

void lmdb_packed_deinit(struct lmdb_store *self)
{
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        for (int i = 0; i < LMDB_OPEN_PACKS; i++)
            pack_deinit(&self->packs[table].open[i].pack);
    }
}
