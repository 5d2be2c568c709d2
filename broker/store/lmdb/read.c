/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c -- records by key and by range. What is given out lies in the map or in a page of the
 * transaction: nothing is copied (S5 says how long it holds).
 */
#include "store/lmdb/lmdb_store.h"

static int get(struct lmdb_txn *txn, enum store_table table, struct slice key,
               struct slice *ret_value)
{
    uint8_t scratch[STORE_KEY_MAX + 1];
    MDB_val key_val = lmdb_key_val(table, key, scratch);
    MDB_val value;
    MDB_cursor *cursor;
    int rc = lmdb_cursor(txn, table, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key_val, &value, MDB_SET);
    if (rc == 0)
        *ret_value = lmdb_slice(value);
    return rc;
}

enum status lmdb_get_many(struct store_txn *base, struct store_read *reads, size_t count)
{
    struct lmdb_txn *txn = lmdb_txn_of(base);

    lmdb_before_read(txn);
    for (size_t i = 0; i < count; i++) {
        struct store_read *read = &reads[i];
        int rc = lmdb_group_bytes[read->table] > 0
                     ? lmdb_packed_get(txn, read->table, read->key, &read->value)
                     : get(txn, read->table, read->key, &read->value);

        if (rc != 0 && rc != MDB_NOTFOUND)
            return lmdb_status(lmdb_store_of(base->store), rc, "get");
        read->found = rc == 0;
    }
    return STATUS_OK;
}

static int scan(struct lmdb_txn *txn, enum store_table table, struct slice from, struct slice to,
                struct store_row *ret_rows, size_t rows_max, size_t *ret_count)
{
    uint8_t scratch[STORE_KEY_MAX + 1];
    size_t prefix_size = lmdb_prefix[table] > 0;
    MDB_val key = lmdb_key_val(table, from, scratch);
    MDB_val value;
    MDB_cursor *cursor;
    size_t count = 0;
    int rc = lmdb_cursor(txn, table, &cursor);

    if (rc == 0 && rows_max > 0)
        rc = mdb_cursor_get(cursor, &key, &value, key.mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE);
    while (rc == 0 && count < rows_max) {
        struct slice found = lmdb_slice(key);

        if (prefix_size > 0 && found.data[0] != lmdb_prefix[table])
            break;
        found = slice_of(found.data + prefix_size, found.size - prefix_size);
        if (to.size > 0 && slice_compare(found, to) >= 0)
            break;
        ret_rows[count++] = (struct store_row){found, lmdb_slice(value)};
        if (count < rows_max)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    *ret_count = count;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

enum status lmdb_scan(struct store_txn *base, enum store_table table, struct slice from,
                      struct slice to, struct store_row *ret_rows, size_t rows_max,
                      size_t *ret_count)
{
    struct lmdb_txn *txn = lmdb_txn_of(base);
    int rc;

    lmdb_before_read(txn);
    rc = lmdb_group_bytes[table] > 0
             ? lmdb_packed_scan(txn, table, from, to, ret_rows, rows_max, ret_count)
             : scan(txn, table, from, to, ret_rows, rows_max, ret_count);
    return lmdb_status(lmdb_store_of(base->store), rc, "scan");
}
