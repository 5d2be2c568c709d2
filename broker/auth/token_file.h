/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_file.h -- tokens.json: read whole, written aside, flushed and renamed.
 *
 *   {"version": 1, "tokens": [{"id": "...", "name": "ingest", "grants": ["publish:ocr-*"],
 *    "created_unix_ms": 1, "expires_unix_ms": 0, "last_used_unix_ms": 0,
 *    "secrets": [{"sha256": "<hex>", "until_unix_ms": 0}]}]}
 *
 * No secret is in it, but who could write to it could call: it is made for its owner alone, and
 * refused if others may read it.
 */
#ifndef ACKD_AUTH_TOKEN_FILE_H
#define ACKD_AUTH_TOKEN_FILE_H

#include "auth/token.h"
#include "base/status.h"

/* Appends the file's tokens to `tokens`. STATUS_NOT_FOUND: there is no file. */
enum status token_file_read(const char *path, struct list *tokens, size_t *ret_count,
                            struct error *error) MUST_USE;
/* Those of `tokens` that are not the operator's, with `added` and without `removed` (each may be
 * NULL). */
enum status token_file_write(const char *path, const struct list *tokens, const struct token *added,
                             const struct token *removed, struct error *error) MUST_USE;

#endif
