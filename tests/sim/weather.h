/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weather.h -- what may go wrong in a simulation, and how often. Each seed draws its own: some
 * kinds of trouble not at all, others much, so that they meet in all mixtures. `weather_calm` ends
 * all of it.
 */
#ifndef ACKD_TESTS_SIM_WEATHER_H
#define ACKD_TESTS_SIM_WEATHER_H

#include "chance.h"

struct weather {
    /* of a hundred messages */
    int lose_percent;
    int double_percent;
    int slow_percent;
    int delay_ms_max;
    int half_open_percent; /* a client goes, and the broker never hears of it */

    /* of a hundred batches */
    int full_percent;  /* a write or the commit finds no room */
    int death_percent; /* the broker dies, or its disk fails, at some call of the store */
    int slow_commit_percent;
    int open_percent; /* calls come while the batch runs, and join it */

    /* of a hundred gusts, about one in 10 s */
    int crash_percent; /* between two batches */
    int restart_percent;
    int leap_percent;    /* the machine stands still; its clocks leap */
    int set_percent;     /* somebody sets the wall clock */
    int squeeze_percent; /* the disk is small for a while */

    bool tiny_limits;
    bool back; /* the wall clock may be set back, so that a restarted broker is in its own past */
};

/* Whether tasks may outlive their time here. Where the clock is set back, or where the store may
 * be full at any try to serve a waiter, it is not to be told when exactly they do. */
static inline bool weather_allows_ttl(const struct weather *self)
{
    return !self->back && self->full_percent == 0 && self->squeeze_percent == 0;
}

struct weather weather_draw(struct chance *chance);
struct weather weather_calm(void);

#endif
