/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grant.h -- what a caller may do, and on which queues.
 *
 *   read,work:ocr-*       a grant: rights, and a pattern of queue names in which `*` stands for any
 *                         characters, none too
 *
 * `admin` includes the other rights. What concerns the whole broker needs its right on `*`.
 *
 * A scope is the grants of one caller seen through what one call needs: it travels with the call
 * to where the queue is known. A lease token or a session's ID names its queue to the shard alone,
 * so the shard asks the scope. Pure; a scope borrows its grants.
 */
#ifndef ACKD_CORE_GRANT_H
#define ACKD_CORE_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "core/limits.h"

#define RIGHTS_TABLE(X)                                                                            \
    X(PUBLISH, 1, "publish")                                                                       \
    X(WORK, 2, "work")                                                                             \
    X(READ, 4, "read")                                                                             \
    X(ADMIN, 8, "admin")

enum right {
#define X(name, bit, text) RIGHT_##name = (bit),
    RIGHTS_TABLE(X)
#undef X
        RIGHT_ANY = 15
};

#define GRANT_TEXT_BYTES_MAX (QUEUE_NAME_BYTES_MAX + 32) /* with the NUL */
#define GRANTS_MAX 64                                    /* of one caller */

struct grant {
    uint8_t rights; /* bits of enum right, as they were given */
    char pattern[QUEUE_NAME_BYTES_MAX + 1];
};

struct scope {
    const struct grant *grants;
    size_t count;
    uint8_t rights; /* any one of these is needed */
};

/* "read,work:ocr-*". False: it is no grant. */
bool grant_read(struct slice text, struct grant *ret_grant);
void grant_write(const struct grant *self, char ret_text[GRANT_TEXT_BYTES_MAX]);
/* "read or work". */
void rights_write(uint8_t rights, char ret_text[GRANT_TEXT_BYTES_MAX]);

/* Whether the call may touch the queue of that name. A NULL scope is for callers without bounds. */
bool scope_covers(const struct scope *self, struct slice queue);
/* Whether it may touch the whole broker. */
bool scope_covers_all(const struct scope *self);
/* Whether there may be a queue that it may touch. */
bool scope_covers_some(const struct scope *self);

#endif
