/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes.c -- noting what a transaction changes, and reading it back.
 */
#include "store/lmdb/changes.h"

#include <stdlib.h>

#include "base/assert.h"
#include "store/lmdb/wal.h"

struct operation_head {
    uint8_t table;
    uint8_t kind;
    uint16_t key_size;
    uint32_t value_size;
};

bool changes_init(struct changes *self, size_t bytes_max)
{
    ASSERT(bytes_max % WAL_BLOCK_BYTES == 0);
    self->record = malloc(bytes_max);
    self->bytes_max = bytes_max;
    return self->record != NULL;
}

void changes_deinit(struct changes *self)
{
    free(self->record);
}

void changes_begin(struct changes *self)
{
    self->size = WAL_HEAD_BYTES;
    self->count = 0;
    self->source = NULL;
    self->is_too_large = false;
}

/* Room for the value is left behind the key. */
static void note(struct changes *self, struct operation_head head, struct slice key)
{
    size_t size = sizeof head + key.size + head.value_size;
    uint8_t *at = self->record + self->size;

    self->count++;
    if (self->is_too_large || size > self->bytes_max - self->size) {
        self->is_too_large = true;
        return;
    }
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, key.data, key.size);
    self->size += size;
}

void changes_put(struct changes *self, enum store_table table, struct slice key, size_t size,
                 const uint8_t *memory)
{
    note(self,
         (struct operation_head){(uint8_t)table, CHANGE_PUT, (uint16_t)key.size, (uint32_t)size},
         key);
    self->source = self->is_too_large ? NULL : memory;
    self->value_size = size;
}

void changes_remove(struct changes *self, enum store_table table, struct slice key)
{
    note(self, (struct operation_head){(uint8_t)table, CHANGE_REMOVE, (uint16_t)key.size, 0}, key);
}

void changes_fill(struct changes *self)
{
    if (self->source != NULL && self->value_size > 0)
        memcpy(self->record + self->size - self->value_size, self->source, self->value_size);
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
