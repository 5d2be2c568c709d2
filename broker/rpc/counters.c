/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.c -- sums over what the faces count.
 */
#include "rpc/counters.h"

void counters_sum(const struct counters *self, int64_t *ret_requests, int64_t *ret_refused)
{
    int64_t refused = counter_get(&self->http_refused);
    int64_t fine = 0;

    for (int row = 0; row <= METHOD_COUNT; row++) {
        fine += counter_get(&self->requests[row][STATUS_OK]);
        for (int status = STATUS_OK + 1; status < STATUS_COUNT; status++)
            refused += counter_get(&self->requests[row][status]);
    }
    *ret_requests = fine + refused;
    *ret_refused = refused;
}
