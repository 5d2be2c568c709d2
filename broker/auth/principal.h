/* SPDX-License-Identifier: Apache-2.0 */
/*
 * principal.h -- who calls, once the broker knows: a name, and what it may do.
 *
 * Counted, since calls in flight outlive a token that is revoked and a key that is rotated. Never
 * changed once others can see it, so any thread may read one that it holds.
 */
#ifndef ACKD_AUTH_PRINCIPAL_H
#define ACKD_AUTH_PRINCIPAL_H

#include <stdatomic.h>

#include "auth/secret.h"
#include "core/grant.h"

#define PRINCIPAL_NAME_BYTES_MAX 512

enum principal_kind { PRINCIPAL_TOKEN, PRINCIPAL_JWT, PRINCIPAL_CERTIFICATE };

struct principal {
    atomic_int references;
    enum principal_kind kind;
    char name[PRINCIPAL_NAME_BYTES_MAX + 1]; /* for logs: "token:ingest", "jwt:SUBJECT" */
    char token_id[SECRET_KEY_BYTES + 1];     /* of a token, else empty. Set by its maker */
    int64_t expires_ms; /* what it showed ends then; 0: never, or not known. Set by its maker */
    size_t grant_count;
    struct grant grants[];
};

/* Copies the grants; the name is cut to fit. One reference, the caller's. NULL: no memory. */
struct principal *principal_new(enum principal_kind kind, const char *name,
                                const struct grant *grants, size_t grant_count);
struct principal *principal_ref(struct principal *self);
/* NULL is nothing. */
void principal_release(struct principal *self);

#endif
