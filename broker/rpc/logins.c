/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logins.c -- the refused logins of each address.
 */
#include "rpc/logins.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/ledger.h"

#define ADDRESSES_KEPT 4096
#define FREE 5
#define COUNTED_MAX 15 /* forgiven within 100 s of quiet */
#define FORGIVEN_MS 10000
#define HOLD_MS_MIN 125
#define HOLD_MS_MAX 2000

struct address {
    struct ledger_entry entry;
    int64_t weight_ms; /* of its refusals: FORGIVEN_MS each, less the time since */
    int64_t at_ms;
};

struct logins {
    pthread_mutex_t mutex;
    struct ledger ledger; /* mutex, like all that is in it */
};

struct logins *logins_new(void)
{
    struct logins *self = calloc(1, sizeof *self);

    if (self == NULL)
        return NULL;
    pthread_mutex_init(&self->mutex, NULL);
    ledger_init(&self->ledger, sizeof(struct address), ADDRESSES_KEPT);
    return self;
}

void logins_free(struct logins *self)
{
    if (self == NULL)
        return;
    ledger_deinit(&self->ledger);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

/* How many refusals it has by now, with this one. */
static int64_t count(struct address *address, int64_t now_ms)
{
    int64_t weight_ms = address->weight_ms - (now_ms - address->at_ms);

    if (weight_ms < 0)
        weight_ms = 0;
    weight_ms += FORGIVEN_MS;
    if (weight_ms > COUNTED_MAX * FORGIVEN_MS)
        weight_ms = COUNTED_MAX * FORGIVEN_MS;
    address->weight_ms = weight_ms;
    address->at_ms = now_ms;
    return (weight_ms + FORGIVEN_MS - 1) / FORGIVEN_MS;
}

static int64_t hold_of(int64_t refusals)
{
    int64_t hold_ms = HOLD_MS_MIN;

    if (refusals <= FREE)
        return 0;
    for (int64_t i = FREE + 1; i < refusals && hold_ms < HOLD_MS_MAX; i++)
        hold_ms *= 2;
    return hold_ms;
}

int64_t logins_refuse(struct logins *self, struct slice address, int64_t now_ms)
{
    struct address *found;
    int64_t hold_ms = HOLD_MS_MAX; /* no memory */

    pthread_mutex_lock(&self->mutex);
    found = (struct address *)(void *)ledger_take(&self->ledger, address);
    if (found != NULL) {
        hold_ms = hold_of(count(found, now_ms));
        ledger_give_back(&self->ledger, &found->entry);
    }
    pthread_mutex_unlock(&self->mutex);
    return hold_ms;
}
