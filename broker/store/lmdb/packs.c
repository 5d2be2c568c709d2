/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packs.c -- which packs of a table are open, and which pack a key belongs in: opening, closing,
 * taking apart. The model and the invariants P1 to P5 are in packed.c.
 */
#include "store/lmdb/packs.h"

#include <errno.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"

#define PAGE_HEAD_BYTES 16 /* of LMDB's, before what one overflow page holds */

/* Whether a key may be in the pack of that key. */
static bool belongs(enum store_table table, struct slice key, struct slice pack_key)
{
    size_t size = lmdb_group_bytes[table];

    if (key.size < size || pack_key.size < size)
        return slice_equal(key, pack_key);
    return memcmp(key.data, pack_key.data, size) == 0;
}

/* Whether the key, which would be at `index`, is in the pack's range. Between two rows it is. */
static bool is_in_range(const struct lmdb_open_pack *open, struct slice key, size_t index)
{
    if (index == 0 && slice_compare(key, lmdb_key_slice(&open->key)) < 0)
        return false;
    return index < open->pack.count || open->bound.size == 0 ||
           slice_compare(key, lmdb_key_slice(&open->bound)) < 0;
}

struct place_in packs_find(struct lmdb_txn *txn, enum store_table table, struct slice key)
{
    struct lmdb_packs *packs = packs_of(txn, table);

    for (int i = 0; txn->base.writable && i < LMDB_OPEN_PACKS; i++) {
        int number = (packs->last + i) % LMDB_OPEN_PACKS;
        struct place_in at = {.open = &packs->open[number]};

        if (!at.open->is_open)
            continue;
        at.index = pack_find(&at.open->pack, key, &at.found);
        if (at.found || is_in_range(at.open, key, at.index)) {
            packs->last = number;
            at.open->used_at = ++packs->clock;
            return at;
        }
    }
    return (struct place_in){.open = NULL};
}

struct lmdb_open_pack *packs_under(struct lmdb_txn *txn, enum store_table table, struct slice key)
{
    struct lmdb_packs *packs = packs_of(txn, table);

    for (int i = 0; txn->base.writable && i < LMDB_OPEN_PACKS; i++) {
        if (packs->open[i].is_open && slice_equal(lmdb_key_slice(&packs->open[i].key), key))
            return &packs->open[i];
    }
    return NULL;
}

struct lmdb_open_pack *packs_unstored(struct lmdb_txn *txn, enum store_table table)
{
    struct lmdb_packs *packs = packs_of(txn, table);

    for (int i = 0; txn->base.writable && i < LMDB_OPEN_PACKS; i++) {
        if (packs->open[i].is_open && !packs->open[i].stored)
            return &packs->open[i]; /* P3 */
    }
    return NULL;
}

int packs_locate(struct lmdb_txn *txn, enum store_table table, struct slice key, MDB_cursor **ret,
                 struct spot *spot)
{
    MDB_val found_key = lmdb_val(key);
    MDB_val value;
    int rc = lmdb_cursor(txn, table, ret);

