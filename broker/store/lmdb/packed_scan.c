/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed_scan.c -- rows of a packed table in order: pack by pack from LMDB, with the open ones in
 * their places (packed.c: P1, P2).
 */
#include "store/lmdb/packs.h"

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
        return packs_complain(table, pack_key);
    while (!self->ended && pack_each_next(&each, &key, &value))
        take_row(self, key, value);
    return 0;
}

/* Where a scan begins: at the pack that `from` would be in. */
static int first_pack(struct lmdb_txn *txn, enum store_table table, struct slice from,
                      MDB_cursor **ret_cursor, MDB_val *ret_key, MDB_val *ret_value)
{
    struct spot spot;
    int rc = packs_locate(txn, table, from, ret_cursor, &spot);

    if (rc == 0 && !spot.found)
        return mdb_cursor_get(*ret_cursor, ret_key, ret_value, MDB_FIRST);
    if (rc == 0) {
        *ret_key = lmdb_val(spot.key);
        *ret_value = lmdb_val(spot.bytes);
    }
    return rc;
}

int lmdb_packed_scan(struct lmdb_txn *txn, enum store_table table, struct slice from,
                     struct slice to, struct store_row *ret_rows, size_t rows_max,
                     size_t *ret_count)
{
    const struct lmdb_open_pack *unstored = packs_unstored(txn, table);
    struct scan scan = {from, to, ret_rows, rows_max, 0, false, rows_max == 0};
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc = first_pack(txn, table, from, &cursor, &key, &value);

    while (rc == 0 && !scan.ended) {
        const struct lmdb_open_pack *open = packs_under(txn, table, lmdb_slice(key));

        if (unstored != NULL &&
            slice_compare(lmdb_key_slice(&unstored->key), lmdb_slice(key)) < 0) {
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
