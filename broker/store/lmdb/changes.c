/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes.c -- noting what a transaction changes, and reading it back.
 */
#include "store/lmdb/changes.h"

#include "store/lmdb/wal.h"

struct operation_head {
    uint8_t table;
    uint8_t kind;
    uint16_t key_size;
    uint32_t value_size;
};

void changes_deinit(struct changes *self)
{
    buffer_deinit(&self->record);
}

void changes_begin(struct changes *self)
{
    self->record.size = 0;
    self->record.failed = false;
    self->count = 0;
    self->source = NULL;
    self->is_too_large = buffer_reserve(&self->record, WAL_HEAD_BYTES) == NULL;
    self->record.size = WAL_HEAD_BYTES;
}

/* Room for the value is left behind the key. */
static void note(struct changes *self, const struct change *change, size_t value_size)
{
    struct operation_head head = {
        .table = (uint8_t)change->table,
        .kind = (uint8_t)change->kind,
        .key_size = (uint16_t)change->key.size,
        .value_size = (uint32_t)value_size,
    };
    size_t size = sizeof head + change->key.size + value_size;
    uint8_t *at;

    self->count++;
    if (self->is_too_large)
        return;
    at = size > self->bytes_max - self->record.size ? NULL : buffer_reserve(&self->record, size);
    if (at == NULL) {
        self->is_too_large = true;
        return;
    }
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, change->key.data, change->key.size);
    self->record.size += size;
}

void changes_put(struct changes *self, enum store_table table, struct slice key, size_t size,
                 const uint8_t *memory)
{
    note(self, &(struct change){.table = table, .kind = CHANGE_PUT, .key = key}, size);
    self->source = self->is_too_large ? NULL : memory;
    self->value_size = size;
}

void changes_remove(struct changes *self, enum store_table table, struct slice key)
{
    note(self, &(struct change){.table = table, .kind = CHANGE_REMOVE, .key = key}, 0);
}

void changes_fill(struct changes *self)
{
    if (self->source != NULL && self->value_size > 0)
        memcpy(self->record.data + self->record.size - self->value_size, self->source,
               self->value_size);
    self->source = NULL;
}

bool change_next(struct slice *operations, struct change *ret)
{
    struct operation_head head;
    size_t size;

    if (operations->size < sizeof head)
        return false;
    memcpy(&head, operations->data, sizeof head);
    size = sizeof head + head.key_size + head.value_size;
    if (size > operations->size || head.table >= STORE_TABLE_COUNT || head.key_size == 0 ||
        head.key_size > STORE_KEY_MAX || (head.kind != CHANGE_PUT && head.kind != CHANGE_REMOVE))
        return false;
    *ret = (struct change){
        .table = (enum store_table)head.table,
        .kind = (enum change_kind)head.kind,
        .key = slice_of(operations->data + sizeof head, head.key_size),
        .value = slice_of(operations->data + sizeof head + head.key_size, head.value_size),
    };
    *operations = slice_of(operations->data + size, operations->size - size);
    return true;
}
