/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chance.h -- all that chance decides in a simulation: a stream of numbers made from its seed.
 */
#ifndef ACKD_TESTS_SIM_CHANCE_H
#define ACKD_TESTS_SIM_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

/* splitmix64 */
static inline uint64_t chance_draw(struct chance *self)
{
    uint64_t bits = self->state += UINT64_C(0x9e3779b97f4a7c15);

    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

/* 0 .. bound - 1 */
static inline int chance_below(struct chance *self, int bound)
{
    return (int)(chance_draw(self) % (uint64_t)bound);
}

/* from .. to, both included */
static inline int chance_between(struct chance *self, int from, int to)
{
    return from + chance_below(self, to - from + 1);
}

static inline bool chance_percent(struct chance *self, int percent)
{
    return chance_below(self, 100) < percent;
}

#endif
