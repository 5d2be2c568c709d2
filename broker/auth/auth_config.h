/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_config.h -- the file of --auth-config: whose word is taken for who somebody is, and what
 * they may do. The format is in SECURITY.md, an example in deploy/auth-config.json.
 *
 * Read strictly, since it decides who gets in: a member that is not known is refused like a value
 * that breaks its rule, and the sentence says where it stands ("issuers[0].audience"). A name that
 * no pattern matches has no rights. Never changed after it was read.
 */
#ifndef ACKD_AUTH_AUTH_CONFIG_H
#define ACKD_AUTH_AUTH_CONFIG_H

#include <jansson.h>

#include "auth/algorithm.h"
#include "base/status.h"
#include "core/grant.h"

#define AUTH_CONFIG_BYTES_MAX ((size_t)1 << 20)
#define ISSUERS_MAX 16
#define ISSUER_BYTES_MAX 255 /* of its name */
#define MAPPINGS_MAX 1000    /* of an issuer's subjects, and of certificates */
#define CLOCK_SKEW_S_DEFAULT 60
#define CLOCK_SKEW_S_MAX 600
#define JWKS_REFRESH_S_DEFAULT 300
#define JWKS_REFRESH_S_MAX 86400

/* Names by pattern, and what they may do. */
struct mapping {
    const char *pattern;
    struct grant *grants; /* owned */
    size_t grant_count;
};

struct mappings {
    struct mapping *items; /* owned */
    size_t count;
};

/* Texts are the config's. */
struct issuer {
    const char *name; /* "iss" */
    const char *audience;
    const char *jwks_file;  /* this one or jwks_url, the other NULL */
    const char *jwks_url;   /* https://, or http:// on loopback */
    const char *ca_file;    /* NULL: the system's */
    const char *token_file; /* what the broker shows there; NULL: nothing */
    unsigned algorithms;    /* bits 1 << enum algorithm */
    int64_t clock_skew_ms;
    int64_t refresh_ms;
    struct mappings subjects;
};

struct auth_config {
    json_t *root; /* owns the texts */
    struct issuer issuers[ISSUERS_MAX];
    size_t issuer_count;
    struct mappings certificates; /* by subject alternative name, such as "URI:spiffe://..." */
};

/* `path` is for the sentences. */
enum status auth_config_read(struct slice text, const char *path, struct auth_config **ret_config,
                             struct error *error) MUST_USE;
enum status auth_config_load(const char *path, struct auth_config **ret_config,
                             struct error *error) MUST_USE;
/* NULL is nothing. */
void auth_config_free(struct auth_config *self);

/* The issuer of that name, or NULL. */
const struct issuer *auth_config_issuer(const struct auth_config *self, const char *name);
/* How many grants the name has by all patterns that match it; they are put where `ret_grants`
 * points to, unless it is NULL. */
size_t mappings_grants(const struct mappings *self, struct slice name, struct grant *ret_grants);

#endif
