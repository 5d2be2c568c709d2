/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.c -- the mark: which log belongs to this LMDB environment, and the last of its records that
 * is in it. One record of the main database, behind those of the tables that live there.
 */
#include "store/lmdb/lmdb_store.h"

#define MARK_KEY 4 /* one byte, as lmdb_prefix's are */
/* Raised with any change of the log or the tables that an older ackd would misread: it looks here
 * first, before it changes anything. */
#define MARK_VERSION 1

struct mark {
    uint32_t crc; /* of what follows */
    uint32_t version;
    uint64_t id; /* the log's */
    uint64_t seq;
};

static uint8_t mark_key[] = {MARK_KEY};

int lmdb_put_mark(struct lmdb_txn *txn, uint64_t id, uint64_t seq)
{
    struct mark mark = {.version = MARK_VERSION, .id = id, .seq = seq};
    MDB_val key = {.mv_size = sizeof mark_key, .mv_data = mark_key};
    MDB_val value = {.mv_size = sizeof mark, .mv_data = &mark};
    MDB_cursor *cursor;
    int rc = lmdb_cursor(txn, STORE_META, &cursor);

    mark.crc = crc32c(0, &mark.version, sizeof mark - offsetof(struct mark, version));
    return rc == 0 ? mdb_cursor_put(cursor, &key, &value, 0) : rc;
}

int lmdb_get_mark(struct lmdb_txn *txn, uint64_t *ret_id, uint64_t *ret_seq)
{
    struct mark mark;
    MDB_val key = {.mv_size = sizeof mark_key, .mv_data = mark_key};
    MDB_val value;
    MDB_cursor *cursor;
    int rc = lmdb_cursor(txn, STORE_META, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);
    if (rc != 0)
        return rc;
    if (value.mv_size < sizeof mark)
        return MDB_CORRUPTED;
    memcpy(&mark, value.mv_data, sizeof mark);
    if (mark.crc !=
        crc32c(0, (uint8_t *)value.mv_data + sizeof mark.crc, value.mv_size - sizeof mark.crc))
        return MDB_CORRUPTED;
    *ret_id = mark.id;
    *ret_seq = mark.seq;
    return mark.version > MARK_VERSION ? MDB_VERSION_MISMATCH : 0;
}
