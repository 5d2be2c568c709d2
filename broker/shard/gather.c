/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.c -- how long a batch stays open for company.
 *
 * A flush costs the same for one call as for hundreds, so calls should share it. Load alone shares
 * badly where callers work in a loop, as workers do: those that come while a batch commits make
 * the next batch, during which those just answered come back, and so on. Two groups take turns,
 * each commit carries half of the callers, and each of them waits for two commits.
 *
 *   at once   |-- A --|-- B --|-- A --|-- B --|       a caller's cycle: 2 commits
 *   gathered  |..A+B --|..A+B --|..A+B --|            a caller's cycle: 1 commit, 1 round trip
 *
 * So a batch that follows another is open until as many calls came as were answered or had come by
 * then, but at most one and a half times as long as that one took, and never longer than MOST_NS.
 * Meanwhile it runs what has come, a half at a time: the work of the first is done while the last
 * are still on their way, and to wake up for each of many would cost more than it gains.
 *
 * Where a batch has long work besides its commit, bringing the callers back takes longer than it
 * may be open, and two groups that take turns use two cores. Such a batch begins when all are there
 * or the time is over, and then takes no more.
 *
 * Whether being open pays is learned: where it did not bring at least half of them back, the next
 * batches are not, twice as many each time.
 *
 * Who comes while nothing is under way and nobody was answered a moment ago never waits.
 */
#include "shard/gather.h"

#define MOST_NS INT64_C(500000)
#define LONG_WORK_NS INT64_C(600000)
#define STEPS 2
#define SKIPS_MAX 128

void gather_begin(struct gather *self, const struct gather_batch *last)
{
    size_t calls = last->answered + last->waiting;
    int64_t took_ns = last->ended_ns - last->begun_ns - last->gather_ns;

    self->wanted = 0;
    self->came = 0;
    self->answered = last->answered;
    self->waiting = last->waiting;
    if (last->answered == 0 || calls < 2)
        return;
    if (self->skips > 0) {
        self->skips--;
        return;
    }
    self->wanted = calls;
    self->step = took_ns - last->commit_ns < LONG_WORK_NS ? (calls + STEPS - 1) / STEPS : calls;
    took_ns += took_ns / 2;
    self->until_ns = last->ended_ns + (took_ns < MOST_NS ? took_ns : MOST_NS);
}

size_t gather_next(const struct gather *self)
{
    size_t missing = self->came < self->wanted ? self->wanted - self->came : 0;

    if (self->step == self->wanted && self->came > 0)
        return 0;
    return missing < self->step ? missing : self->step;
}

void gather_take(struct gather *self, size_t calls)
{
    self->came += calls;
}

static void learn(struct gather *self)
{
    size_t back = self->came > self->waiting ? self->came - self->waiting : 0;

    if (back * 2 >= self->answered) {
        self->skips_next = 0;
        return;
    }
    self->skips_next = self->skips_next == 0 ? 1 : self->skips_next * 2;
    if (self->skips_next > SKIPS_MAX)
        self->skips_next = SKIPS_MAX;
    self->skips = self->skips_next;
}

void gather_end(struct gather *self)
{
    if (self->wanted > 0)
        learn(self);
    self->wanted = 0;
}
