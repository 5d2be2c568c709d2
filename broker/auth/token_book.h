/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_book.h -- all tokens of a broker: found by keyid, kept in DATA_DIR/tokens.json.
 *
 * A change is on stable storage before it counts (token_file.h). Any thread may ask and change:
 * asking takes a read lock, changes are one at a time. A change writes a small file and so blocks
 * its thread for a moment: it is an administrator's, and rare.
 */
#ifndef ACKD_AUTH_TOKEN_BOOK_H
#define ACKD_AUTH_TOKEN_BOOK_H

#include <pthread.h>

#include "auth/token.h"
#include "base/buffer.h"
#include "base/status.h"

#define TOKENS_MAX 10000

struct token_book {
    const char *path; /* of tokens.json; NULL: kept in memory alone */
    pthread_mutex_t changing;
    pthread_rwlock_t lock;
    struct list tokens; /* guarded by lock; changed only with `changing` held too */
    struct map by_key;  /* likewise: all of them */
    size_t count;       /* likewise: those that are not the operator's */
    atomic_bool used;   /* some last_used_ms has changed since the last write */
};

/* Reads tokens.json if it is there: *ret_found. `path` must outlive the book. */
enum status token_book_open(struct token_book *self, const char *path, bool *ret_found,
                            struct error *error) MUST_USE;
void token_book_close(struct token_book *self);

/* The principal whose token this text is, referenced for the caller; NULL: there is none, or it
 * is over. Always compares a hash, so that its time tells nothing. */
struct principal *token_book_find(struct token_book *self, struct slice text, int64_t now_ms);

/* Makes a token that expires at `expires_ms` (TIME_NEVER); `ret_text` is the only time that its
 * secret is seen. `ret_copy` is the caller's to free. */
enum status token_book_create(struct token_book *self, const char *name, const struct grant *grants,
                              size_t grant_count, int64_t expires_ms, int64_t now_ms,
                              char ret_text[SECRET_TEXT_BYTES + 1], struct token **ret_copy,
                              struct error *error) MUST_USE;
/* A new secret; the one before lives for `overlap_ms` more. */
enum status token_book_rotate(struct token_book *self, struct slice key, int64_t overlap_ms,
                              int64_t now_ms, char ret_text[SECRET_TEXT_BYTES + 1],
                              struct token **ret_copy, struct error *error) MUST_USE;
enum status token_book_revoke(struct token_book *self, struct slice key,
                              struct error *error) MUST_USE;
/* Visits every token with the read lock held. */
void token_book_each(struct token_book *self, void (*visit)(void *context, const struct token *),
                     void *context);

/* Takes the operator's tokens, one a line, in place of those it had taken before. They may do
 * everything. */
enum status token_book_set_file(struct token_book *self, struct slice lines,
                                struct error *error) MUST_USE;
/* Writes when tokens were last used, if that has changed. */
void token_book_flush(struct token_book *self);

#endif
