/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h -- protobuf's wire format by hand, as far as a load generator needs it: walking over a
 * reply for a count or a token, without unpacking what nobody looks at.
 *
 *     struct wire_field field;
 *
 *     while (wire_next(&reply, &field))
 *         if (field.number == 2)
 *             ...
 *
 * What doesn't parse ends the walk with `reply.data` NULL; see wire_is_broken.
 */
#ifndef ACKD_CLI_BENCH_WIRE_H
#define ACKD_CLI_BENCH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct wire_field {
    uint32_t number;
    uint64_t value;     /* of a varint */
    struct slice bytes; /* of all others; within the message walked over */
};

/* Takes the next field off the front of the message; false at its end. */
bool wire_next(struct slice *message, struct wire_field *ret_field);
/* After the walk: whether it ended because the bytes are no protobuf. */
static inline bool wire_is_broken(struct slice message)
{
    return message.data == NULL && message.size > 0;
}
/* The message's first field of that number; false if it has none. */
bool wire_find(struct slice message, uint32_t number, struct wire_field *ret_field);
/* The same for a number; 0 if it has none, as proto3 wants it. */
uint64_t wire_number(struct slice message, uint32_t number);

#endif
