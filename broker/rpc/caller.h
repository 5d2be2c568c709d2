/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller.h -- who makes a request, and whether it may: the one place where both are decided.
 *
 *   caller_identify   once the head is there: the principal, or 401; and room in its quota, or 429
 *   caller_may        with the head: the right that the method takes, on any queue, or 403; and
 * once the request can be read, on the queue that it names. What names no queue goes on with its
 * scope, and the shard looks (REACH_HELD), or leaves out what the caller may not see
 * (REACH_LISTED).
 *
 * With authentication off both say yes at once, and calls carry no scope.
 */
#ifndef ACKD_RPC_CALLER_H
#define ACKD_RPC_CALLER_H

#include "rpc/rpc.h"

/* *caller is zeroed or in doubt before, and given back by caller_forget, on a refusal too. */
enum status caller_identify(struct rpc *rpc, const struct rpc_head *head, enum reach reach,
                            struct rpc_caller *caller, struct error *error) MUST_USE;
/* `queue` is the one that the request names, or empty. *ret_scope borrows from the caller. */
enum status caller_may(const struct rpc_caller *caller, uint8_t rights, enum reach reach,
                       struct slice queue, struct scope *ret_scope, struct error *error) MUST_USE;
/* It is to be identified again; what it was let in for and charged stays. */
void caller_doubt(struct rpc_caller *caller);
void caller_forget(struct rpc *rpc, struct rpc_caller *caller);

/* The same of a request: of its head, if that was not done before its body was read; and of a
 * method's message. */
enum status caller_admit(struct rpc_request *request, uint8_t rights, enum reach reach,
                         struct slice queue, struct error *error) MUST_USE;
enum status caller_may_call(struct rpc_request *request, const ProtobufCMessage *message,
                            struct error *error) MUST_USE;
/* The reply is there: counts what the request came to, and forgets its caller. */
void caller_finish(struct rpc_request *request);

/* The text in a message's field of that name; empty if it has none. */
struct slice caller_text_of(const ProtobufCMessage *message, const char *name);

#endif
