/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_source.h -- where an issuer's keys come from, and the ones that hold now.
 *
 *   a file   read at the begin, where a refused one is an error, and again when it changes
 *   a URL    fetched by a thread of its own: at the begin, every refresh_ms, on a key ID that is
 *            not known (at most once in WISH_PAUSE_MS), and soon again after a failure
 *
 * What is refused, or can't be fetched, changes nothing: the keys before go on, and the log hears
 * of it once a change.
 *
 * Threads: any takes keys and wishes; one at a time refreshes.
 */
#ifndef ACKD_AUTH_KEY_SOURCE_H
#define ACKD_AUTH_KEY_SOURCE_H

#include "auth/auth_config.h"
#include "auth/jwks.h"

#define WISH_PAUSE_MS 10000
#define RETRY_MS 10000 /* after a failure */

struct key_source_options {
    /* Runs on whichever thread found other keys than before. */
    void (*changed)(void *context);
    void *context;
};

struct key_source_figures {
    char issuer[ISSUER_BYTES_MAX + 1];
    int64_t read_ms;  /* clock_wall_ms of the last success; 0: none yet */
    int64_t failures; /* since the source was opened */
    size_t keys;
};

struct key_source;

/* Copies what it needs of the issuer. */
enum status key_source_open(const struct issuer *issuer, const struct key_source_options *options,
                            struct key_source **ret_source, struct error *error) MUST_USE;
/* Waits for its thread: a second while it fetches, or as long as a name takes to be looked up.
 * NULL is nothing. */
void key_source_close(struct key_source *self);
/* Whether it reads for this issuer from the same place in the same way. */
bool key_source_is_for(const struct key_source *self, const struct issuer *issuer);
/* Looks whether a file has changed; `forced`: reads, or fetches, whether it has or not. */
void key_source_refresh(struct key_source *self, bool forced);
/* The keys, referenced; NULL: none have come yet. */
struct jwks *key_source_take(struct key_source *self);
/* Somebody came with a key's ID that is not among them. True: it may be one that is yet to come,
 * since they are being fetched, or could not be when they were last. */
bool key_source_wish(struct key_source *self);
struct key_source_figures key_source_figures(struct key_source *self);

#endif
