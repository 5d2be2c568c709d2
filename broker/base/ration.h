/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ration.h -- so many of a thing in ten seconds, and a count of those left out: for lines in logs,
 * of which a scanner or a fleet gone wrong would make thousands.
 */
#ifndef ACKD_BASE_RATION_H
#define ACKD_BASE_RATION_H

#include <stdbool.h>
#include <stdint.h>

#define RATION_MS 10000
#define RATION_MAX 10

struct ration {
    int64_t since_ms;
    int64_t taken;    /* since then */
    int64_t left_out; /* since it was last told; the owner sets it to 0 */
};

/* Whether there is one more; if not it counts as left out. */
static inline bool ration_take(struct ration *self, int64_t now_ms)
{
    if (now_ms - self->since_ms >= RATION_MS) {
        self->since_ms = now_ms;
        self->taken = 0;
    }
    if (self->taken++ < RATION_MAX)
        return true;
    self->left_out++;
    return false;
}

#endif
