/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.h -- an intrusive hash map: the nodes live in their objects and carry their hash.
 *
 * Chained, a power of two of chains, doubled when as many nodes as chains. The owner compares:
 * it walks map_first_of / map_next_of (all nodes of one hash) and looks at its own keys.
 */
#ifndef ACKD_BASE_MAP_H
#define ACKD_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **chains;
    size_t chain_count; /* a power of two, or 0 before the first insert */
    size_t count;
};

void map_init(struct map *self);
/* Frees the chains; the objects are their owner's. */
void map_deinit(struct map *self);
/* Room for `count` more, so that as many inserts can't fail. False: no memory. */
bool map_reserve(struct map *self, size_t count);
/* Room must have been reserved. */
void map_insert(struct map *self, struct map_node *node, uint64_t hash);
/* The node must be in the map. */
void map_remove(struct map *self, struct map_node *node);
struct map_node *map_first_of(const struct map *self, uint64_t hash);
struct map_node *map_next_of(const struct map_node *node);
/* Every node, in no order: begin with NULL. The node just given may not be removed before the next
 * call. */
struct map_node *map_next(const struct map *self, const struct map_node *node);

/* A well-mixed 64-bit hash. It differs between processes: never store it. */
uint64_t hash_bytes(struct slice data);
uint64_t hash_u64(uint64_t value);
/* Makes this process's hashes unforeseeable; once, before other threads run and before the first
 * map. Without it the seed is 0, and a simulation replays. */
void hash_seed(uint64_t value);

#endif
