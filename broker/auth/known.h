/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known.h -- callers that were checked before: a signature is looked at once, not with each
 * request.
 *
 * Found by the SHA-256 of what they show, until what they show is over. What was checked by keys
 * or rules that have changed since does not count: a change forgets all, and what was begun before
 * it is not remembered after it (the age). At most KNOWN_MAX; the one that came first leaves first.
 *
 * Threads: any.
 */
#ifndef ACKD_AUTH_KNOWN_H
#define ACKD_AUTH_KNOWN_H

#include <pthread.h>

#include "auth/principal.h"
#include "auth/secret.h"
#include "base/list.h"
#include "base/map.h"

#define KNOWN_MAX 10000

struct known {
    pthread_mutex_t lock;
    struct map by_hash; /* guarded, as all below */
    struct list oldest_first;
    uint64_t age;
};

void known_init(struct known *self);
void known_deinit(struct known *self);

/* Referenced for the caller; or NULL. */
struct principal *known_find(struct known *self, const struct secret_hash *hash, int64_t now_ms);
/* To be asked before the check whose outcome known_add brings. */
uint64_t known_age(struct known *self);
void known_add(struct known *self, const struct secret_hash *hash, struct principal *principal,
               int64_t until_ms, uint64_t age);
void known_forget(struct known *self);
size_t known_count(struct known *self);

#endif