    spot->found = false;
    if (rc != 0 || key.size == 0)
        return rc;
    rc = mdb_cursor_get(*ret, &found_key, &value, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(*ret, &found_key, &value, MDB_LAST);
    else if (rc == 0 && !slice_equal(lmdb_slice(found_key), key))
        rc = mdb_cursor_get(*ret, &found_key, &value, MDB_PREV);
    if (rc == MDB_NOTFOUND)
        return 0;
    spot->found = rc == 0;
    spot->key = lmdb_slice(found_key);
    spot->bytes = lmdb_slice(value);
    return rc;
}

/* The first pack after `key`; size 0: there is none. */
static int find_bound(MDB_cursor *cursor, struct slice key, struct lmdb_key *ret)
{
    MDB_val found_key = lmdb_val(key);
    MDB_val value;
    int rc = mdb_cursor_get(cursor, &found_key, &value, MDB_SET_RANGE);

    if (rc == 0 && slice_equal(lmdb_slice(found_key), key))
        rc = mdb_cursor_get(cursor, &found_key, &value, MDB_NEXT);
    ret->size = 0;
    if (rc == 0)
        return lmdb_key_set(ret, lmdb_slice(found_key));
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Room for another open pack: that of the one not used for the longest time. */
static int free_one(struct lmdb_txn *txn, enum store_table table, struct lmdb_open_pack **ret)
{
    struct lmdb_packs *packs = packs_of(txn, table);
    int oldest = 0;
    int rc;

    for (int i = 0; i < LMDB_OPEN_PACKS; i++) {
        if (!packs->open[i].is_open)
            packs->open[i].used_at = 0;
        if (packs->open[i].used_at < packs->open[oldest].used_at)
            oldest = i;
    }
    *ret = &packs->open[oldest];
    rc = packs_put_back(txn, table, *ret);
    (*ret)->is_open = false;
    (*ret)->dirty = false;
    (*ret)->used_at = ++packs->clock;
    packs->last = oldest;
    return rc;
}

/* So that LMDB has all packs, and there may be another that it has not (P3). */
static int store_unstored(struct lmdb_txn *txn, enum store_table table)
{
    struct lmdb_open_pack *unstored = packs_unstored(txn, table);

    return unstored == NULL ? 0 : packs_put_back(txn, table, unstored);
}

/* Opens what LMDB has. It may be open already, with a bound that has gone meanwhile. */
static int open_stored(struct lmdb_txn *txn, enum store_table table, MDB_cursor *cursor,
                       const struct spot *spot, struct lmdb_open_pack *room,
                       struct lmdb_open_pack **ret)
{
    bool damaged = false;
    int rc = 0;

    *ret = packs_under(txn, table, spot->key);
    if (*ret == NULL) {
        *ret = room;
        room->stored = true;
        rc = lmdb_key_set(&room->key, spot->key);
        if (rc == 0 && !pack_load(&room->pack, spot->key, spot->bytes, &damaged))
            rc = damaged ? packs_complain(table, spot->key) : ENOMEM;
        room->is_open = rc == 0;
    }
    return rc == 0 ? find_bound(cursor, lmdb_key_slice(&(*ret)->key), &(*ret)->bound) : rc;
}

static int open_new(MDB_cursor *cursor, struct slice key, struct lmdb_open_pack *room)
{
    int rc = lmdb_key_set(&room->key, key);

    if (rc == 0)
        rc = find_bound(cursor, key, &room->bound);
    pack_clear(&room->pack);
    room->stored = false;
    room->is_open = rc == 0;
    return rc;
}

/* Opens another pack for the key: the one that LMDB has, or a new one. `around` (may be NULL) is an
 * open one of another group whose range the key was in. */
static int open_another(struct lmdb_txn *txn, enum store_table table, struct slice key, bool make,
                        struct lmdb_open_pack *around, struct lmdb_open_pack **ret)
{
    MDB_cursor *cursor;
    struct spot spot;
    int rc = free_one(txn, table, ret);

    ASSERT(*ret != around); /* which was used last */
    if (rc == 0)
        rc = store_unstored(txn, table);
    if (rc == 0)
        rc = packs_locate(txn, table, key, &cursor, &spot);
    if (rc != 0)
        return rc;
    if (spot.found && belongs(table, key, spot.key))
        return open_stored(txn, table, cursor, &spot, *ret, ret);
    if (!make)
        return MDB_NOTFOUND;
    rc = open_new(cursor, key, *ret);
    if (rc == 0 && around != NULL)
        rc = lmdb_key_set(&around->bound, key);
    return rc;
}

int packs_open(struct lmdb_txn *txn, enum store_table table, struct slice key, bool make,
               struct place_in *ret)
{
    int rc;

    *ret = packs_find(txn, table, key);
    if (ret->open != NULL && belongs(table, key, lmdb_key_slice(&ret->open->key)))
        return 0;
    rc = open_another(txn, table, key, make, ret->open, &ret->open);
    if (rc == 0)
        ret->index = pack_find(&ret->open->pack, key, &ret->found);
    return rc;
}

/* Some rows of a pack as the pack under `key`. */
static int put_rows(struct lmdb_txn *txn, enum store_table table, const struct pack *pack,
                    struct slice key, size_t first, size_t count)
{
    MDB_val key_val = lmdb_val(key);
    MDB_val value = {.mv_size = pack_size(pack, first, count), .mv_data = NULL};
    MDB_cursor *cursor;
    int rc = lmdb_cursor(txn, table, &cursor);

    if (rc == 0)
        rc = mdb_cursor_put(cursor, &key_val, &value, MDB_RESERVE);
    if (rc == 0)
        pack_store(pack, first, count, key, value.mv_data);
    return rc;
}

static int remove_pack(struct lmdb_txn *txn, enum store_table table, struct slice key)
{
    MDB_val key_val = lmdb_val(key);
    MDB_val value;
    MDB_cursor *cursor;
    int rc = lmdb_cursor(txn, table, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key_val, &value, MDB_SET);
    return rc == 0 ? mdb_cursor_del(cursor, 0) : rc;
}

int packs_put_back(struct lmdb_txn *txn, enum store_table table, struct lmdb_open_pack *open)
{
    struct slice key = lmdb_key_slice(&open->key);
    int rc = 0;

    if (!open->is_open || !open->dirty)
        return 0;
    if (open->pack.count > 0) {
        rc = put_rows(txn, table, &open->pack, key, 0, open->pack.count);
        open->stored = true;
    } else {
        open->is_open = false;
        if (open->stored)
            rc = remove_pack(txn, table, key);
    }
    open->dirty = false;
    return rc;
}

/* Rows from `index` on become a pack of their own. */
static int cut_off(struct lmdb_txn *txn, enum store_table table, struct lmdb_open_pack *open,
                   size_t index)
{
    struct pack *pack = &open->pack;
    struct slice key = pack_key_at(pack, index);
    int rc;

    pack->as_loaded = false; /* what was loaded belongs to another key */
    rc = put_rows(txn, table, pack, key, index, pack->count - index);
    if (rc == 0)
        rc = lmdb_key_set(&open->bound, key);
    pack_truncate(pack, index);
    return rc;
}

int packs_make_place(struct lmdb_txn *txn, enum store_table table, struct place_in *at,
                     struct slice key, size_t bytes)
{
    struct pack *pack = &at->open->pack;
    size_t bytes_max = lmdb_store_of(txn->base.store)->page_bytes - PAGE_HEAD_BYTES;
    int rc = 0;

    if (pack->count == 0 ||
        (pack->count < PACK_ROWS_MAX && pack->packed_bytes + bytes <= bytes_max))
        return 0;
    if (at->index < pack->count)
        rc = cut_off(txn, table, at->open, at->index);
    if (rc != 0 || at->index == 0)
        return rc;
    rc = packs_put_back(txn, table, at->open);
    if (rc == 0)
        rc = store_unstored(txn, table);
    if (rc == 0)
        rc = lmdb_key_set(&at->open->key, key);
    pack_clear(pack);
    at->open->stored = false;
    at->open->dirty = true;
    at->index = 0;
    return rc;
}

int packs_complain(enum store_table table, struct slice key)
{
    char text[2 * STORE_KEY_MAX + 1] = "";

    for (size_t i = 0; i < key.size && i < STORE_KEY_MAX; i++)
        snprintf(text + 2 * i, 3, "%02x", key.data[i]);
    LOG_ERROR("pack_damaged", LOG_STRING("table", store_table_name(table)), LOG_STRING("key", text),
              LOG_STRING("advice",
                         "the disk gave back other bytes than were written: check it, and "
                         "restore a backup"));
    return MDB_CORRUPTED;
}
