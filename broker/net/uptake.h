/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uptake.h -- how fast a client takes what it asked for.
 *
 * Begun when a reply gets stuck, looked at each time its deadline has come. A client that takes
 * nothing for a whole timeout is left; so is one that, beyond a timeout's grace, takes less than
 * 1 KiB/s: a byte now and then would else hold a reply for ever.
 */
#ifndef ACKD_NET_UPTAKE_H
#define ACKD_NET_UPTAKE_H

#include <stdint.h>

struct uptake {
    int64_t begun_ms;     /* when something got stuck */
    uint64_t begun_bytes; /* taken by then, in all */
    int64_t seen_ms;      /* when it was last fast enough */
    uint64_t seen_bytes;  /* taken by then */
};

void uptake_begin(struct uptake *self, uint64_t taken_bytes, int64_t now_ms);
/* When to look. */
int64_t uptake_deadline(const struct uptake *self, int64_t timeout_ms);
/* Moves the deadline if the client is fast enough. */
void uptake_look(struct uptake *self, uint64_t taken_bytes, int64_t now_ms, int64_t timeout_ms);

#endif
