/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff.h -- how long to wait before the next try: doubling between two bounds, with jitter, so
 * that a fleet does not come back all at the same moment. What the other side asked for comes
 * before that.
 */
#ifndef ACKD_SDK_BACKOFF_H
#define ACKD_SDK_BACKOFF_H

#include <stdint.h>
#include <sys/random.h>

struct backoff {
    int64_t next_ms;  /* 0: nothing failed yet */
    int64_t asked_ms; /* by who refused last (Retry-After), for the next delay alone */
};

static inline void backoff_reset(struct backoff *self)
{
    *self = (struct backoff){0};
}

/* The delay now: what was asked for, and between half of it and the whole. The next one is twice as
 * long. */
static inline int64_t backoff_next_ms(struct backoff *self, int64_t min_ms, int64_t max_ms)
{
    int64_t whole_ms = self->next_ms < min_ms ? min_ms : self->next_ms;
    int64_t asked_ms = self->asked_ms;
    uint32_t random = 0;

    if (whole_ms > max_ms)
        whole_ms = max_ms;
    self->next_ms = whole_ms * 2;
    self->asked_ms = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = 0; /* no jitter then */
    return asked_ms + whole_ms / 2 + (int64_t)random % (whole_ms / 2 + 1);
}

#endif
