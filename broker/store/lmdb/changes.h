/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes.h -- what the open write transaction has changed, as a record of the log (wal.h) has it.
 *
 *   table(1) kind(1) key size(2) value size(4) key value, repeated
 *
 * A put's memory is the caller's to fill until its next call on the transaction (S5 in store.h): so
 * the bytes are taken over then, from where the caller has put them.
 *
 * A transaction that changes more than the log takes at once is written by LMDB itself; what was
 * noted of it is then dropped.
 */
#ifndef ACKD_STORE_LMDB_CHANGES_H
#define ACKD_STORE_LMDB_CHANGES_H

#include "store/store.h"

enum change_kind { CHANGE_PUT = 1, CHANGE_REMOVE = 2 };

struct change {
    enum store_table table;
    enum change_kind kind;
    struct slice key;
    struct slice value; /* of a put */
};

struct changes {
    uint8_t *record; /* WAL_HEAD_BYTES to be filled in, then the operations */
    size_t size;
    size_t bytes_max;      /* of the record; a multiple of a block */
    uint64_t count;        /* operations, those that the record has no room for included */
    bool is_too_large;     /* for the record */
    const uint8_t *source; /* of the last put: where its value is filled in; NULL: taken over */
    size_t value_size;     /* its size: the record's last bytes */
};

/* Memory for a record of so many bytes; false: there is none. */
bool changes_init(struct changes *self, size_t bytes_max) MUST_USE;
void changes_deinit(struct changes *self);
/* A new transaction begins. */
void changes_begin(struct changes *self);
/* Notes a put whose value will be filled in at `memory`, or a removal. */
void changes_put(struct changes *self, enum store_table table, struct slice key, size_t size,
                 const uint8_t *memory);
void changes_remove(struct changes *self, enum store_table table, struct slice key);
/* Takes the last put's value over; before any other call on the transaction. */
void changes_fill(struct changes *self);

/* The first of some operations, taken off their front. False: they are none that were noted. */
bool change_next(struct slice *operations, struct change *ret) MUST_USE;

#endif
