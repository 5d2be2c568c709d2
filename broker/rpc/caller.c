/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller.c -- who makes a request, and whether it may.
 */
#include "rpc/caller.h"

#include "base/clock.h"

static enum status refuse(uint8_t rights, const char *format_what, struct slice queue,
                          struct error *error);

static struct credentials credentials_of(const struct rpc_head *head)
{
    struct credentials credentials = {
        .authorization = head->headers[RPC_HEADER_AUTHORIZATION],
    };

    if (head->peer != NULL) {
        credentials.sans = head->peer->sans;
        credentials.san_count = head->peer->san_count;
        credentials.certificate_until_ms = head->peer->certificate_until_ms;
    }
    return credentials;
}

enum status caller_identify(struct rpc *rpc, const struct rpc_head *head,
                            struct rpc_caller *ret_caller, struct error *error)
{
    struct auth *auth = rpc->options.auth;
    const struct credentials credentials = credentials_of(head);

    *ret_caller = (struct rpc_caller){.is_known = true};
    if (!auth_is_on(auth))
        return STATUS_OK;
    return auth_identify(auth, &credentials, clock_wall_ms(), &ret_caller->principal, error);
}

void caller_forget(struct rpc_caller *caller)
{
    principal_release(caller->principal);
    *caller = (struct rpc_caller){0};
}

static bool covers(const struct scope *scope, enum reach reach, struct slice queue)
{
    if (reach == REACH_NOTHING)
        return true;
    if (reach == REACH_BROKER)
        return scope_covers_all(scope);
    if (queue.size > 0)
        return scope_covers(scope, queue);
    return scope_covers_some(scope);
}

enum status caller_may(const struct rpc_caller *caller, uint8_t rights, enum reach reach,
                       struct slice queue, struct scope *ret_scope, struct error *error)
{
    const struct principal *principal = caller->principal;

    if (principal == NULL)
        return STATUS_OK;
    *ret_scope = (struct scope){
        .grants = principal->grants, .count = principal->grant_count, .rights = rights};
    if (covers(ret_scope, reach, queue))
        return STATUS_OK;
    if (reach == REACH_BROKER)
        return refuse(rights, "on all queues (*)", SLICE_EMPTY, error);
    if (queue.size > 0)
        return refuse(rights, "on queue", queue, error);
    return refuse(rights, "on any queue", SLICE_EMPTY, error);
}

static enum status refuse(uint8_t rights, const char *where, struct slice queue,
                          struct error *error)
{
    int shown = queue.size > QUEUE_NAME_BYTES_MAX ? QUEUE_NAME_BYTES_MAX : (int)queue.size;
    char names[GRANT_TEXT_BYTES_MAX];

    rights_write(rights, names);
    return error_set(error, STATUS_PERMISSION_DENIED,
                     shown > 0 ? "the right %s is missing %s \"%.*s\""
                               : "the right %s is missing %s%.*s",
                     names, where, shown, shown > 0 ? (const char *)queue.data : "");
}

enum status caller_admit(struct rpc_request *request, uint8_t rights, enum reach reach,
                         struct slice queue, struct error *error)
{
    const struct rpc_head head = {request->verb, request->path, request->headers, request->peer};
    enum status status = STATUS_OK;

    if (!request->caller.is_known)
        status = caller_identify(request->rpc, &head, &request->caller, error);
    if (status != STATUS_OK)
        return status;
    return caller_may(&request->caller, rights, reach, queue, &request->scope, error);
}

/* The text in a string field of a message; empty if it has no such field. */
static struct slice text_of(const ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    const char *text;

    if (field == NULL || field->type != PROTOBUF_C_TYPE_STRING)
        return SLICE_EMPTY;
    text = *(const char *const *)(const void *)((const char *)message + field->offset);
    return slice_of_string(text);
}

enum status caller_may_call(struct rpc_request *request, const ProtobufCMessage *message,
                            struct error *error)
{
    const struct method *method = request->method;
    struct slice queue = SLICE_EMPTY;

    if (request->caller.principal == NULL)
        return STATUS_OK;
    if (method->reach == REACH_QUEUE || method->reach == REACH_LISTED)
        queue = text_of(message, "queue");
    else if (method->reach == REACH_NAME)
        queue = text_of(message, "name");
    return caller_may(&request->caller, method->rights, method->reach, queue, &request->scope,
                      error);
}
