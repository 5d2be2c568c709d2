/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.c -- the store in memory: tables of sorted rows, an undo log, faults on order.
 *
 * Writes change the tables at once. The undo log remembers for each write the row that it linked
 * and the row that it unlinked; undoing it from the end restores the last commit, and a commit
 * frees what was unlinked.
 *
 * Invariants
 *   M1  With an empty undo log the tables are the last commit.
 *   M2  live_bytes is the sum of the keys' and values' sizes in the tables.
 *
 * Reads give out copies that are freed at the next write and at the transaction's end, so that
 * a sanitizer sees whoever uses a slice longer than S5 allows.
 *
 * A read transaction reads the tables as they are: it and a write transaction wait for each other.
 * So one thread may not have both open. There is no file, so that a backup is refused
 * (STATUS_UNIMPLEMENTED).
 */
#include "store/mem.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "store/mem/rows.h"

#define BYTES_MAX_DEFAULT (UINT64_C(1) << 40) /* said by usage when there is no limit */

struct mem_txn {
    struct store_txn base;
    struct arena loans; /* what reads gave out (S5) */
};

struct undo {
    enum store_table table;
    struct row *linked;   /* by the write; NULL: it was a removal */
    struct row *unlinked; /* by the write; NULL: the key was new */
};

struct mem_store {
    struct store base;
    struct rows tables[STORE_TABLE_COUNT];
    uint64_t live_bytes;
    uint64_t max_bytes; /* 0: no limit */

    pthread_rwlock_t lock;  /* held by each open transaction, for writing or reading */
    struct mem_txn *writer; /* the open write transaction, or NULL */
    struct undo *undos;
    size_t undo_count;
    size_t undo_capacity;

    enum store_mem_fault fault;
    uint64_t fault_left; /* the fault strikes when it falls to 0 */
    bool failed;         /* S7 */
};

static const struct store_ops mem_ops;

static void forget_fault(struct mem_store *self);
static bool fault_strikes(struct mem_store *self, enum store_mem_fault fault);
static bool has_failed(struct mem_store *self);
static bool reserve_undo(struct mem_store *self);
static void replace(struct mem_store *self, enum store_table table, struct row *linked,
                    struct row *unlinked);
static void undo_all(struct mem_store *self);
static void undo_forget(struct mem_store *self);
static void end(struct mem_txn *txn);
static enum status lend(struct mem_txn *txn, struct row *row, struct store_row *ret_row);

static struct mem_store *store_of(struct store *base)
{
    ASSERT(base->ops == &mem_ops);
    return (struct mem_store *)base;
}

enum status store_mem_open(struct store **ret_store)
{
    struct mem_store *self = calloc(1, sizeof *self);

    if (self == NULL)
        return STATUS_INTERNAL;
    self->base.ops = &mem_ops;
    pthread_rwlock_init(&self->lock, NULL);
    for (int table = 0; table < STORE_TABLE_COUNT; table++)
        rows_init(&self->tables[table]);
    *ret_store = &self->base;
    return STATUS_OK;
}

void store_mem_fault(struct store *base, enum store_mem_fault fault, uint64_t k)
{
    struct mem_store *self = store_of(base);

    ASSERT(fault == STORE_MEM_FAULT_NONE || k > 0);
    self->fault = fault;
    self->fault_left = k;
}

bool store_mem_is_armed(struct store *base)
{
    return store_of(base)->fault != STORE_MEM_FAULT_NONE;
}

bool store_mem_has_failed(struct store *base)
{
    return store_of(base)->failed;
}

void store_mem_crash(struct store *base)
{
    struct mem_store *self = store_of(base);

    if (self->writer != NULL) {
        undo_all(self);
        end(self->writer);
    }
    forget_fault(self);
    self->failed = false;
}

void store_mem_set_max(struct store *base, uint64_t bytes)
{
    store_of(base)->max_bytes = bytes;
}

static enum status mem_begin(struct store *base, bool writable, struct store_txn **ret_txn)
{
    struct mem_store *self = store_of(base);
    struct mem_txn *txn = calloc(1, sizeof *txn);

    if (txn == NULL)
        return STATUS_INTERNAL;
    if (writable)
        pthread_rwlock_wrlock(&self->lock);
    else
        pthread_rwlock_rdlock(&self->lock);
    ASSERT(self->writer == NULL);
    if (self->failed) {
        pthread_rwlock_unlock(&self->lock);
        free(txn);
        return STATUS_INTERNAL;
    }
    txn->base.store = base;
    txn->base.writable = writable;
    arena_init(&txn->loans, SIZE_MAX);
    if (writable)
        self->writer = txn;
    *ret_txn = &txn->base;
    return STATUS_OK;
}

