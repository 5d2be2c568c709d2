/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_check.h -- protobuf bytes held against their descriptor before protobuf-c sees them.
 */
#ifndef ACKD_CODEC_WIRE_CHECK_H
#define ACKD_CODEC_WIRE_CHECK_H

#include <protobuf-c/protobuf-c.h>

#include "base/slice.h"
#include "base/status.h"

/* STATUS_OK, or STATUS_MALFORMED with the field's path. Allocates nothing. */
enum status wire_check(struct slice bytes, const ProtobufCMessageDescriptor *descriptor,
                       struct error *error) MUST_USE;

#endif
