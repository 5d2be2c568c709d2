/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_internal.h -- what an ackd_client is.
 */
#ifndef ACKD_SDK_CLIENT_INTERNAL_H
#define ACKD_SDK_CLIENT_INTERNAL_H

#include "ackd/client.h"
#include "transport.h"

struct ackd_client {
    struct transport *transport;
    int64_t timeout_ms; /* of a call that does not wait for tasks */
};

#endif
