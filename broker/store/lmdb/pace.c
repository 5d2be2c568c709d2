/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace.c -- arithmetic of bytes and time; the story is in the header.
 */
#include "store/lmdb/pace.h"

#define NS_PER_S 1e9

struct pace pace_of(uint64_t bytes_per_s, uint64_t size, uint64_t room)
{
    return (struct pace){
        .bytes_per_s = bytes_per_s,
        .hurry_bytes = size / 4 < room / 8 ? size / 4 : room / 8,
        .growth_bytes = room / 4,
    };
}

int64_t pace_wait_ns(const struct pace *self, uint64_t copied, uint64_t grown, int64_t elapsed_ns)
{
    int64_t due_ns;

    if (self->bytes_per_s == 0 || grown >= self->hurry_bytes)
        return 0;
    due_ns = (int64_t)((double)copied / (double)self->bytes_per_s * NS_PER_S);
    return due_ns > elapsed_ns ? due_ns - elapsed_ns : 0;
}

bool pace_gives_up(const struct pace *self, uint64_t grown)
{
    return grown > self->growth_bytes;
}