static enum status mem_commit(struct store_txn *base)
{
    struct mem_store *self = store_of(base->store);
    enum status status = STATUS_OK;
    bool stored = true;

    if (fault_strikes(self, STORE_MEM_FAULT_COMMIT_FULL)) {
        status = STATUS_STORE_FULL;
        stored = false;
    } else if (has_failed(self) || fault_strikes(self, STORE_MEM_FAULT_COMMIT_LOST)) {
        status = STATUS_INTERNAL;
        stored = false;
    } else if (fault_strikes(self, STORE_MEM_FAULT_COMMIT_UNKNOWN)) {
        status = STATUS_INTERNAL;
    }
    if (stored)
        undo_forget(self);
    else
        undo_all(self);
    self->failed |= status == STATUS_INTERNAL; /* S7 */
    end((struct mem_txn *)base);
    return status;
}

static void mem_abort(struct store_txn *base)
{
    if (base->writable)
        undo_all(store_of(base->store));
    end((struct mem_txn *)base);
}

static enum status mem_get_many(struct store_txn *base, struct store_read *reads, size_t count)
{
    struct mem_store *self = store_of(base->store);

    if (has_failed(self))
        return STATUS_INTERNAL;
    for (size_t i = 0; i < count; i++) {
        struct row *row = rows_find(&self->tables[reads[i].table], reads[i].key);
        struct store_row lent;

        reads[i].found = row != NULL;
        if (row == NULL)
            continue;
        if (lend((struct mem_txn *)base, row, &lent) != STATUS_OK)
            return STATUS_INTERNAL;
        reads[i].value = lent.value;
    }
    return STATUS_OK;
}

static enum status mem_scan(struct store_txn *base, enum store_table table, struct slice from,
                            struct slice to, struct store_row *ret_rows, size_t rows_max,
                            size_t *ret_count)
{
    struct mem_store *self = store_of(base->store);
    struct row *row = rows_from(&self->tables[table], from);
    size_t count = 0;

    if (has_failed(self))
        return STATUS_INTERNAL;
    for (; row != NULL && count < rows_max; row = row->next[0]) {
        if (to.size > 0 && slice_compare(row_key(row), to) >= 0)
            break;
        if (lend((struct mem_txn *)base, row, &ret_rows[count]) != STATUS_OK)
            return STATUS_INTERNAL;
        count++;
    }
    *ret_count = count;
    return STATUS_OK;
}

static enum status mem_reserve(struct store_txn *base, enum store_table table, struct slice key,
                               size_t size, uint8_t **ret_value)
{
    struct mem_store *self = store_of(base->store);
    struct row *before = rows_find(&self->tables[table], key);
    uint64_t freed = before == NULL ? 0 : before->key_size + before->value_size;
    struct row *row;

    if (has_failed(self))
        return STATUS_INTERNAL;
    if (fault_strikes(self, STORE_MEM_FAULT_WRITE_FULL))
        return STATUS_STORE_FULL;
    if (self->max_bytes != 0 && self->live_bytes - freed + key.size + size > self->max_bytes)
        return STATUS_STORE_FULL;
    row = row_new(&self->tables[table], key, size);
    if (row == NULL || !reserve_undo(self)) {
        row_free(row);
        return STATUS_STORE_FULL;
    }
    memset(row_bytes(row) + key.size, 0xdb, size); /* seen in tests if it is not filled (S5) */
    replace(self, table, row, before);
    *ret_value = row_bytes(row) + key.size;
    return STATUS_OK;
}

static enum status mem_remove(struct store_txn *base, enum store_table table, struct slice key)
{
    struct mem_store *self = store_of(base->store);
    struct row *row = rows_find(&self->tables[table], key);

    if (has_failed(self))
        return STATUS_INTERNAL;
    if (fault_strikes(self, STORE_MEM_FAULT_WRITE_FULL))
        return STATUS_STORE_FULL;
    if (row == NULL)
        return STATUS_NOT_FOUND;
    if (!reserve_undo(self))
        return STATUS_STORE_FULL;
    replace(self, table, NULL, row);
    return STATUS_OK;
}

static enum status mem_usage(struct store *base, struct store_usage *ret_usage)
{
    struct mem_store *self = store_of(base);

    ret_usage->used_bytes = self->live_bytes;
    ret_usage->file_bytes = self->live_bytes;
    ret_usage->free_pages = 0;
    ret_usage->page_bytes = 0;
    ret_usage->max_bytes = self->max_bytes == 0 ? BYTES_MAX_DEFAULT : self->max_bytes;
    return STATUS_OK;
}

static enum status mem_backup(struct store *base, struct store_copy *copy)
{
    (void)base;
    (void)copy;
    return STATUS_UNIMPLEMENTED;
}

