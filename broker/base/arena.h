/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h -- the memory of one request: bump allocation, one call drops all of it.
 *
 * An arena grows by blocks up to a bound; past the bound it answers NULL, which its users turn
 * into an ordinary STATUS_TOO_LARGE. protobuf-c unpacks into it through arena_allocator, so that
 * hostile input can't cost more than the bound.
 *
 * What many arenas take together is bounded by a budget that they share: each block but a first
 * one is charged to it. An arena that it refuses is `starved`, so that its user can tell "too
 * large" from "not now". What must not fail any more, because the store has changed already, is
 * allocated after arena_insist: charged, and never refused.
 *
 * Blocks come from malloc; the first one is kept across arena_reset, so that a connection's arena
 * costs no malloc for ordinary requests. Not thread-safe: an arena has one user at a time, and is
 * handed over with the request that it belongs to.
 */
#ifndef ACKD_BASE_ARENA_H
#define ACKD_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct arena_block;
struct budget;

struct arena {
    struct arena_block *block; /* the newest; older ones are linked behind it */
    size_t used_bytes;         /* given out since the last reset, alignment included */
    size_t size_max;           /* the bound, in bytes */
    struct budget *budget;     /* NULL: none */
    bool insists;
    bool starved; /* the budget has refused a block since the last reset */
};

/* An empty arena; allocates nothing yet. */
void arena_init(struct arena *self, size_t size_max);
/* Before the first allocation. The budget must live longer. */
void arena_set_budget(struct arena *self, struct budget *budget);
/* Frees everything; *self may be initialised again. */
void arena_deinit(struct arena *self);
/* Drops what was allocated and keeps one ordinary block for next time. */
void arena_reset(struct arena *self);
/* Raises or lowers the bound; what is allocated stays. */
void arena_set_max(struct arena *self, size_t size_max);
/* Until the next reset the budget refuses nothing. */
void arena_insist(struct arena *self);

/* Memory aligned for any type, zeroed; NULL past the bound or when the machine has none. A size of
 * 0 gives a valid pointer. */
void *arena_alloc(struct arena *self, size_t size);
/* The same, not zeroed. */
void *arena_alloc_raw(struct arena *self, size_t size);
/* `count` objects of `size` bytes, zeroed; NULL also if the product overflows. */
void *arena_alloc_array(struct arena *self, size_t count, size_t size);
/* The same, not zeroed. */
void *arena_alloc_array_raw(struct arena *self, size_t count, size_t size);
/* A NUL-terminated copy. */
char *arena_string(struct arena *self, struct slice text);
/* A copy; its data is NULL if there was no memory and the size not 0. */
struct slice arena_copy(struct arena *self, struct slice data);
char *arena_printf(struct arena *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_alloc_array((arena), (count), sizeof(type)))

#endif
