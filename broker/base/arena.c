/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c -- blocks of memory that are given out from the front and dropped together.
 *
 *   self->block --> newest (8, 16, ... 1024 KiB) --> own block of a large object --> first (8 KiB)
 *
 * Small objects are cut from the newest block. What would waste much of a block gets one of its
 * own, linked behind the newest, which goes on serving small ones.
 *
 * Invariants (arena_check)
 *   A1  used_bytes is the sum of what the blocks have given out.
 *   A2  No block has given out more than it holds.
 *
 * The bound counts what is given out, not what malloc was asked for: an arena may hold at most
 * about three times its bound (the block begun last is at most as large as all before it). The
 * budget is charged what the blocks hold, but for those of BLOCK_FIRST_BYTES: an ordinary request
 * touches no shared number.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/budget.h"

enum {
    BLOCK_FIRST_BYTES = 8 << 10, /* kept across arena_reset */
    BLOCK_MAX_BYTES = 1 << 20,
    OWN_BLOCK_SHARE = 4 /* an object over 1/4 of the next block gets its own */
};

struct arena_block {
    struct arena_block *older;
    size_t capacity; /* bytes in data */
    size_t used;
    _Alignas(max_align_t) uint8_t data[];
};

static struct arena_block *block_new(struct arena *self, size_t capacity,
                                     struct arena_block *older);
static void block_free(struct arena *self, struct arena_block *block);
static struct arena_block *block_for(struct arena *self, size_t size);
static void arena_check(const struct arena *self);

void arena_init(struct arena *self, size_t size_max)
{
    *self = (struct arena){.block = NULL, .used_bytes = 0, .size_max = size_max};
}

void arena_set_budget(struct arena *self, struct budget *budget)
{
    ASSERT(self->block == NULL);
    self->budget = budget;
}

void arena_deinit(struct arena *self)
{
    struct arena_block *block = self->block;

    while (block != NULL) {
        struct arena_block *older = block->older;

        block_free(self, block);
        block = older;
    }
    *self = (struct arena){.size_max = self->size_max, .budget = self->budget};
}

void arena_reset(struct arena *self)
{
    struct arena_block *block = self->block;
    struct arena_block *kept = NULL;

    ASSERT_SLOW((arena_check(self), true));
    while (block != NULL) {
        struct arena_block *older = block->older;

        if (kept == NULL && block->capacity == BLOCK_FIRST_BYTES)
            kept = block;
        else
            block_free(self, block);
        block = older;
    }
    if (kept != NULL) {
        kept->older = NULL;
        kept->used = 0;
    }
    self->block = kept;
    self->used_bytes = 0;
    self->insists = false;
    self->starved = false;
}

void arena_set_max(struct arena *self, size_t size_max)
{
    self->size_max = size_max;
}

void arena_insist(struct arena *self)
{
    self->insists = true;
}

static void *cut(struct arena *self, struct arena_block *block, size_t size)
{
    void *memory = block->data + block->used;

    block->used += size;
    self->used_bytes += size;
    ASSERT(block->used <= block->capacity); /* A2 */
    return memory;
}

/* Out of line: most objects are cut from the newest block, and pay for no more than that. */
__attribute__((noinline)) static void *cut_elsewhere(struct arena *self, size_t size)
{
    struct arena_block *block = block_for(self, size);

    return block == NULL ? NULL : cut(self, block, size);
}

void *arena_alloc_raw(struct arena *self, size_t size)
{
    size_t unit = _Alignof(max_align_t);
    struct arena_block *newest = self->block;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = size == 0 ? unit : (size + unit - 1) & ~(unit - 1);
    if (self->used_bytes > self->size_max || size > self->size_max - self->used_bytes)
        return NULL;
    if (newest == NULL || newest->capacity - newest->used < size)
        return cut_elsewhere(self, size);
    return cut(self, newest, size);
}

void *arena_alloc(struct arena *self, size_t size)
{
    void *memory = arena_alloc_raw(self, size);

    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

void *arena_alloc_array(struct arena *self, size_t count, size_t size)
{
    void *memory = arena_alloc_array_raw(self, count, size);

    if (memory != NULL)
        memset(memory, 0, count * size);
    return memory;
}

void *arena_alloc_array_raw(struct arena *self, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc_raw(self, total);
}

char *arena_string(struct arena *self, struct slice text)
{
    char *copy;

    if (text.size == SIZE_MAX)
        return NULL;
    copy = arena_alloc_raw(self, text.size + 1);
    if (copy == NULL)
        return NULL;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

struct slice arena_copy(struct arena *self, struct slice data)
{
    uint8_t *copy;

    if (data.size == 0)
        return SLICE_EMPTY;
    copy = arena_alloc_raw(self, data.size);
    if (copy == NULL)
        return slice_of(NULL, data.size);
    memcpy(copy, data.data, data.size);
    return slice_of(copy, data.size);
}

char *arena_printf(struct arena *self, const char *format, ...)
{
    va_list args;
    va_list again;
    char *text = NULL;
    int size;

    va_start(args, format);
    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, args);
    if (size >= 0)
        text = arena_alloc_raw(self, (size_t)size + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

/* A block with room for `size` bytes, which the newest has not. */
static struct arena_block *block_for(struct arena *self, size_t size)
{
    struct arena_block *newest = self->block;
    size_t next_bytes = BLOCK_FIRST_BYTES;

    if (newest != NULL && newest->capacity < BLOCK_MAX_BYTES)
        next_bytes = newest->capacity * 2;
    else if (newest != NULL)
        next_bytes = BLOCK_MAX_BYTES;

    if (newest != NULL && size > next_bytes / OWN_BLOCK_SHARE) {
        struct arena_block *own = block_new(self, size, newest->older);

        if (own != NULL)
            newest->older = own;
        return own;
    }
    newest = block_new(self, next_bytes, newest);
    if (newest == NULL)
        return NULL;
    self->block = newest;
    return newest->capacity >= size ? newest : block_for(self, size); /* now there is a newest */
}

static bool is_charged(const struct arena *self, size_t capacity)
{
    return self->budget != NULL && capacity != BLOCK_FIRST_BYTES;
}

static struct arena_block *block_new(struct arena *self, size_t capacity, struct arena_block *older)
{
    struct arena_block *block;

    if (is_charged(self, capacity) && !self->insists && !budget_has(self->budget, capacity)) {
        self->starved = true;
        return NULL;
    }
    block = malloc(sizeof *block + capacity);
    if (block == NULL)
        return NULL;
    if (is_charged(self, capacity))
        budget_charge(self->budget, (int64_t)capacity);
    block->older = older;
    block->capacity = capacity;
    block->used = 0;
    return block;
}

static void block_free(struct arena *self, struct arena_block *block)
{
    if (is_charged(self, block->capacity))
        budget_charge(self->budget, -(int64_t)block->capacity);
    free(block);
}

__attribute__((unused)) static void arena_check(const struct arena *self)
{
    size_t used = 0;

    for (const struct arena_block *block = self->block; block != NULL; block = block->older) {
        ASSERT(block->used <= block->capacity); /* A2 */
        used += block->used;
    }
    ASSERT(used == self->used_bytes); /* A1 */
}
