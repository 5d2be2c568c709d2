/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt.h -- one JSON Web Token in its compact form (RFC 7515, 7519): taken apart, checked.
 *
 *   jwt_read     header.claims.signature, within bounds. Nothing in it is believed yet: it only
 *                says which issuer's keys to ask, and for which of them.
 *   jwt_is_signed   whether that key made the signature
 *   jwt_check    who it is for, and when
 *
 * What the token itself says about keys (jwk, jku, x5c, x5u) is not looked at, and one with
 * critical extensions (crit) is refused, since none is known here. Pure: time and keys are given.
 */
#ifndef ACKD_AUTH_JWT_H
#define ACKD_AUTH_JWT_H

#include <jansson.h>
#include <stdint.h>

#include "auth/algorithm.h"
#include "base/slice.h"

#define JWT_BYTES_MAX ((size_t)16 << 10)
#define JWT_SUBJECT_BYTES_MAX 480
#define JWT_AUDIENCES_MAX 64

/* Why one is refused: for the log. Callers are told nothing of it. */
#define JWT_VERDICTS(X)                                                                            \
    X(OK, "it is good")                                                                            \
    X(TOO_LARGE, "it is larger than 16 KiB")                                                       \
    X(NOT_COMPACT, "it is not three parts of base64url")                                           \
    X(NOT_JSON, "its header or its claims are no JSON object")                                     \
    X(CRITICAL, "it has critical extensions")                                                      \
    X(NO_ALGORITHM, "its algorithm is none of those that are ever taken")                          \
    X(NO_KEY_ID, "it does not say which key it is signed with (kid)")                              \
    X(NO_ISSUER, "it has no issuer (iss), or one that the config does not name")                   \
    X(NO_KEYS_YET, "the keys of its issuer have not been read yet")                                \
    X(ALGORITHM, "its algorithm is none that the config takes from this issuer")                   \
    X(UNKNOWN_KEY, "its issuer has no key of its ID and type")                                     \
    X(KEY_TO_COME, "its issuer has no such key yet, and its keys are being fetched")               \
    X(SIGNATURE, "the key did not make its signature")                                             \
    X(AUDIENCE, "it is for somebody else (aud)")                                                   \
    X(SUBJECT, "it has no subject (sub), or one too long or not printable")                        \
    X(TIMES, "it has no end (exp), or a time that is none")                                        \
    X(EXPIRED, "it has expired")                                                                   \
    X(NOT_YET, "it is not valid yet (nbf, iat)")                                                   \
    X(NO_MEMORY, "there is no memory for it")

enum jwt_verdict {
#define X(name, sentence) JWT_##name,
    JWT_VERDICTS(X)
#undef X
};

struct jwt {
    json_t *header;
    json_t *claims;
    struct slice parts[3]; /* header, claims and signature as they came; borrowed */
    enum algorithm algorithm;
    const char *key_id;
    const char *issuer;
};

/* Nobody's token to be told: "it has expired". */
const char *jwt_sentence(enum jwt_verdict verdict);

/* `text` must outlive it. jwt_deinit follows whatever the verdict. */
enum jwt_verdict jwt_read(struct jwt *self, struct slice text);
void jwt_deinit(struct jwt *self);
bool jwt_is_signed(const struct jwt *self, const json_t *key);
/* `ret_until_ms`: from then on it is over, the skew included. */
enum jwt_verdict jwt_check(const struct jwt *self, const char *audience, int64_t skew_ms,
                           int64_t now_ms, int64_t *ret_until_ms);
/* After jwt_check. */
const char *jwt_subject(const struct jwt *self);

#endif
