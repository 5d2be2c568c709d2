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
 *   P5  A commit puts back what is dirty; an abort and a failed commit forget the open packs.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "store/lmdb/lmdb_store.h"

#define PAGE_HEAD_BYTES 16 /* of LMDB's, before what one overflow page holds */

const uint8_t lmdb_group_bytes[STORE_TABLE_COUNT] = {
    [STORE_TASK] = 5, /* queue, priority */
    [STORE_ACTIVE] = 5,
};

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

static struct place_in find_open(struct lmdb_txn *txn, enum store_table table, struct slice key);
static int open_for(struct lmdb_txn *txn, enum store_table table, struct slice key, bool make,
                    struct place_in *ret);
static int locate(struct lmdb_txn *txn, enum store_table table, struct slice key, MDB_cursor **ret,
                  struct spot *spot);
static int find_bound(MDB_cursor *cursor, struct slice key, struct lmdb_key *ret);
static int put_back(struct lmdb_txn *txn, enum store_table table, struct lmdb_open_pack *open);
static int put_rows(struct lmdb_txn *txn, enum store_table table, const struct pack *pack,
                    struct slice key, size_t first, size_t count);
static int make_place(struct lmdb_txn *txn, enum store_table table, struct place_in *at,
                      struct slice key, size_t bytes);
static int complain(enum store_table table, struct slice key);

static struct lmdb_packs *packs_of(struct lmdb_txn *txn, enum store_table table)
{
    return &lmdb_store_of(txn->base.store)->packs[table];
}

static struct slice key_slice(const struct lmdb_key *key)
{
    return slice_of(key->data, key->size);
}

static int set_key(struct lmdb_key *self, struct slice key)
{
    if (key.size > STORE_KEY_MAX)
        return MDB_CORRUPTED;
    self->size = (uint16_t)key.size;
    if (key.size > 0)
        memcpy(self->data, key.data, key.size);
    return 0;
}

/* ---- reading ---- */

/* The row among packed bytes. 0, MDB_NOTFOUND or MDB_CORRUPTED. */
static int find_in_bytes(enum store_table table, struct slice pack_key, struct slice bytes,
                         struct slice key, struct slice *ret_value)
{
    struct pack_each each;
    struct slice row_key;

    if (!pack_each_begin(&each, pack_key, bytes))
        return complain(table, pack_key);
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
    struct place_in place = find_open(txn, table, key);
    MDB_cursor *cursor;
    struct spot spot;
    int rc;

    if (place.found)
        *ret_value = pack_value_at(&place.open->pack, place.index);
    if (place.open != NULL)
        return place.found ? 0 : MDB_NOTFOUND;
    rc = locate(txn, table, key, &cursor, &spot);
    if (rc != 0 || !spot.found)
        return rc != 0 ? rc : MDB_NOTFOUND;
    return find_in_bytes(table, spot.key, spot.bytes, key, ret_value);
}

struct scan {
    struct slice from;
    struct slice to;
    struct store_row *rows;
    size_t max;
    size_t count;
    bool begun; /* `from` is behind */
    bool ended; /* `to` was reached, or there is no more room */
};

static void take_row(struct scan *self, struct slice key, struct slice value)
{
    self->begun = self->begun || slice_compare(key, self->from) >= 0;
    if (!self->begun)
        return;
    if (self->to.size > 0 && slice_compare(key, self->to) >= 0) {
        self->ended = true;
        return;
    }
    self->rows[self->count++] = (struct store_row){key, value};
    self->ended = self->count == self->max;
}

static void take_open(struct scan *self, const struct lmdb_open_pack *open)
{
    for (size_t i = 0; i < open->pack.count && !self->ended; i++)
        take_row(self, pack_key_at(&open->pack, i), pack_value_at(&open->pack, i));
}

static int take_packed(struct scan *self, enum store_table table, struct slice pack_key,
                       struct slice bytes)
{
    struct pack_each each;
    struct slice key;
    struct slice value;

    if (!pack_each_begin(&each, pack_key, bytes))
        return complain(table, pack_key);
    while (!self->ended && pack_each_next(&each, &key, &value))
        take_row(self, key, value);
    return 0;
}

