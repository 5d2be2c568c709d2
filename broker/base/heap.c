/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.c -- a binary min-heap whose nodes know their index.
 *
 * Invariants
 *   H1  No node's key is smaller than its parent's, (index - 1) / 2.
 *   H2  nodes[i]->index == i.
 *   H3  A node that is in no heap has the index HEAP_OUTSIDE.
 */
#include "base/heap.h"

#include <stdlib.h>

#include "base/assert.h"

enum { CAPACITY_MIN = 64 };

static void sift_up(struct heap *self, size_t index);
static void sift_down(struct heap *self, size_t index);
static void place(struct heap *self, size_t index, struct heap_node *node);

void heap_init(struct heap *self)
{
    *self = (struct heap){NULL, 0, 0};
}

void heap_deinit(struct heap *self)
{
    free(self->nodes);
    heap_init(self);
}

bool heap_reserve(struct heap *self, size_t count)
{
    size_t capacity = self->capacity < CAPACITY_MIN ? CAPACITY_MIN : self->capacity;
    struct heap_node **nodes;

    if (count <= self->capacity - self->count)
        return true;
    if (count > SIZE_MAX / 4 / sizeof *nodes)
        return false;
    while (capacity - self->count < count)
        capacity *= 2;
    nodes = realloc(self->nodes, capacity * sizeof(struct heap_node *));
    if (nodes == NULL)
        return false;
    self->nodes = nodes;
    self->capacity = capacity;
    return true;
}

void heap_push(struct heap *self, struct heap_node *node, int64_t key)
{
    ASSERT(node->index == HEAP_OUTSIDE); /* H3 */
    ASSERT(self->count < self->capacity);
    node->key = key;
    place(self, self->count, node);
    self->count++;
    sift_up(self, node->index);
}

void heap_move(struct heap *self, struct heap_node *node, int64_t key)
{
    ASSERT(node->index < self->count && self->nodes[node->index] == node); /* H2 */
    node->key = key;
    sift_up(self, node->index);
    sift_down(self, node->index);
}

void heap_remove(struct heap *self, struct heap_node *node)
{
    size_t index = node->index;
    struct heap_node *last;

    if (index == HEAP_OUTSIDE)
        return;
    ASSERT(index < self->count && self->nodes[index] == node); /* H2 */
    self->count--;
    last = self->nodes[self->count];
    node->index = HEAP_OUTSIDE;
    if (last == node)
        return;
    place(self, index, last);
    sift_up(self, index);
    sift_down(self, last->index);
}

/* Restores H1 upwards from `index`. */
static void sift_up(struct heap *self, size_t index)
{
    struct heap_node *node = self->nodes[index];

    while (index > 0 && node->key < self->nodes[(index - 1) / 2]->key) {
        place(self, index, self->nodes[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(self, index, node);
}

/* Restores H1 downwards from `index`. */
static void sift_down(struct heap *self, size_t index)
{
    struct heap_node *node = self->nodes[index];

    for (;;) {
        size_t child = index * 2 + 1;

        if (child >= self->count)
            break;
        if (child + 1 < self->count && self->nodes[child + 1]->key < self->nodes[child]->key)
            child++;
        if (self->nodes[child]->key >= node->key)
            break;
        place(self, index, self->nodes[child]);
        index = child;
    }
    place(self, index, node);
}

static void place(struct heap *self, size_t index, struct heap_node *node)
{
    self->nodes[index] = node;
    node->index = index; /* H2 */
}
