/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c -- a skip list. Every search walks from the highest level down and remembers, for each
 * level, the link that leads to or past the key: what linking and unlinking then change.
 */
#include "store/mem/rows.h"

#include <stdlib.h>

#include "base/assert.h"

static void search(struct rows *self, struct slice key, struct row **ret_links[ROWS_HEIGHT_MAX]);
static unsigned draw_height(struct rows *self);

void rows_init(struct rows *self)
{
    *self = (struct rows){.random = UINT64_C(0x2545f4914f6cdd1d)};
}

void rows_deinit(struct rows *self)
{
    struct row *row = self->first[0];

    while (row != NULL) {
        struct row *next = row->next[0];

        row_free(row);
        row = next;
    }
    rows_init(self);
}

struct row *row_new(struct rows *self, struct slice key, size_t value_size)
{
    unsigned height = draw_height(self);
    struct row *row = malloc(sizeof *row + height * sizeof(struct row *) + key.size + value_size);

    if (row == NULL)
        return NULL;
    row->key_size = key.size;
    row->value_size = value_size;
    row->height = height;
    memcpy(row_bytes(row), key.data, key.size);
    return row;
}

void row_free(struct row *row)
{
    free(row);
}

struct row *rows_from(struct rows *self, struct slice key)
{
    struct row **links[ROWS_HEIGHT_MAX];

    search(self, key, links);
    return *links[0];
}

struct row *rows_find(struct rows *self, struct slice key)
{
    struct row *row = rows_from(self, key);

    return row != NULL && slice_equal(row_key(row), key) ? row : NULL;
}

void rows_link(struct rows *self, struct row *row)
{
    struct row **links[ROWS_HEIGHT_MAX];

    search(self, row_key(row), links);
    ASSERT(*links[0] == NULL || slice_compare(row_key(*links[0]), row_key(row)) > 0);
    for (unsigned level = 0; level < row->height; level++) {
        row->next[level] = *links[level];
        *links[level] = row;
    }
    self->count++;
}

void rows_unlink(struct rows *self, struct row *row)
{
    struct row **links[ROWS_HEIGHT_MAX];

    search(self, row_key(row), links);
    for (unsigned level = 0; level < row->height; level++) {
        ASSERT(*links[level] == row);
        *links[level] = row->next[level];
    }
    self->count--;
}

/* For each level the link to the first row with a key >= `key`. */
static void search(struct rows *self, struct slice key, struct row **ret_links[ROWS_HEIGHT_MAX])
{
    struct row **links = self->first;

    for (unsigned level = ROWS_HEIGHT_MAX; level-- > 0;) {
        while (links[level] != NULL && slice_compare(row_key(links[level]), key) < 0)
            links = links[level]->next;
        ret_links[level] = &links[level];
    }
}

/* 1 with probability 3/4, 2 with 3/16, and so on (xorshift64). */
static unsigned draw_height(struct rows *self)
{
    unsigned height = 1;
    uint64_t bits;

    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    for (bits = self->random >> 16; height < ROWS_HEIGHT_MAX && (bits & 3) == 0; bits >>= 2)
        height++;
    return height;
}