/* The open pack under this key; NULL: it is not open, or not to be seen by this reader. */
static struct lmdb_open_pack *open_under(struct lmdb_txn *txn, enum store_table table,
                                         struct slice key)
{
    struct lmdb_packs *packs = packs_of(txn, table);

    for (int i = 0; txn->base.writable && i < LMDB_OPEN_PACKS; i++) {
        if (packs->open[i].is_open && slice_equal(key_slice(&packs->open[i].key), key))
            return &packs->open[i];
    }
    return NULL;
}

static const struct lmdb_open_pack *unstored_pack(struct lmdb_txn *txn, enum store_table table)
{
    struct lmdb_packs *packs = packs_of(txn, table);

    for (int i = 0; txn->base.writable && i < LMDB_OPEN_PACKS; i++) {
        if (packs->open[i].is_open && !packs->open[i].stored)
            return &packs->open[i]; /* P3 */
    }
    return NULL;
}

/* Where a scan begins: at the pack that `from` would be in. */
static int first_pack(struct lmdb_txn *txn, enum store_table table, struct slice from,
                      MDB_cursor **ret_cursor, MDB_val *ret_key, MDB_val *ret_value)
{
    struct spot spot;
    int rc = locate(txn, table, from, ret_cursor, &spot);

    if (rc == 0 && !spot.found)
        return mdb_cursor_get(*ret_cursor, ret_key, ret_value, MDB_FIRST);
    if (rc == 0) {
        *ret_key = lmdb_val(spot.key);
        *ret_value = lmdb_val(spot.bytes);
    }
    return rc;
}

