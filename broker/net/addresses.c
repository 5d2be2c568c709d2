/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addresses.c -- how many connections each address has.
 *
 * Only addresses that have one are kept, so --max-connections bounds these too.
 */
#include "net/addresses.h"

#include <stdlib.h>

struct addresses *addresses_new(int64_t connections_max)
{
    struct addresses *self = calloc(1, sizeof *self);

    if (self == NULL)
        return NULL;
    self->connections_max = connections_max;
    pthread_mutex_init(&self->mutex, NULL);
    ledger_init(&self->ledger, sizeof(struct ledger_entry), 0);
    return self;
}

void addresses_free(struct addresses *self)
{
    if (self == NULL)
        return;
    ledger_deinit(&self->ledger);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

struct ledger_entry *addresses_enter(struct addresses *self, struct slice address)
{
    struct ledger_entry *entry;

    pthread_mutex_lock(&self->mutex);
    entry = ledger_take(&self->ledger, address);
    if (entry != NULL && entry->users > self->connections_max) {
        ledger_give_back(&self->ledger, entry);
        entry = NULL;
    }
    pthread_mutex_unlock(&self->mutex);
    return entry;
}

void addresses_leave(struct addresses *self, struct ledger_entry *entry)
{
    pthread_mutex_lock(&self->mutex);
    ledger_give_back(&self->ledger, entry);
    pthread_mutex_unlock(&self->mutex);
}