static void mem_close(struct store *base)
{
    struct mem_store *self = store_of(base);

    ASSERT(self->writer == NULL);
    ASSERT(self->undo_count == 0); /* M1 */
    for (int table = 0; table < STORE_TABLE_COUNT; table++)
        rows_deinit(&self->tables[table]);
    free(self->undos);
    pthread_rwlock_destroy(&self->lock);
    free(self);
}

/* Nothing is ever behind. */
static enum status mem_checkpoint(struct store *base)
{
    (void)base;
    return STATUS_OK;
}

static bool mem_is_behind(const struct store *base)
{
    (void)base;
    return false;
}

static void mem_leave(struct store *base)
{
    (void)base;
}

static void mem_expect_backup(struct store *base, struct store_copy *copy, bool expected)
{
    (void)base;
    copy->expected = expected;
}

static const struct store_ops mem_ops = {
    .name = "mem",
    .begin = mem_begin,
    .commit = mem_commit,
    .abort = mem_abort,
    .checkpoint = mem_checkpoint,
    .is_behind = mem_is_behind,
    .leave = mem_leave,
    .expect_backup = mem_expect_backup,
    .get_many = mem_get_many,
    .scan = mem_scan,
    .reserve = mem_reserve,
    .remove = mem_remove,
    .usage = mem_usage,
    .backup = mem_backup,
    .close = mem_close,
};

static void forget_fault(struct mem_store *self)
{
    self->fault = STORE_MEM_FAULT_NONE;
    self->fault_left = 0;
}

/* Counts one write or commit against the armed fault, if it is of that kind. */
static bool fault_strikes(struct mem_store *self, enum store_mem_fault fault)
{
    if (self->fault != fault)
        return false;
    self->fault_left--;
    if (self->fault_left > 0)
        return false;
    forget_fault(self);
    return true;
}

/* Counts one call of any kind against STORE_MEM_FAULT_ANY_LOST. */
static bool has_failed(struct mem_store *self)
{
    self->failed |= fault_strikes(self, STORE_MEM_FAULT_ANY_LOST);
    return self->failed;
}

static bool reserve_undo(struct mem_store *self)
{
    size_t capacity = self->undo_capacity == 0 ? 64 : self->undo_capacity * 2;
    struct undo *undos;

    if (self->undo_count < self->undo_capacity)
        return true;
    undos = realloc(self->undos, capacity * sizeof *undos);
    if (undos == NULL)
        return false;
    self->undos = undos;
    self->undo_capacity = capacity;
    return true;
}

/* One write: takes the row of before out, puts the new one in, and notes both. Either may be
 * NULL. */
static void replace(struct mem_store *self, enum store_table table, struct row *linked,
                    struct row *unlinked)
{
    ASSERT(self->writer != NULL);
    arena_deinit(&self->writer->loans); /* S5: the slices given out end here */
    if (unlinked != NULL) {
        rows_unlink(&self->tables[table], unlinked);
        self->live_bytes -= unlinked->key_size + unlinked->value_size;
    }
    if (linked != NULL) {
        rows_link(&self->tables[table], linked);
        self->live_bytes += linked->key_size + linked->value_size;
    }
    self->undos[self->undo_count++] = (struct undo){table, linked, unlinked};
}

static void undo_all(struct mem_store *self)
{
    while (self->undo_count > 0) {
        struct undo *undo = &self->undos[--self->undo_count];
        struct rows *rows = &self->tables[undo->table];

        if (undo->linked != NULL) {
            rows_unlink(rows, undo->linked);
            self->live_bytes -= undo->linked->key_size + undo->linked->value_size;
            row_free(undo->linked);
        }
        if (undo->unlinked != NULL) {
            rows_link(rows, undo->unlinked);
            self->live_bytes += undo->unlinked->key_size + undo->unlinked->value_size;
        }
    }
}

static void undo_forget(struct mem_store *self)
{
    for (size_t i = 0; i < self->undo_count; i++)
        row_free(self->undos[i].unlinked);
    self->undo_count = 0;
}

static void end(struct mem_txn *txn)
{
    struct mem_store *self = store_of(txn->base.store);

    if (txn->base.writable)
        self->writer = NULL;
    pthread_rwlock_unlock(&self->lock);
    arena_deinit(&txn->loans);
    free(txn);
}

static enum status lend(struct mem_txn *txn, struct row *row, struct store_row *ret_row)
{
    ret_row->key = arena_copy(&txn->loans, row_key(row));
    ret_row->value = arena_copy(&txn->loans, row_value(row));
    if (ret_row->key.data == NULL || (ret_row->value.data == NULL && row->value_size > 0))
        return STATUS_INTERNAL;
    return STATUS_OK;
}
