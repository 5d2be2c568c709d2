/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.h -- one token as the broker keeps it: who it is for, until when, and its secrets' hashes.
 *
 * While it is rotated a token has two secrets: the new one, and the one before until its end.
 */
#ifndef ACKD_AUTH_TOKEN_H
#define ACKD_AUTH_TOKEN_H

#include "auth/principal.h"
#include "auth/secret.h"
#include "base/list.h"
#include "base/map.h"

#define TOKEN_NAME_BYTES_MAX 128
#define TOKEN_SECRETS 2
#define TIME_NEVER 0

struct token_secret {
    struct secret_hash hash;
    int64_t until_ms; /* TIME_NEVER: as long as the token */
};

struct token {
    struct list link; /* in its book */
    struct map_node by_key;
    struct secret_key key;
    char name[TOKEN_NAME_BYTES_MAX + 1];
    int64_t created_ms;
    int64_t expires_ms;           /* TIME_NEVER; see token_expire */
    _Atomic int64_t last_used_ms; /* 0: never */
    bool from_file;               /* the operator's: neither kept in tokens.json nor changed */
    size_t secret_count;
    struct token_secret secrets[TOKEN_SECRETS]; /* the newest first */
    struct principal *principal;                /* carries the grants */
};

/* The secrets are the caller's to fill in. NULL: no memory. */
struct token *token_new(const struct secret_key *key, const char *name, const struct grant *grants,
                        size_t grant_count);
/* A copy that may be changed, in no book. */
struct token *token_copy(const struct token *self);
void token_free(struct token *self);
/* A token in no book ends then. */
void token_expire(struct token *self, int64_t expires_ms);
/* Whether one of its secrets has this hash and the token lives. Takes the same time whichever. */
bool token_accepts(const struct token *self, const struct secret_hash *hash, int64_t now_ms);
/* The principal of whoever showed the accepted secret of this hash, referenced for the caller: with
 * the secret before a rotation it ends sooner. */
struct principal *token_principal(const struct token *self, const struct secret_hash *hash);
/* Puts a secret in front; the one before lives on until `until_ms`. */
void token_rotate(struct token *self, const struct secret_hash *hash, int64_t until_ms);

#endif
