/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.h -- ending a request, within the rpc layer.
 */
#ifndef ACKD_RPC_REPLY_H
#define ACKD_RPC_REPLY_H

#include "rpc/rpc.h"

#define CONTENT_JSON "application/json"
#define CONTENT_PROTO "application/proto"
#define CONTENT_TEXT "text/plain; charset=utf-8"
#define CONTENT_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* Ends the request with what lies in request->reply. The request is its owner's again after it. */
void reply_done(struct rpc_request *request, const char *content_type);
/* Ends it with another HTTP status than 200; `status` is what is counted. */
void reply_done_as(struct rpc_request *request, enum status status, int http_status,
                   const char *content_type);
/* Ends it with a Connect error. */
void reply_error(struct rpc_request *request, const struct error *error);
void reply_refuse(struct rpc_request *request, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
