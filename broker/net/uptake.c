/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uptake.c -- how fast a client takes what it asked for.
 */
#include "net/uptake.h"

#define BYTES_PER_MS 1

void uptake_begin(struct uptake *self, uint64_t taken_bytes, int64_t now_ms)
{
    *self = (struct uptake){now_ms, taken_bytes, now_ms, taken_bytes};
}

int64_t uptake_deadline(const struct uptake *self, int64_t timeout_ms)
{
    return self->seen_ms + timeout_ms;
}

void uptake_look(struct uptake *self, uint64_t taken_bytes, int64_t now_ms, int64_t timeout_ms)
{
    int64_t beyond_grace_ms = now_ms - self->begun_ms - timeout_ms;
    int64_t taken = (int64_t)(taken_bytes - self->begun_bytes);

    if (taken_bytes == self->seen_bytes || taken < beyond_grace_ms * BYTES_PER_MS)
        return;
    self->seen_ms = now_ms;
    self->seen_bytes = taken_bytes;
}
