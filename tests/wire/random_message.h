/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_message.h -- messages of any type with any content, from a seed.
 */
#ifndef ACKD_TESTS_RANDOM_MESSAGE_H
#define ACKD_TESTS_RANDOM_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/arena.h"

/* Called for every message type of the contract, those within others included. Fails the test if
 * one contains itself. */
void every_message_type(void (*visit)(const ProtobufCMessageDescriptor *descriptor));
uint32_t random_below(uint64_t *seed, uint32_t bound);
ProtobufCMessage *random_message(struct arena *arena, uint64_t *seed,
                                 const ProtobufCMessageDescriptor *descriptor);

#endif
