/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text.h -- JSON from files, servers and strangers, read within bounds.
 *
 * No name twice in an object, where readers could disagree on which counts; no NUL in a string, so
 * that each is a C string; no deeper than JSON_TEXT_DEPTH_MAX, so that nobody's stack grows.
 */
#ifndef ACKD_AUTH_JSON_TEXT_H
#define ACKD_AUTH_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/slice.h"

#define JSON_TEXT_DEPTH_MAX 16

/* An object, or NULL with a reason for people. */
json_t *json_text_read(struct slice text, char *ret_reason, size_t reason_size);
/* A member that is a string; NULL: it is missing, or another thing. */
const char *json_text_member(const json_t *object, const char *name);

/* Of strings that may be missing (NULL), which is the same on both sides. */
static inline bool json_text_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

#endif
