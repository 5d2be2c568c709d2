/* SPDX-License-Identifier: Apache-2.0 */
/*
 * algorithm.h -- the signatures that are believed, and the keys that each takes.
 *
 * Only public-key ones: with a secret shared by issuer and broker, whoever can check a token could
 * make one. A key is for one type, so that none is used as what it is not.
 */
#ifndef ACKD_AUTH_ALGORITHM_H
#define ACKD_AUTH_ALGORITHM_H

#include <stdbool.h>

#define ALGORITHM_TABLE(X)                                                                         \
    /* name, the key's type, its curve */                                                          \
    X(RS256, "RSA", NULL)                                                                          \
    X(RS384, "RSA", NULL)                                                                          \
    X(RS512, "RSA", NULL)                                                                          \
    X(PS256, "RSA", NULL)                                                                          \
    X(PS384, "RSA", NULL)                                                                          \
    X(PS512, "RSA", NULL)                                                                          \
    X(ES256, "EC", "P-256")                                                                        \
    X(ES384, "EC", "P-384")                                                                        \
    X(ES512, "EC", "P-521")

enum algorithm {
#define X(name, type, curve) ALGORITHM_##name,
    ALGORITHM_TABLE(X)
#undef X
        ALGORITHM_COUNT
};

#define ALGORITHM_NAMES "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512"

/* False: it is none of those above. */
bool algorithm_of(const char *name, enum algorithm *ret_algorithm);
const char *algorithm_name(enum algorithm algorithm);
/* Whether a key of this type, and on this curve (or NULL), is one for it. */
bool algorithm_takes(enum algorithm algorithm, const char *key_type, const char *curve);

#endif
