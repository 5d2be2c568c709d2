/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c -- the front of every engine: holds callers to the contract, then hands on.
 *
 * What is asserted here no engine needs to look at again: keys have 1..STORE_KEY_MAX bytes, only
 * write transactions write, and nothing follows a refusal but store_abort (S6).
 */
#include "store/store.h"

#include "base/assert.h"

static const char *const table_names[STORE_TABLE_COUNT] = {
#define X(name, text) [STORE_##name] = text,
    STORE_TABLES(X)
#undef X
};

static enum status begin(struct store *self, bool writable, struct store_txn **ret_txn);
static void check_call(const struct store_txn *txn, enum store_table table);
static void check_key(struct slice key);
static enum status note(struct store_txn *txn, enum status status);

const char *store_table_name(enum store_table table)
{
    ASSERT(table < STORE_TABLE_COUNT);
    return table_names[table];
}

enum status store_begin_write(struct store *self, struct store_txn **ret_txn)
{
    return begin(self, true, ret_txn);
}

enum status store_begin_read(struct store *self, struct store_txn **ret_txn)
{
    return begin(self, false, ret_txn);
}

enum status store_commit(struct store_txn *txn)
{
    ASSERT(txn->writable);
    ASSERT(!txn->refused); /* S6 */
    return txn->store->ops->commit(txn);
}

void store_abort(struct store_txn *txn)
{
    if (txn != NULL)
        txn->store->ops->abort(txn);
}

enum status store_checkpoint(struct store *self)
{
    return self->ops->checkpoint(self);
}

void store_leave(struct store *self)
{
    self->ops->leave(self);
}

void store_expect_backup(struct store *self, struct store_copy *copy, bool expected)
{
    self->ops->expect_backup(self, copy, expected);
}

bool store_is_behind(const struct store *self)
{
    return self->ops->is_behind(self);
}

enum status store_get(struct store_txn *txn, enum store_table table, struct slice key,
                      struct slice *ret_value)
{
    struct store_read read = {.table = table, .key = key};
    enum status status = store_get_many(txn, &read, 1);

    if (status != STATUS_OK)
        return status;
    if (!read.found)
        return STATUS_NOT_FOUND;
    *ret_value = read.value;
    return STATUS_OK;
}

enum status store_get_many(struct store_txn *txn, struct store_read *reads, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_call(txn, reads[i].table);
        check_key(reads[i].key);
    }
    return note(txn, txn->store->ops->get_many(txn, reads, count));
}

enum status store_scan(struct store_txn *txn, enum store_table table, struct slice from,
                       struct slice to, struct store_row *ret_rows, size_t rows_max,
                       size_t *ret_count)
{
    check_call(txn, table);
    ASSERT(from.size <= STORE_KEY_MAX && to.size <= STORE_KEY_MAX);
    *ret_count = 0;
    return note(txn, txn->store->ops->scan(txn, table, from, to, ret_rows, rows_max, ret_count));
}

enum status store_reserve(struct store_txn *txn, enum store_table table, struct slice key,
                          size_t size, uint8_t **ret_value)
{
    check_call(txn, table);
    check_key(key);
    ASSERT(txn->writable);
    ASSERT(size >= 1 && size <= INT32_MAX);
    return note(txn, txn->store->ops->reserve(txn, table, key, size, ret_value));
}

enum status store_put(struct store_txn *txn, enum store_table table, struct slice key,
                      struct slice value)
{
    uint8_t *memory;
    enum status status;

    check_call(txn, table);
    check_key(key);
    ASSERT(txn->writable);
    ASSERT(value.size <= INT32_MAX);
    status = note(txn, txn->store->ops->reserve(txn, table, key, value.size, &memory));
    if (status == STATUS_OK && value.size > 0)
        memcpy(memory, value.data, value.size);
    return status;
}

enum status store_remove(struct store_txn *txn, enum store_table table, struct slice key)
{
    check_call(txn, table);
    check_key(key);
    ASSERT(txn->writable);
    return note(txn, txn->store->ops->remove(txn, table, key));
}

enum status store_usage(struct store *self, struct store_usage *ret_usage)
{
    return self->ops->usage(self, ret_usage);
}

enum status store_backup(struct store *self, struct store_copy *copy)
{
    ASSERT(copy->directory[0] != '\0');
    return self->ops->backup(self, copy);
}

void store_close(struct store *self)
{
    if (self != NULL)
        self->ops->close(self);
}

static enum status begin(struct store *self, bool writable, struct store_txn **ret_txn)
{
    enum status status = self->ops->begin(self, writable, ret_txn);

    if (status == STATUS_OK) {
        ASSERT((*ret_txn)->store == self && (*ret_txn)->writable == writable);
        ASSERT(!(*ret_txn)->refused);
    }
    return status;
}

static void check_call(const struct store_txn *txn, enum store_table table)
{
    ASSERT(table < STORE_TABLE_COUNT);
    ASSERT(!txn->refused); /* S6 */
}

static void check_key(struct slice key)
{
    ASSERT(key.size >= 1 && key.size <= STORE_KEY_MAX);
}

static enum status note(struct store_txn *txn, enum status status)
{
    txn->refused = status != STATUS_OK && status != STATUS_NOT_FOUND;
    return status;
}