/* Pack by pack from LMDB, with the open ones in their places (P1, P2). */
int lmdb_packed_scan(struct lmdb_txn *txn, enum store_table table, struct slice from,
                     struct slice to, struct store_row *ret_rows, size_t rows_max,
                     size_t *ret_count)
{
    const struct lmdb_open_pack *unstored = unstored_pack(txn, table);
    struct scan scan = {from, to, ret_rows, rows_max, 0, false, rows_max == 0};
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc = first_pack(txn, table, from, &cursor, &key, &value);

    while (rc == 0 && !scan.ended) {
        const struct lmdb_open_pack *open = open_under(txn, table, lmdb_slice(key));

        if (unstored != NULL && slice_compare(key_slice(&unstored->key), lmdb_slice(key)) < 0) {
            take_open(&scan, unstored);
            unstored = NULL;
        }
        if (open != NULL)
            take_open(&scan, open);
        else
            rc = take_packed(&scan, table, lmdb_slice(key), lmdb_slice(value));
        if (rc == 0 && !scan.ended)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    if (unstored != NULL)
        take_open(&scan, unstored);
    *ret_count = scan.count;
    return 0;
}

/* ---- writing ---- */

int lmdb_packed_reserve(struct lmdb_txn *txn, enum store_table table, struct slice key, size_t size,
                        uint8_t **ret_value)
{
    struct place_in at;
    struct pack *pack;
    int rc = open_for(txn, table, key, true, &at);

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
    rc = make_place(txn, table, &at, key, pack_row_bytes(key.size, size));
    if (rc != 0)
        return rc;
    *ret_value = pack_insert(pack, at.index, key, size);
    return *ret_value == NULL ? ENOMEM : 0;
}

int lmdb_packed_remove(struct lmdb_txn *txn, enum store_table table, struct slice key)
{
    struct place_in at;
    int rc = open_for(txn, table, key, false, &at);

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
        rc = put_back(txn, table, &packs->open[i]);
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

/* ---- below ---- */

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
    if (index == 0 && slice_compare(key, key_slice(&open->key)) < 0)
        return false;
    return index < open->pack.count || open->bound.size == 0 ||
           slice_compare(key, key_slice(&open->bound)) < 0;
}

static struct place_in find_open(struct lmdb_txn *txn, enum store_table table, struct slice key)
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

/* The pack whose range the key is in, according to LMDB; the cursor is placed on it. */
static int locate(struct lmdb_txn *txn, enum store_table table, struct slice key, MDB_cursor **ret,
                  struct spot *spot)
{
    MDB_val found_key = lmdb_val(key);
    MDB_val value;
    int rc = lmdb_cursor(txn, table, ret);

    spot->found = false;
    if (rc != 0)
        return rc;
    rc = key.size == 0 ? MDB_NOTFOUND : mdb_cursor_get(*ret, &found_key, &value, MDB_SET_RANGE);
    if (key.size == 0)
        return 0;
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
        return set_key(ret, lmdb_slice(found_key));
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
    rc = put_back(txn, table, *ret);
    (*ret)->is_open = false;
    (*ret)->dirty = false;
    (*ret)->used_at = ++packs->clock;
    packs->last = oldest;
    return rc;
}

/* So that LMDB has all packs, and there may be another that it has not (P3). */
static int store_unstored(struct lmdb_txn *txn, enum store_table table)
{
    struct lmdb_packs *packs = packs_of(txn, table);
    int rc = 0;

    for (int i = 0; rc == 0 && i < LMDB_OPEN_PACKS; i++) {
        if (packs->open[i].is_open && !packs->open[i].stored)
            rc = put_back(txn, table, &packs->open[i]);
    }
    return rc;
}

/* Opens what LMDB has. It may be open already, with a bound that has gone meanwhile. */
static int open_stored(struct lmdb_txn *txn, enum store_table table, MDB_cursor *cursor,
                       const struct spot *spot, struct lmdb_open_pack *room,
                       struct lmdb_open_pack **ret)
{
    bool damaged = false;
    int rc = 0;

    *ret = open_under(txn, table, spot->key);
    if (*ret == NULL) {
        *ret = room;
        room->stored = true;
        rc = set_key(&room->key, spot->key);
        if (rc == 0 && !pack_load(&room->pack, spot->key, spot->bytes, &damaged))
            rc = damaged ? complain(table, spot->key) : ENOMEM;
        room->is_open = rc == 0;
    }
    return rc == 0 ? find_bound(cursor, key_slice(&(*ret)->key), &(*ret)->bound) : rc;
}

static int open_new(MDB_cursor *cursor, struct slice key, struct lmdb_open_pack *room)
{
    int rc = set_key(&room->key, key);

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

    if (rc == 0)
        rc = store_unstored(txn, table);
    if (rc == 0)
        rc = locate(txn, table, key, &cursor, &spot);
    if (rc != 0)
        return rc;
    if (spot.found && belongs(table, key, spot.key))
        return open_stored(txn, table, cursor, &spot, *ret, ret);
    if (!make)
        return MDB_NOTFOUND;
    rc = open_new(cursor, key, *ret);
    if (rc == 0 && around != NULL)
        rc = set_key(&around->bound, key);
    return rc;
}

/* Gives the open pack that the key belongs in, and where. Where there is none of the key's group, a
 * new one is made, or the answer is MDB_NOTFOUND. */
static int open_for(struct lmdb_txn *txn, enum store_table table, struct slice key, bool make,
                    struct place_in *ret)
{
    int rc;

    *ret = find_open(txn, table, key);
    if (ret->open != NULL && belongs(table, key, key_slice(&ret->open->key)))
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

static int put_back(struct lmdb_txn *txn, enum store_table table, struct lmdb_open_pack *open)
{
    struct slice key = key_slice(&open->key);
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
        rc = set_key(&open->bound, key);
    pack_truncate(pack, index);
    return rc;
}

/* Sees to it that a row of so many bytes may be inserted at at->index. A pack that would be too
 * large is taken apart there: what is behind goes to a pack of its own, and the row begins a new
 * one unless it is the first of its range. */
static int make_place(struct lmdb_txn *txn, enum store_table table, struct place_in *at,
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
    rc = put_back(txn, table, at->open);
    if (rc == 0)
        rc = store_unstored(txn, table);
    if (rc == 0)
        rc = set_key(&at->open->key, key);
    pack_clear(pack);
    at->open->stored = false;
    at->open->dirty = true;
    at->index = 0;
    return rc;
}

static int complain(enum store_table table, struct slice key)
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
