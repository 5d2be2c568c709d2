/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.c -- records made, replaced and removed.
 *
 * A key past the table's last one is appended (MDB_APPEND): LMDB then begins a new page when one
 * is full, where an insert would split it in halves. The last key is remembered from call to call
 * and from commit to commit, so that knowing it costs one comparison.
 *
 * Invariant
 *   W1  A known tail is the table's last key as LMDB's open write transaction, or else its last
 *       commit, has it. What may change it otherwise (abort, failed commit) forgets it.
 */
#include "base/assert.h"
#include "store/lmdb/lmdb_store.h"

static int reserve(struct lmdb_txn *txn, enum store_table table, struct slice key, size_t size,
                   uint8_t **ret_value);
static int remove_record(struct lmdb_txn *txn, enum store_table table, struct slice key);
static int load_tail(struct lmdb_tail *tail, MDB_cursor *cursor);
static int set_tail(struct lmdb_tail *tail, struct slice key);

enum status lmdb_reserve(struct store_txn *base, enum store_table table, struct slice key,
                         size_t size, uint8_t **ret_value)
{
    struct lmdb_store *self = lmdb_store_of(base->store);
    int rc;

    changes_fill(&self->changes);
    rc = lmdb_put_record(&self->writer, table, key, size, ret_value);
    if (rc == 0)
        changes_put(&self->changes, table, key, size, *ret_value);
    return lmdb_status(self, rc, "put");
}

int lmdb_put_record(struct lmdb_txn *txn, enum store_table table, struct slice key, size_t size,
                    uint8_t **ret_value)
{
    return lmdb_group_bytes[table] > 0 ? lmdb_packed_reserve(txn, table, key, size, ret_value)
                                       : reserve(txn, table, key, size, ret_value);
}

static int reserve(struct lmdb_txn *txn, enum store_table table, struct slice key, size_t size,
                   uint8_t **ret_value)
{
    struct lmdb_tail *tail = &lmdb_store_of(txn->base.store)->tails[table];
    bool has_tail = lmdb_prefix[table] == 0;
    uint8_t scratch[STORE_KEY_MAX + 1];
    MDB_val key_val = lmdb_key_val(table, key, scratch);
    MDB_val value = {.mv_size = size, .mv_data = NULL};
    MDB_cursor *cursor;
    bool append;
    int rc = lmdb_cursor(txn, table, &cursor);

    if (rc == 0 && has_tail && !tail->known)
        rc = load_tail(tail, cursor);
    if (rc != 0)
        return rc;
    append = has_tail && slice_compare(key, lmdb_key_slice(&tail->key)) > 0;
    rc = mdb_cursor_put(cursor, &key_val, &value, MDB_RESERVE | (append ? MDB_APPEND : 0));
    ASSERT(rc != MDB_KEYEXIST); /* W1 */
    if (rc == 0 && append)
        rc = set_tail(tail, key);
    *ret_value = value.mv_data;
    return rc;
}

enum status lmdb_remove(struct store_txn *base, enum store_table table, struct slice key)
{
    struct lmdb_store *self = lmdb_store_of(base->store);
    int rc;

    changes_fill(&self->changes);
    rc = lmdb_remove_record(&self->writer, table, key);
    if (rc == 0)
        changes_remove(&self->changes, table, key);
    return lmdb_status(self, rc, "delete");
}

int lmdb_remove_record(struct lmdb_txn *txn, enum store_table table, struct slice key)
{
    return lmdb_group_bytes[table] > 0 ? lmdb_packed_remove(txn, table, key)
                                       : remove_record(txn, table, key);
}

static int remove_record(struct lmdb_txn *txn, enum store_table table, struct slice key)
{
    struct lmdb_tail *tail = &lmdb_store_of(txn->base.store)->tails[table];
    uint8_t scratch[STORE_KEY_MAX + 1];
    MDB_val key_val = lmdb_key_val(table, key, scratch);
    MDB_val value;
    MDB_cursor *cursor;
    int rc = lmdb_cursor(txn, table, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key_val, &value, MDB_SET);
    if (rc == 0)
        rc = mdb_cursor_del(cursor, 0);
    if (rc == 0 && tail->known && slice_equal(key, lmdb_key_slice(&tail->key)))
        tail->known = false;
    return rc;
}

static int load_tail(struct lmdb_tail *tail, MDB_cursor *cursor)
{
    MDB_val key;
    MDB_val value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);

    if (rc == 0)
        return set_tail(tail, lmdb_slice(key));
    return rc == MDB_NOTFOUND ? set_tail(tail, SLICE_EMPTY) : rc;
}

static int set_tail(struct lmdb_tail *tail, struct slice key)
{
    int rc = lmdb_key_set(&tail->key, key);

    tail->known = rc == 0;
    return rc;
}
