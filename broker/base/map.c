/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c -- chains of nodes, found by the low bits of their hash; and the hash.
 *
 * The hash multiplies 64 by 64 bits and folds the product's halves together: each input bit
 * reaches each output bit after two rounds. Its seed is 0 until hash_seed is called, so that
 * simulations replay; a server sets a random one, so that nobody who chooses keys can choose
 * their chains.
 */
#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"

enum { CHAINS_MIN = 16 };

static bool rehash(struct map *self, size_t chain_count);
static struct map_node **chain_of(const struct map *self, uint64_t hash);

void map_init(struct map *self)
{
    *self = (struct map){NULL, 0, 0};
}

void map_deinit(struct map *self)
{
    free(self->chains);
    map_init(self);
}

bool map_reserve(struct map *self, size_t count)
{
    size_t chain_count = self->chain_count < CHAINS_MIN ? CHAINS_MIN : self->chain_count;

    if (count > SIZE_MAX / 4 / sizeof *self->chains - self->count)
        return false;
    while (chain_count < self->count + count)
        chain_count *= 2;
    return chain_count == self->chain_count || rehash(self, chain_count);
}

void map_insert(struct map *self, struct map_node *node, uint64_t hash)
{
    struct map_node **chain;

    ASSERT(self->count < self->chain_count);
    chain = chain_of(self, hash);
    node->hash = hash;
    node->next = *chain;
    *chain = node;
    self->count++;
}

void map_remove(struct map *self, struct map_node *node)
{
    struct map_node **link = chain_of(self, node->hash);

    while (*link != node) {
        ASSERT(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    self->count--;
}

struct map_node *map_first_of(const struct map *self, uint64_t hash)
{
    struct map_node *node;

    if (self->count == 0)
        return NULL;
    node = *chain_of(self, hash);
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

struct map_node *map_next_of(const struct map_node *node)
{
    struct map_node *next = node->next;

    while (next != NULL && next->hash != node->hash)
        next = next->next;
    return next;
}

struct map_node *map_next(const struct map *self, const struct map_node *node)
{
    size_t chain = 0;

    if (node != NULL && node->next != NULL)
        return node->next;
    if (node != NULL)
        chain = (size_t)(node->hash & (self->chain_count - 1)) + 1;
    for (; chain < self->chain_count; chain++) {
        if (self->chains[chain] != NULL)
            return self->chains[chain];
    }
    return NULL;
}

static bool rehash(struct map *self, size_t chain_count)
{
    struct map bigger = {calloc(chain_count, sizeof(struct map_node *)), chain_count, 0};

    if (bigger.chains == NULL)
        return false;
    for (size_t i = 0; i < self->chain_count; i++) {
        struct map_node *node = self->chains[i];

        while (node != NULL) {
            struct map_node *next = node->next;

            map_insert(&bigger, node, node->hash);
            node = next;
        }
    }
    free(self->chains);
    *self = bigger;
    return true;
}

static struct map_node **chain_of(const struct map *self, uint64_t hash)
{
    ASSERT(self->chain_count > 0);
    return &self->chains[hash & (self->chain_count - 1)];
}

__extension__ typedef unsigned __int128 uint128;

/* Odd, half of the bits set, drawn at random. */
#define HASH_ONE UINT64_C(0xd1b54a32d192ed03)
#define HASH_TWO UINT64_C(0x8f462907f5a9c7b5)

static uint64_t seed; /* written by hash_seed before other threads run */

static uint64_t fold(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Up to 8 bytes as a number. */
static uint64_t load(const uint8_t *at, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, at, size);
    return value;
}

void hash_seed(uint64_t value)
{
    seed = value;
}

uint64_t hash_bytes(struct slice data)
{
    uint64_t state = seed ^ HASH_ONE;
    const uint8_t *at = data.data;
    size_t left = data.size;

    for (; left >= 8; left -= 8, at += 8)
        state = fold(state ^ load(at, 8), HASH_TWO);
    if (left > 0)
        state = fold(state ^ load(at, left), HASH_TWO);
    return fold(state ^ data.size, HASH_ONE);
}

uint64_t hash_u64(uint64_t value)
{
    return fold(fold(value ^ seed ^ HASH_ONE, HASH_TWO), HASH_ONE);
}
