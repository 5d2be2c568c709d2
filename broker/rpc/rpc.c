/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc.c -- from a path to its face, and from a face to the service.
 *
 *   rpc_admit: a head's caller, before its body is read
 *
 *   rpc_begin --> connect_begin --rpc_call--> service ... done --> reply_done --> request->done
 *             \-> plain_begin ----------------------------------/
 */
#include "rpc/rpc.h"

#include "base/assert.h"
#include "base/list.h"
#include "rpc/audit.h"
#include "rpc/caller.h"
#include "rpc/faces.h"
#include "rpc/reply.h"
#include "service/figures.h"

/* Room for the framing around a batch that is exactly at its limit. */
#define BODY_SLACK_BYTES (64 << 10)
/* What a handler may use for its reply beside what the request took: a lease of
 * LEASE_REPLY_BYTES_MAX with one task's payload and checkpoint more, and its structs. */
#define REPLY_BYTES_MAX ((size_t)160 << 20)

static void options_begin(struct rpc_request *request);

void rpc_init(struct rpc *self, const struct rpc_options *options)
{
    self->options = *options;
}

int64_t rpc_body_bytes_max(const struct rpc *self)
{
    return service_limits(self->options.service)->batch_bytes_max + BODY_SLACK_BYTES;
}

bool rpc_admits(const struct rpc *self)
{
    return auth_is_on(self->options.auth) || self->options.quotas != NULL;
}

bool rpc_admit(struct rpc *self, const struct rpc_head *head, struct rpc_caller *ret_caller,
               struct error *ret_refusal)
{
    const struct method *method = method_find(head->path);
    struct scope scope;

    *ret_caller = (struct rpc_caller){0};
    *ret_refusal = ERROR_NONE;
    if (method == NULL || !slice_equal(head->verb, slice_of_string("POST")))
        return false; /* whatever the answer is, it needs no body */
    return caller_identify(self, head, method->reach, ret_caller, ret_refusal) == STATUS_OK &&
           caller_may(ret_caller, method->rights, method->reach, SLICE_EMPTY, &scope,
                      ret_refusal) == STATUS_OK;
}

void rpc_doubt(struct rpc_caller *caller)
{
    caller_doubt(caller);
}

void rpc_dismiss(struct rpc *self, struct rpc_caller *caller)
{
    caller_forget(self, caller);
}

void rpc_begin(struct rpc *self, struct rpc_request *request)
{
    ASSERT(request->done != NULL && request->arena != NULL && request->mailbox != NULL);
    request->rpc = self;
    request->method = method_find(request->path);
    request->trace = traceparent_trace_id(request->headers[RPC_HEADER_TRACEPARENT]);
    request->timeout_ms = 0;
    request->header_line = NULL;
    request->calling = false;
    request->hold_ms = 0;
    audit_begin(request);
    counter_add(&self->options.counters->in_flight, 1);

    if (request->refusal != NULL)
        reply_error(request, request->refusal);
    else if (slice_equal(request->verb, slice_of_string("OPTIONS")))
        options_begin(request);
    else if (request->method != NULL)
        connect_begin(request);
    else
        plain_begin(request);
}

void rpc_cancel(struct rpc_request *request)
{
    if (request->calling)
        service_cancel(&request->call);
}

static void options_begin(struct rpc_request *request)
{
    request->header_line =
        request->method != NULL ? "Allow: POST, OPTIONS" : "Allow: GET, HEAD, OPTIONS";
    reply_done_as(request, STATUS_OK, 204, NULL);
}

/* What is not well-formed counts as not sent. */
static struct slice traceparent_of(const struct rpc_request *request)
{
    struct slice copy = SLICE_EMPTY;

    if (request->trace.text[0] != '\0')
        copy = arena_copy(request->arena, request->headers[RPC_HEADER_TRACEPARENT]);
    return copy.data == NULL ? SLICE_EMPTY : copy;
}

static void prepare_call(struct rpc_request *request, const ProtobufCMessage *message,
                         void (*done)(struct service_call *call))
{
    struct service *service = request->rpc->options.service;

    request->call = (struct service_call){
        .arena = request->arena,
        .request = message,
        .mailbox = request->mailbox,
        .scope = request->caller.principal == NULL ? NULL : &request->scope,
        .caller = request->caller.principal,
        .deadline_ms = request->timeout_ms == 0 ? 0 : service_now_ms(service) + request->timeout_ms,
        .traceparent = traceparent_of(request),
        .done = done,
        .owner = request,
        .error = ERROR_NONE,
    };
    request->calling = true;
    arena_set_max(request->arena, request->arena->used_bytes + REPLY_BYTES_MAX);
}

void rpc_call(struct rpc_request *request, enum method_number number,
              const ProtobufCMessage *message, void (*done)(struct service_call *call))
{
    prepare_call(request, message, done);
    method_at(number)->handler(request->rpc->options.service, &request->call);
}

void rpc_call_figures(struct rpc_request *request, void (*done)(struct service_call *call))
{
    prepare_call(request, NULL, done);
    service_figures(request->rpc->options.service, &request->call,
                    (size_t)request->rpc->options.metrics_queues);
}

struct rpc_request *rpc_request_of(struct service_call *call)
{
    struct rpc_request *request = call->owner;

    ASSERT(&request->call == call);
    request->calling = false;
    return request;
}
