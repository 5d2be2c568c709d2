/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h -- memory that many requests share: how much of it is in use, and how much may be.
 *
 * Arenas charge their blocks to it. It is looked at and charged without a lock, so it may be
 * exceeded by as many blocks as threads ask in the same moment. Any thread.
 */
#ifndef ACKD_BASE_BUDGET_H
#define ACKD_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget {
    _Atomic int64_t used_bytes;
    int64_t max_bytes;
};

static inline void budget_init(struct budget *self, int64_t max_bytes)
{
    atomic_init(&self->used_bytes, 0);
    self->max_bytes = max_bytes;
}

static inline int64_t budget_used(const struct budget *self)
{
    return atomic_load_explicit(&self->used_bytes, memory_order_relaxed);
}

static inline bool budget_has(const struct budget *self, size_t bytes)
{
    return (int64_t)bytes <= self->max_bytes - budget_used(self);
}

/* Less than nothing: gives back. */
static inline void budget_charge(struct budget *self, int64_t bytes)
{
    atomic_fetch_add_explicit(&self->used_bytes, bytes, memory_order_relaxed);
}

#endif
