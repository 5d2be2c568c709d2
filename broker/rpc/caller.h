/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller.h -- who makes a request, and whether it may: the one place where both are decided.
 *
 *   caller_identify   at the begin: the principal, or 401
 *   caller_may        once the request can be read: the right that the method takes, on the queue
 *                     that it names, or 403. What names no queue goes on with its scope, and the
 *                     shard looks (REACH_HELD), or leaves out what the caller may not see
 *                     (REACH_LISTED).
 *
 * With authentication off both say yes at once, and calls carry no scope.
 */
#ifndef ACKD_RPC_CALLER_H
#define ACKD_RPC_CALLER_H

#include "rpc/rpc.h"

/* False: refused, and the request is done. */
bool caller_identify(struct rpc_request *request);
/* `queue` is the one that the request names, or empty. */
enum status caller_may(struct rpc_request *request, uint8_t rights, enum reach reach,
                       struct slice queue, struct error *error) MUST_USE;
/* The same for a method and its message. */
enum status caller_may_call(struct rpc_request *request, const ProtobufCMessage *message,
                            struct error *error) MUST_USE;
/* The request is done. */
void caller_forget(struct rpc_request *request);

#endif
