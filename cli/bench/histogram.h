/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.h -- how long things took: durations counted in buckets of at most 1.6 % width, so that
 * a percentile of any number of them costs the same memory.
 */
#ifndef ACKD_CLI_BENCH_HISTOGRAM_H
#define ACKD_CLI_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_FINE_BITS 6
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_FINE_BITS + 1) << HISTOGRAM_FINE_BITS)

/* Zeroed it is empty. */
struct histogram {
    int64_t count;
    int64_t max_ns;
    int64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *self);
void histogram_add(struct histogram *self, int64_t ns);
/* What `part` (0 .. 1) of all stayed within; 0 of none. */
int64_t histogram_percentile_ns(const struct histogram *self, double part);

#endif
