/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bucket.h -- a token bucket: so much a second, and a second's worth at once.
 *
 * What is taken may be more than there is: then it is in debt, and full again later. Debts are
 * bounded to a minute's worth, so that one large thing does not shut its owner out for hours.
 * Levels are in thousandths. A zeroed bucket is full. No locks.
 */
#ifndef ACKD_BASE_BUCKET_H
#define ACKD_BASE_BUCKET_H

#include <stdint.h>

#define BUCKET_DEBT_S 60

struct bucket {
    int64_t taken; /* in thousandths: 0 is full, a second's worth is empty, more is a debt */
    int64_t at_ms;
};

/* Lets flow in what came since the last time. */
static inline void bucket_fill(struct bucket *self, int64_t per_s, int64_t now_ms)
{
    int64_t passed_ms = now_ms - self->at_ms;

    if (passed_ms <= 0)
        return;
    self->at_ms = now_ms;
    if (passed_ms > self->taken / per_s) /* taken / per_s is how many ms make it full */
        self->taken = 0;
    else
        self->taken -= passed_ms * per_s;
}

static inline void bucket_take(struct bucket *self, int64_t per_s, int64_t amount)
{
    int64_t most = per_s * 1000 * (BUCKET_DEBT_S + 1);

    self->taken = amount > (most - self->taken) / 1000 ? most : self->taken + amount * 1000;
}

/* How long until it holds `amount` with a debt of at most `debt_ms`; 0: it does now. */
static inline int64_t bucket_wait_ms(const struct bucket *self, int64_t per_s, int64_t amount,
                                     int64_t debt_ms)
{
    int64_t over = self->taken + amount * 1000 - per_s * (1000 + debt_ms);

    return over <= 0 ? 0 : (over + per_s - 1) / per_s;
}

#endif
