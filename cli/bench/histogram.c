/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.c -- durations in buckets: each power of two is parted in 64 equal ones.
 */
#include "cli/bench/histogram.h"

#include <math.h>
#include <string.h>

#define FINE (INT64_C(1) << HISTOGRAM_FINE_BITS)

void histogram_clear(struct histogram *self)
{
    memset(self, 0, sizeof *self);
}

/* Below 2 * FINE each value has its own bucket. */
static int bucket_of(int64_t ns)
{
    int shift;

    if (ns < FINE)
        return (int)(ns < 0 ? 0 : ns);
    shift = 63 - __builtin_clzll((unsigned long long)ns) - HISTOGRAM_FINE_BITS;
    return (int)((int64_t)shift * FINE + (ns >> shift));
}

/* The largest value that falls in the bucket. */
static int64_t bucket_end_ns(int bucket)
{
    int shift = (int)(bucket / FINE) - 1;

    if (shift <= 0)
        return bucket;
    /* Unsigned: the end of the last bucket is 2^63. */
    return (int64_t)(((uint64_t)(bucket - shift * FINE + 1) << shift) - 1);
}

void histogram_add(struct histogram *self, int64_t ns)
{
    self->count++;
    self->buckets[bucket_of(ns)]++;
    if (ns > self->max_ns)
        self->max_ns = ns;
}

int64_t histogram_percentile_ns(const struct histogram *self, double part)
{
    int64_t wanted = (int64_t)ceil(part * (double)self->count);
    int64_t seen = 0;

    for (int i = 0; i < HISTOGRAM_BUCKETS && wanted > 0; i++) {
        seen += self->buckets[i];
        if (seen >= wanted)
            return bucket_end_ns(i) < self->max_ns ? bucket_end_ns(i) : self->max_ns;
    }
    return self->max_ns;
}
