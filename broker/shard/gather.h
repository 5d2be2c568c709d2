/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.h -- how long a batch waits for company. The model is in gather.c.
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
    size_t answered; /* calls that the last batch answered */
    size_t waiting;  /* calls that had come by its end */
    int64_t most_ns; /* the next batch begins at most so long after that end */
    unsigned skips;  /* so many batches more begin without waiting */
    unsigned skips_next;
};

/* A batch has ended: how many calls it answered, how many others wait, how long it took. */
void gather_batch_ended(struct gather *self, size_t answered, size_t waiting, int64_t took_ns);
/* Whether the next batch had better wait, until how many calls wait and for how long at most.
 * Asked once after each batch; if true, gather_waited follows. */
bool gather_wants(struct gather *self, size_t *ret_calls, int64_t *ret_most_ns);
/* The wait is over, with so many calls there. */
void gather_waited(struct gather *self, size_t waiting);

#endif
