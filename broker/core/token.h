/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.h -- what a worker shows to prove its lease, and the IDs that the broker makes.
 *
 * A lease token is the task's place and the lease's fence, sealed with the queue's creation time
 * and a CRC, as base64url text. It is not a secret: it guards against mistakes (a token of another
 * broker, a queue made anew under the old name, a cut string), not against attackers.
 *
 * A task published without an ID is called `@CREATED.PRIORITY.SEQ` (CREATED: the queue's creation
 * time in base 36), from which its place can be read: no index entry is needed.
 */
#ifndef ACKD_CORE_TOKEN_H
#define ACKD_CORE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "core/key.h"

#define TOKEN_BYTES_MAX 64   /* with the NUL */
#define MADE_ID_BYTES_MAX 48 /* with the NUL */

struct lease_token {
    struct place place;
    uint32_t fence;
    uint64_t seal; /* token_seal of the queue; the shard compares */
};

/* Writes the text with its NUL and returns its length. */
size_t token_write(const struct lease_token *self, char ret_text[TOKEN_BYTES_MAX]);
/* False if the text is no token at all. */
bool token_read(struct slice text, struct lease_token *ret_token);
/* What ties a token to one queue of one broker. */
uint64_t token_seal(uint32_t queue, int64_t created_ms);

size_t made_id_write(struct place place, int64_t created_ms, char ret_text[MADE_ID_BYTES_MAX]);
/* The same for many tasks of one queue, whose IDs begin alike. */
struct made_id_stem {
    char text[16]; /* "@CREATED." */
    size_t size;
};
struct made_id_stem made_id_stem(int64_t created_ms);
size_t made_id_write_on(const struct made_id_stem *stem, struct place place,
                        char ret_text[MADE_ID_BYTES_MAX]);
/* False if it is not an ID made for this very queue. */
bool made_id_read(struct slice id, uint32_t queue, int64_t created_ms, struct place *ret_place);
/* Whether the ID is of the broker's own form (begins with '@'). */
static inline bool made_id_is(struct slice id)
{
    return id.size > 0 && id.data[0] == '@';
}

#endif
