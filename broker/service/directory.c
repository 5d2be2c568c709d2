/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.c -- which shard a queue lives on, where there are several.
 *
 * Filled from the stores at start. A new queue goes to the shard with the fewest. A name is put in
 * before its queue is made, so that two creates of one name meet on one shard; the generation
 * keeps a delete from forgetting a name that was placed again meanwhile. Guarded by a mutex: any
 * face's thread may ask.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "service/internal.h"

struct entry {
    struct map_node node;
    uint64_t generation;
    int shard;
    size_t name_size;
    char name[];
};

struct directory {
    pthread_mutex_t mutex;
    struct map entries;
    int64_t counts[SHARDS_MAX];
};

struct directory *directory_new(void)
{
    struct directory *self = calloc(1, sizeof *self);

    if (self == NULL)
        return NULL;
    pthread_mutex_init(&self->mutex, NULL);
    map_init(&self->entries);
    return self;
}

static void entry_free(struct directory *self, struct entry *entry)
{
    self->counts[entry->shard]--;
    map_remove(&self->entries, &entry->node);
    free(entry);
}

void directory_free(struct directory *self)
{
    struct map_node *node;

    while ((node = map_next(&self->entries, NULL)) != NULL)
        entry_free(self, CONTAINER_OF(node, struct entry, node));
    map_deinit(&self->entries);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static struct entry *find(struct directory *self, struct slice name)
{
    for (struct map_node *node = map_first_of(&self->entries, hash_bytes(name)); node != NULL;
         node = map_next_of(node)) {
        struct entry *entry = CONTAINER_OF(node, struct entry, node);

        if (slice_equal(slice_of(entry->name, entry->name_size), name))
            return entry;
    }
    return NULL;
}

static struct entry *add(struct directory *self, struct slice name, int shard)
{
    struct entry *entry = malloc(sizeof *entry + name.size);

    if (entry == NULL || !map_reserve(&self->entries, 1)) {
        free(entry);
        return NULL;
    }
    entry->generation = 0;
    entry->shard = shard;
    entry->name_size = name.size;
    memcpy(entry->name, name.data, name.size);
    map_insert(&self->entries, &entry->node, hash_bytes(name));
    self->counts[shard]++;
    return entry;
}

static int fewest(const struct directory *self, int shard_count)
{
    int best = 0;

    for (int i = 1; i < shard_count; i++)
        if (self->counts[i] < self->counts[best])
            best = i;
    return best;
}

int directory_find(struct directory *self, struct slice name)
{
    struct entry *entry;
    int shard;

    pthread_mutex_lock(&self->mutex);
    entry = find(self, name);
    shard = entry == NULL ? -1 : entry->shard;
    pthread_mutex_unlock(&self->mutex);
    return shard;
}

int directory_place(struct directory *self, struct slice name, int shard_count)
{
    struct entry *entry;
    int shard = -1;

    pthread_mutex_lock(&self->mutex);
    entry = find(self, name);
    if (entry == NULL)
        entry = add(self, name, fewest(self, shard_count));
    if (entry != NULL) {
        entry->generation++;
        shard = entry->shard;
    }
    pthread_mutex_unlock(&self->mutex);
    return shard;
}

bool directory_put(struct directory *self, struct slice name, int shard)
{
    bool added;

    pthread_mutex_lock(&self->mutex);
    added = add(self, name, shard) != NULL;
    pthread_mutex_unlock(&self->mutex);
    return added;
}

uint64_t directory_generation(struct directory *self, struct slice name)
{
    struct entry *entry;
    uint64_t generation;

    pthread_mutex_lock(&self->mutex);
    entry = find(self, name);
    generation = entry == NULL ? 0 : entry->generation;
    pthread_mutex_unlock(&self->mutex);
    return generation;
}

void directory_remove(struct directory *self, struct slice name, uint64_t generation)
{
    struct entry *entry;

    pthread_mutex_lock(&self->mutex);
    entry = find(self, name);
    if (entry != NULL && entry->generation == generation)
        entry_free(self, entry);
    pthread_mutex_unlock(&self->mutex);
}
