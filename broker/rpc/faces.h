/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faces.h -- the kinds of request, within the rpc layer. Each ends in reply.h.
 */
#ifndef ACKD_RPC_FACES_H
#define ACKD_RPC_FACES_H

#include "rpc/rpc.h"

/* A call of request->method by Connect's unary protocol (connect.c). */
void connect_begin(struct rpc_request *request);
/* A path that is no method (plain.c). */
void plain_begin(struct rpc_request *request);
/* GET /metrics (metrics.c). */
void metrics_begin(struct rpc_request *request);
/* GET / and the page's files (dashboard.c). */
bool dashboard_has(struct slice path);
void dashboard_begin(struct rpc_request *request);

/* Gives the service a call whose request message lies in the arena; `done` as service.h says. */
void rpc_call(struct rpc_request *request, enum method_number number,
              const ProtobufCMessage *message, void (*done)(struct service_call *call));
/* Asks for what /metrics shows. */
void rpc_call_figures(struct rpc_request *request, void (*done)(struct service_call *call));
/* The request that such a call belongs to. */
struct rpc_request *rpc_request_of(struct service_call *call);

#endif
