/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace.h -- how fast a copy of the store goes, and when it is given up.
 *
 * A copy is one read transaction, and while that lasts no page that writers free can be used
 * again: the file grows by what is written meanwhile, and never shrinks. So going easy on the disk
 * has a price, and there are two bounds on it:
 *
 *   grown by a quarter of the copy, or an eighth of the room     no more waiting
 *   grown by a quarter of the room                               the copy is given up
 *
 * Room is what the map and the disk would let the store grow by once the copy is whole. Pure.
 */
#ifndef ACKD_STORE_LMDB_PACE_H
#define ACKD_STORE_LMDB_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    uint64_t bytes_per_s;  /* 0: without waiting */
    uint64_t hurry_bytes;  /* grown by so much: without waiting */
    uint64_t growth_bytes; /* grown by more: given up */
};

/* Of a copy of `size` bytes. */
struct pace pace_of(uint64_t bytes_per_s, uint64_t size, uint64_t room);
/* How long to wait before the next piece. */
int64_t pace_wait_ns(const struct pace *self, uint64_t copied, uint64_t grown, int64_t elapsed_ns);
bool pace_gives_up(const struct pace *self, uint64_t grown);

#endif
