/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.c -- what is kept of each of many names.
 */
#include "base/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static struct ledger_entry *make_entry(struct ledger *self, struct slice name);
static void drop_oldest(struct ledger *self);

void ledger_init(struct ledger *self, size_t entry_size, size_t idle_max)
{
    ASSERT(entry_size >= sizeof(struct ledger_entry));
    *self = (struct ledger){.entry_size = entry_size, .idle_max = idle_max};
    map_init(&self->map);
    list_init(&self->idle);
}

static struct ledger_entry *entry_of(struct map_node *node)
{
    return node == NULL ? NULL : CONTAINER_OF(node, struct ledger_entry, node);
}

void ledger_deinit(struct ledger *self)
{
    struct map_node *node = map_next(&self->map, NULL);

    while (node != NULL) {
        struct ledger_entry *entry = entry_of(node);

        node = map_next(&self->map, node);
        map_remove(&self->map, &entry->node);
        free(entry);
    }
    map_deinit(&self->map);
    list_init(&self->idle);
    self->idle_count = 0;
}

struct ledger_entry *ledger_find(const struct ledger *self, struct slice name)
{
    struct map_node *node = map_first_of(&self->map, hash_bytes(name));

    while (node != NULL && !slice_equal(entry_of(node)->name, name))
        node = map_next_of(node);
    return entry_of(node);
}

struct ledger_entry *ledger_take(struct ledger *self, struct slice name)
{
    struct ledger_entry *entry = ledger_find(self, name);

    if (entry == NULL)
        entry = make_entry(self, name);
    else if (entry->users == 0) {
        list_remove(&entry->link);
        self->idle_count--;
    }
    if (entry != NULL)
        entry->users++;
    return entry;
}

static struct ledger_entry *make_entry(struct ledger *self, struct slice name)
{
    struct ledger_entry *entry = NULL;
    char *text;

    if (map_reserve(&self->map, 1))
        entry = calloc(1, self->entry_size + name.size + 1);
    if (entry == NULL)
        return NULL;
    text = (char *)entry + self->entry_size;
    if (name.size > 0)
        memcpy(text, name.data, name.size);
    entry->name = slice_of(text, name.size);
    list_init(&entry->link);
    map_insert(&self->map, &entry->node, hash_bytes(name));
    return entry;
}

void ledger_give_back(struct ledger *self, struct ledger_entry *entry)
{
    ASSERT(entry->users > 0);
    if (--entry->users > 0)
        return;
    list_append(&self->idle, &entry->link);
    if (++self->idle_count > self->idle_max)
        drop_oldest(self);
}

static void drop_oldest(struct ledger *self)
{
    struct ledger_entry *entry =
        CONTAINER_OF(list_take_first(&self->idle), struct ledger_entry, link);

    self->idle_count--;
    map_remove(&self->map, &entry->node);
    free(entry);
}
