/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unthreaded.c -- the shards that were started, in a list.
 */
#include "unthreaded.h"

#include "fuzz.h"
#include "shard/state.h"

static struct shard *shards[SHARDS_MAX];
static int shard_count;

enum status shard_start(struct shard *self)
{
    CHECK(shard_count < SHARDS_MAX);
    shards[shard_count++] = self;
    return STATUS_OK;
}

bool unthreaded_step(void)
{
    bool busy = false;

    for (int i = 0; i < shard_count; i++)
        busy |= shard_step(shards[i]);
    return busy;
}

/* As the end of a shard's thread: what was sent is finished, and nobody waits any more. */
void shard_stop(struct shard *self)
{
    for (int i = 0; i < shard_count; i++) {
        if (shards[i] != self)
            continue;
        while (shard_step(self))
            ;
        wait_drain(self);
        shard_step(self);
        self->stopped = true;
        shards[i] = shards[--shard_count];
        return;
    }
}
