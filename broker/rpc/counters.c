/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.c -- sums over what the faces count.
 */
#include "rpc/counters.h"

#include "service/service.h"

const char *limited_name(enum limited limited)
{
    static const char *const names[] = {
#define X(name) [LIMITED_##name] = #name,
        LIMITED_TABLE(X)
#undef X
    };

    return names[limited];
}

void counters_sum(const struct counters *self, struct face_stats *ret)
{
    *ret = (struct face_stats){
        .connections = counter_get(&self->connections),
        .refusals[STATUS_MALFORMED] = counter_get(&self->http_refused),
    };
    for (int row = 0; row <= METHOD_COUNT; row++) {
        ret->requests += counter_get(&self->requests[row][STATUS_OK]);
        for (int status = STATUS_OK + 1; status < STATUS_COUNT; status++)
            ret->refusals[status] += counter_get(&self->requests[row][status]);
    }
    for (int status = STATUS_OK + 1; status < STATUS_COUNT; status++)
        ret->refused += ret->refusals[status];
    ret->requests += ret->refused;
}
