/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h -- time as a value that is passed in.
 *
 * Rules and shards never ask the machine what time it is: they are given a `struct clock`, which
 * tests and the simulator replace. The real clock is the wall clock at start plus the monotonic
 * time since, so that setting the machine's clock neither expires leases nor freezes them.
 */
#ifndef ACKD_BASE_CLOCK_H
#define ACKD_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*now_ms)(void *context); /* ms since the Unix epoch, never going back */
    void *context;
};

static inline int64_t clock_now_ms(const struct clock *self)
{
    return self->now_ms(self->context);
}

/* The machine's; thread-safe. */
struct clock clock_real(void);
/* The machine's wall clock as it is now, for log lines. */
int64_t clock_wall_ms(void);
/* For how long something took: never going back, from anywhere on. */
int64_t clock_monotonic_ns(void);
int64_t clock_monotonic_ms(void);

#endif
