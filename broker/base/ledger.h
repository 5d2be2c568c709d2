/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h -- what is kept of each of many names: while somebody uses it, and a while longer.
 *
 * Callers make the names up, so what is kept of those that nobody uses is bounded: the ones used
 * last stay. An entry is the owner's struct, which begins with a struct ledger_entry and is zeroed
 * when it is made. Not thread-safe: the owner locks.
 */
#ifndef ACKD_BASE_LEDGER_H
#define ACKD_BASE_LEDGER_H

#include "base/list.h"
#include "base/map.h"

struct ledger_entry {
    struct map_node node;
    struct list link;  /* in ledger.idle while it has no users */
    int64_t users;     /* taken and not given back */
    struct slice name; /* lies behind the owner's struct */
};

struct ledger {
    struct map map;
    struct list idle; /* the one used longest ago first */
    size_t idle_count;
    size_t idle_max;
    size_t entry_size; /* of the owner's struct */
};

void ledger_init(struct ledger *self, size_t entry_size, size_t idle_max);
/* Frees every entry. */
void ledger_deinit(struct ledger *self);
/* The entry of that name, with one user more; NULL: no memory. */
struct ledger_entry *ledger_take(struct ledger *self, struct slice name);
void ledger_give_back(struct ledger *self, struct ledger_entry *entry);
/* NULL: there is none. */
struct ledger_entry *ledger_find(const struct ledger *self, struct slice name);

#endif
