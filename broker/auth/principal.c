/* SPDX-License-Identifier: Apache-2.0 */
/*
 * principal.c -- who calls, once the broker knows.
 */
#include "auth/principal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct principal *principal_new(enum principal_kind kind, const char *name,
                                const struct grant *grants, size_t grant_count)
{
    static const char *const kinds[] = {"token", "jwt", "certificate"};
    struct principal *self = calloc(1, sizeof *self + grant_count * sizeof *grants);

    if (self == NULL)
        return NULL;
    atomic_init(&self->references, 1);
    self->kind = kind;
    snprintf(self->name, sizeof self->name, "%s:%s", kinds[kind], name);
    self->grant_count = grant_count;
    if (grant_count > 0)
        memcpy(self->grants, grants, grant_count * sizeof *grants);
    return self;
}

struct principal *principal_ref(struct principal *self)
{
    atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
    return self;
}

void principal_release(struct principal *self)
{
    int before;

    if (self == NULL)
        return;
    before = atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        free(self);
}
