/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.c -- how long a batch waits for company.
 *
 * A flush costs the same for one call as for hundreds, so calls should share it. Load alone shares
 * badly where callers work in a loop, as workers do: those that come while a batch commits make
 * the next batch, during which those just answered come back, and so on. Two groups take turns,
 * each commit carries half of the callers, and each of them waits for two commits.
 *
 *   at once   |-- A --|-- B --|-- A --|-- B --|       a caller's cycle: 2 commits
 *   gathered  |-- A+B --|..|-- A+B --|..|             a caller's cycle: 1 commit, 1 round trip
 *
 * So after a batch the next waits until as many calls are there as were answered or had come by
 * then, but at most as long as the last batch took, and never longer than MOST_NS: where a batch
 * is mostly work, not flush, bringing the callers back takes longer, and two groups that take turns
 * use two cores. Whether a wait pays is learned: where it did not bring at least half of them back,
 * the next batches begin at once, twice as many each time.
 *
 * Who comes while nothing is under way and nobody was answered a moment ago never waits.
 */
#include "shard/gather.h"

#define MOST_NS INT64_C(500000)
#define SKIPS_MAX 128

void gather_batch_ended(struct gather *self, size_t answered, size_t waiting, int64_t took_ns)
{
    self->answered = answered;
    self->waiting = waiting;
    self->most_ns = took_ns < MOST_NS ? took_ns : MOST_NS;
}

bool gather_wants(struct gather *self, size_t *ret_calls, int64_t *ret_most_ns)
{
    size_t calls = self->answered + self->waiting;
    int64_t most_ns = self->most_ns;

    self->most_ns = 0; /* one wait a batch */
    if (self->answered == 0 || calls < 2 || most_ns == 0)
        return false;
    if (self->skips > 0) {
        self->skips--;
        return false;
    }
    *ret_calls = calls;
    *ret_most_ns = most_ns;
    return true;
}

void gather_waited(struct gather *self, size_t waiting)
{
    size_t came = waiting - self->waiting;

    if (came * 2 >= self->answered) {
        self->skips_next = 0;
        return;
    }
    self->skips_next = self->skips_next == 0 ? 1 : self->skips_next * 2;
    if (self->skips_next > SKIPS_MAX)
        self->skips_next = SKIPS_MAX;
    self->skips = self->skips_next;
}
