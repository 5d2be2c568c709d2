/* SPDX-License-Identifier: Apache-2.0 */
/*
 * algorithm.c -- the signatures that are believed.
 */
#include "auth/algorithm.h"

#include <string.h>

static const struct {
    const char *name;
    const char *key_type;
    const char *curve; /* NULL: the type has none */
} rows[] = {
#define X(name, type, curve) {#name, type, curve},
    ALGORITHM_TABLE(X)
#undef X
};

bool algorithm_of(const char *name, enum algorithm *ret_algorithm)
{
    for (int i = 0; i < ALGORITHM_COUNT; i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        *ret_algorithm = (enum algorithm)i;
        return true;
    }
    return false;
}

const char *algorithm_name(enum algorithm algorithm)
{
    return rows[algorithm].name;
}

bool algorithm_takes(enum algorithm algorithm, const char *key_type, const char *curve)
{
    if (strcmp(rows[algorithm].key_type, key_type) != 0)
        return false;
    return rows[algorithm].curve == NULL ||
           (curve != NULL && strcmp(rows[algorithm].curve, curve) == 0);
}
