/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.c -- the defaults of the limits' table.
 */
#include "core/limits.h"

struct limits limits_default(void)
{
    return (struct limits)
    {
#define X(name, flag, unit, min, max, fallback, text) .name = fallback,
        LIMITS_TABLE(X)
#undef X
    };
}
