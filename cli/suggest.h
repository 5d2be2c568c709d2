/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest.h -- "did you mean": the known word nearest to a mistyped one.
 */
#ifndef ACKD_CLI_SUGGEST_H
#define ACKD_CLI_SUGGEST_H

#include <stddef.h>

struct suggestion {
    const char *typed;
    size_t length;
    const char *best; /* NULL: nothing is near enough */
    size_t distance;  /* of `best` */
};

void suggest_begin(struct suggestion *self, const char *typed, size_t length);
/* Remembers the word if it is nearer than those before; it is borrowed. */
void suggest_offer(struct suggestion *self, const char *word);

#endif
