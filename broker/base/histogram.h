/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.h -- how often values fell between fixed bounds, and their sum.
 *
 * Adding is a walk over at most HISTOGRAM_BOUNDS_MAX bounds and two additions; nothing is
 * allocated. A histogram belongs to one thread; who else wants to read it is given a copy.
 */
#ifndef ACKD_BASE_HISTOGRAM_H
#define ACKD_BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 16

/* Rising; a value that equals a bound counts below it. */
struct histogram_scale {
    size_t count;
    int64_t bounds[HISTOGRAM_BOUNDS_MAX];
};

struct histogram {
    int64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* each bound's own; the last: above all bounds */
    int64_t sum;
};

static inline void histogram_add(struct histogram *self, const struct histogram_scale *scale,
                                 int64_t value)
{
    size_t at = 0;

    while (at < scale->count && value > scale->bounds[at])
        at++;
    self->counts[at < scale->count ? at : HISTOGRAM_BOUNDS_MAX]++;
    self->sum += value;
}

#endif
