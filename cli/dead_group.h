/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_group.h -- dead letters grouped by why they died: what an operator wants to see of 10,000.
 *
 * Letters are of one group if their reason is the same and so is the last line of their error:
 * of a stack trace that is the line which says what happened.
 */
#ifndef ACKD_CLI_DEAD_GROUP_H
#define ACKD_CLI_DEAD_GROUP_H

#include "ackd/v1/dead_letter.pb-c.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/slice.h"

struct dead_group {
    struct map_node node; /* by hash of reason and error */
    Ackd__V1__DeadReason reason;
    struct slice error;
    int64_t count;
    int64_t last_unix_ms;
    const char *example; /* ID of one of its tasks */
};

struct dead_groups {
    struct map map;
    struct arena *arena; /* holds the groups */
};

void dead_groups_init(struct dead_groups *self, struct arena *arena);
void dead_groups_deinit(struct dead_groups *self);
/* False: no memory. Nothing of the letter is borrowed. */
bool dead_groups_add(struct dead_groups *self, const Ackd__V1__DeadLetter *letter);
/* All groups, the largest first; *ret_count of them, in the arena. NULL: no memory. */
struct dead_group **dead_groups_sorted(const struct dead_groups *self, size_t *ret_count);

/* "failures", "losses", ... */
const char *dead_reason_name(Ackd__V1__DeadReason reason);
/* The text's last line that is not blank. */
struct slice dead_error_line(const char *error);

#endif
