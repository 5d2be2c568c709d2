/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known.c -- callers that were checked before.
 */
#include "auth/known.h"

#include <stdlib.h>

struct entry {
    struct map_node by_hash;
    struct list link; /* in oldest_first */
    struct secret_hash hash;
    int64_t until_ms;
    struct principal *principal;
};

static void drop(struct known *self, struct entry *entry);

void known_init(struct known *self)
{
    pthread_mutex_init(&self->lock, NULL);
    map_init(&self->by_hash);
    list_init(&self->oldest_first);
    self->age = 0;
}

void known_deinit(struct known *self)
{
    known_forget(self);
    map_deinit(&self->by_hash);
    pthread_mutex_destroy(&self->lock);
}

/* SHA-256 is a hash already, but one that a caller may choose: the map's is seeded. */
static uint64_t spread(const struct secret_hash *hash)
{
    return hash_bytes(slice_of(hash->bytes, sizeof hash->bytes));
}

static struct entry *find(const struct known *self, const struct secret_hash *hash)
{
    for (struct map_node *node = map_first_of(&self->by_hash, spread(hash)); node != NULL;
         node = map_next_of(node)) {
        struct entry *entry = CONTAINER_OF(node, struct entry, by_hash);

        if (secret_equal(&entry->hash, hash))
            return entry;
    }
    return NULL;
}

struct principal *known_find(struct known *self, const struct secret_hash *hash, int64_t now_ms)
{
    struct principal *principal = NULL;
    struct entry *entry;

    pthread_mutex_lock(&self->lock);
    entry = find(self, hash);
    if (entry != NULL && now_ms < entry->until_ms)
        principal = principal_ref(entry->principal);
    else if (entry != NULL)
        drop(self, entry);
    pthread_mutex_unlock(&self->lock);
    return principal;
}

uint64_t known_age(struct known *self)
{
    uint64_t age;

    pthread_mutex_lock(&self->lock);
    age = self->age;
    pthread_mutex_unlock(&self->lock);
    return age;
}

static struct entry *entry_new(const struct secret_hash *hash, struct principal *principal,
                               int64_t until_ms)
{
    struct entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return NULL;
    entry->hash = *hash;
    entry->until_ms = until_ms;
    entry->principal = principal_ref(principal);
    return entry;
}

/* Without memory nothing is remembered: the next request is checked again. */
static void add(struct known *self, const struct secret_hash *hash, struct principal *principal,
                int64_t until_ms)
{
    struct entry *entry;

    if (self->by_hash.count >= KNOWN_MAX)
        drop(self, CONTAINER_OF(self->oldest_first.next, struct entry, link));
    if (!map_reserve(&self->by_hash, 1) || (entry = entry_new(hash, principal, until_ms)) == NULL)
        return;
    map_insert(&self->by_hash, &entry->by_hash, spread(hash));
    list_append(&self->oldest_first, &entry->link);
}

void known_add(struct known *self, const struct secret_hash *hash, struct principal *principal,
               int64_t until_ms, uint64_t age)
{
    pthread_mutex_lock(&self->lock);
    if (age == self->age && find(self, hash) == NULL) /* two threads may have checked it at once */
        add(self, hash, principal, until_ms);
    pthread_mutex_unlock(&self->lock);
}

void known_forget(struct known *self)
{
    pthread_mutex_lock(&self->lock);
    self->age++;
    LIST_EACH_SAFE (link, &self->oldest_first)
        drop(self, CONTAINER_OF(link, struct entry, link));
    pthread_mutex_unlock(&self->lock);
}

size_t known_count(struct known *self)
{
    size_t count;

    pthread_mutex_lock(&self->lock);
    count = self->by_hash.count;
    pthread_mutex_unlock(&self->lock);
    return count;
}

static void drop(struct known *self, struct entry *entry)
{
    map_remove(&self->by_hash, &entry->by_hash);
    list_remove(&entry->link);
    principal_release(entry->principal);
    free(entry);
}
