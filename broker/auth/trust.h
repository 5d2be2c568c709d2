/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.h -- whom the broker believes who somebody is, by the file of --auth-config: issuers of
 * tokens, and the CA that signed a client's certificate. What was believed once is remembered
 * (known.h).
 *
 * A file that is refused changes nothing. Issuers that a new file keeps keep their keys.
 *
 * Threads: any asks; one at a time refreshes.
 */
#ifndef ACKD_AUTH_TRUST_H
#define ACKD_AUTH_TRUST_H

#include "auth/key_source.h"
#include "auth/principal.h"

struct trust;

/* `path` must outlive it. */
enum status trust_open(const char *path, struct trust **ret_trust, struct error *error) MUST_USE;
/* NULL is nothing. */
void trust_close(struct trust *self);
/* Reads the config and the files of keys again, if they have changed or if `forced`. */
void trust_refresh(struct trust *self, bool forced);

/* Whose token this is, referenced. STATUS_UNAUTHENTICATED, or STATUS_UNAVAILABLE while its key may
 * be one that is yet to come; the log hears why, the caller does not. A subject that no pattern
 * matches is a principal without rights. */
enum status trust_token(struct trust *self, struct slice text, int64_t now_ms,
                        struct principal **ret_principal) MUST_USE;
/* Whose verified certificate this is, by the names in it, or NULL where no pattern matches one, or
 * it ended at `until_ms`: a connection may outlive it. */
struct principal *trust_certificate(struct trust *self, const struct slice *sans, size_t san_count,
                                    int64_t until_ms, int64_t now_ms);

/* The sources of keys, up to ISSUERS_MAX. Returns how many. */
size_t trust_figures(struct trust *self, struct key_source_figures ret_figures[ISSUERS_MAX]);

#endif
