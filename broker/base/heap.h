/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h -- what comes due first: an intrusive binary min-heap keyed by time.
 *
 * The nodes live in their objects and know their place, so that removing and re-keying are
 * O(log n). The heap owns one array of pointers. Equal keys leave in no particular order.
 */
#ifndef ACKD_BASE_HEAP_H
#define ACKD_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_OUTSIDE SIZE_MAX

struct heap_node {
    int64_t key;  /* ms */
    size_t index; /* place in the heap's array; HEAP_OUTSIDE: in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
};

void heap_init(struct heap *self);
void heap_deinit(struct heap *self);
static inline void heap_node_init(struct heap_node *node)
{
    node->key = 0;
    node->index = HEAP_OUTSIDE;
}
/* Room for `count` more nodes, so that as many pushes can't fail. False: no memory. */
bool heap_reserve(struct heap *self, size_t count);
/* Puts the node in under `key`. Room must have been reserved. */
void heap_push(struct heap *self, struct heap_node *node, int64_t key);
/* Moves a node that is in the heap to another key. */
void heap_move(struct heap *self, struct heap_node *node, int64_t key);
/* Takes the node out; nothing if it is in no heap. */
void heap_remove(struct heap *self, struct heap_node *node);
/* The node with the smallest key, left in; NULL if empty. */
static inline struct heap_node *heap_first(const struct heap *self)
{
    return self->count == 0 ? NULL : self->nodes[0];
}

#endif
