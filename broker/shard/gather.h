/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.h -- how long a batch stays open for company. The model is in gather.c.
 *
 * Values in, values out: no clock, no lock, no thread of its own.
 */
#ifndef ACKD_SHARD_GATHER_H
#define ACKD_SHARD_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeroes at first. */
struct gather {
    size_t wanted; /* calls that the batch under way is open for; 0: for none */
    size_t came;   /* calls that it took */
    size_t step;   /* calls that it takes at a time */
    int64_t until_ns;
    size_t answered; /* by the batch before */
    size_t waiting;  /* at its end */
    unsigned skips;  /* so many batches more are not open */
    unsigned skips_next;
};

/* A batch that has ended. */
struct gather_batch {
    size_t answered; /* calls */
    size_t waiting;  /* calls that had come by its end */
    int64_t begun_ns;
    int64_t ended_ns;
    int64_t gather_ns; /* of this time: waited for calls */
    int64_t commit_ns; /* of this time: committed */
};

/* After the batch `last`: decides whether the next one is open. */
void gather_begin(struct gather *self, const struct gather_batch *last);
/* How many calls had better be there before the batch goes on; 0: it waits for none. */
size_t gather_next(const struct gather *self);
/* The batch takes so many calls. */
void gather_take(struct gather *self, size_t calls);
/* The batch takes no more. */
void gather_end(struct gather *self);

#endif
