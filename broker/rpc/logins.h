/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logins.h -- the refused logins of each address: the more there were, the later the next answer.
 *
 * A secret of 256 random bits can't be guessed; what is slowed is who tries, and who calls again
 * and again with a token that is over. Only the answer to a refused login is held back: who shows a
 * right token is served at once, also behind an address that others guess from (a whole cluster may
 * be behind one). Nobody is locked out.
 *
 * The first five of an address are free, one more every ten seconds; then the answer takes 125 ms,
 * twice as long each time, and two seconds at most.
 *
 * Threads: any.
 */
#ifndef ACKD_RPC_LOGINS_H
#define ACKD_RPC_LOGINS_H

#include <stdint.h>

#include "base/slice.h"

struct logins;

/* NULL: no memory. */
struct logins *logins_new(void);
/* NULL is nothing. */
void logins_free(struct logins *self);
/* One more is refused. Returns for how long its answer is to be held back. */
int64_t logins_refuse(struct logins *self, struct slice address, int64_t now_ms);

#endif
