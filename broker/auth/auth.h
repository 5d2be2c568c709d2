/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.h -- who calls? The one question that the faces ask, and what stands behind the answer.
 *
 *   Authorization: Bearer ackd_...   token_book.h   the operator's file, and tokens.json
 *   Authorization: Bearer eyJ...     trust.h        a JWT, by its issuer's keys
 *   a client certificate             trust.h        by its names, where no token is sent
 *
 * It is on as soon as there is something to know callers by: --admin-token-file, --auth-config, or
 * a tokens.json in the data directory. What a caller may do is the principal's grants
 * (core/grant.h); which right a method takes stands in the method table (service/service.h).
 *
 * Threads: any may ask. One at a time refreshes: looks for a changed file, and writes down when
 * tokens were last used.
 */
#ifndef ACKD_AUTH_AUTH_H
#define ACKD_AUTH_AUTH_H

#include "auth/principal.h"
#include "auth/token_book.h"
#include "auth/trust.h"
#include "base/status.h"

struct auth_options {
    const char *data_dir;         /* NULL: tokens are kept in memory alone */
    const char *admin_token_file; /* NULL: none */
    const char *auth_config_file; /* NULL: none */
};

/* What a request brings along; borrowed. */
struct credentials {
    struct slice authorization; /* the header's value; data NULL: not sent */
    /* The verified client certificate's names, and until when they hold; none without one. */
    const struct slice *sans;
    size_t san_count;
    int64_t certificate_until_ms;
};

struct auth;

enum status auth_open(const struct auth_options *options, struct auth **ret_auth,
                      struct error *error) MUST_USE;
/* Nobody may ask any more. NULL is nothing. */
void auth_close(struct auth *self);
/* Reads the operator's files again if they have changed or if `forced`, and now and then writes
 * when tokens were last used: to be called every few seconds. A file that is refused changes
 * nothing, and the log hears of it once a change. */
void auth_refresh(struct auth *self, bool forced);
/* False: everybody may do everything. It does not change while the broker runs. */
bool auth_is_on(const struct auth *self);
/* The caller's principal, referenced; or STATUS_UNAUTHENTICATED with a sentence that does not tell
 * which part was wrong. */
enum status auth_identify(struct auth *self, const struct credentials *credentials, int64_t now_ms,
                          struct principal **ret_principal, struct error *error) MUST_USE;
struct token_book *auth_tokens(struct auth *self);
/* NULL: without --auth-config. */
struct trust *auth_trust(struct auth *self);

#endif
