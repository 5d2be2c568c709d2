/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h -- payloads, checkpoints and results that can be told apart: all of the bytes follow from
 * a number, with which they begin.
 */
#ifndef ACKD_TESTS_SIM_BYTES_H
#define ACKD_TESTS_SIM_BYTES_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

#define BYTES_DAMAGED UINT32_MAX

/* The bytes of a number; of 0: none. */
ProtobufCBinaryData bytes_make(struct arena *arena, unsigned number);
size_t bytes_size(unsigned number);
/* The number of bytes that came back; BYTES_DAMAGED: they are none of ours. */
unsigned bytes_read(ProtobufCBinaryData bytes);

#endif
