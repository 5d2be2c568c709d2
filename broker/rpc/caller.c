/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller.c -- who makes a request, and whether it may.
 */
#include "rpc/caller.h"

#include "base/clock.h"
#include "rpc/logins.h"

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

/* Who shows no token guesses none. */
static int64_t count_refusal(struct rpc *rpc, const struct rpc_head *head)
{
    struct slice address = head->peer == NULL ? SLICE_EMPTY : head->peer->home;

    counter_add(&rpc->options.counters->logins_refused, 1);
    if (rpc->options.logins == NULL || head->headers[RPC_HEADER_AUTHORIZATION].data == NULL)
        return 0;
    return logins_refuse(rpc->options.logins, address, clock_monotonic_ms());
}

static enum status find_principal(struct rpc *rpc, const struct rpc_head *head,
                                  struct rpc_caller *caller, struct error *error)
{
    struct auth *auth = rpc->options.auth;
    struct credentials credentials;
    enum status status;

    if (!auth_is_on(auth))
        return STATUS_OK;
    credentials = credentials_of(head);
    status = auth_identify(auth, &credentials, clock_wall_ms(), &caller->principal, error);
    if (status != STATUS_OK)
        caller->hold_ms = count_refusal(rpc, head);
    return status;
}

/* By what its requests are counted together. */
static struct slice name_of(const struct rpc_caller *caller, const struct rpc_head *head)
{
    if (caller->principal != NULL)
        return slice_of_string(caller->principal->name);
    return head->peer == NULL ? SLICE_EMPTY : head->peer->home;
}

static enum status begin_quota(struct rpc *rpc, const struct rpc_head *head, enum reach reach,
                               struct rpc_caller *caller, struct error *error)
{
    struct quotas *quotas = rpc->options.quotas;
    int64_t now_ms;
    enum status status;

    if (quotas == NULL)
        return STATUS_OK;
    now_ms = clock_monotonic_ms();
    status = quota_begin(quotas, name_of(caller, head), reach == REACH_HELD, now_ms, &caller->quota,
                         &caller->retry_after_ms, error);
    if (status == STATUS_OK && head->body_bytes > 0) {
        caller->charged_bytes = head->body_bytes;
        quota_charge(quotas, caller->quota, (size_t)head->body_bytes, now_ms);
    }
    return status;
}

enum status caller_identify(struct rpc *rpc, const struct rpc_head *head, enum reach reach,
                            struct rpc_caller *caller, struct error *error)
{
    enum status status;

    caller->is_known = true;
    status = find_principal(rpc, head, caller, error);
    if (status != STATUS_OK || caller->quota != NULL)
        return status;
    return begin_quota(rpc, head, reach, caller, error);
}

void caller_doubt(struct rpc_caller *caller)
{
    principal_release(caller->principal);
    caller->principal = NULL;
    caller->is_known = false;
}

void caller_forget(struct rpc *rpc, struct rpc_caller *caller)
{
    principal_release(caller->principal);
    if (caller->quota != NULL)
        quota_end(rpc->options.quotas, caller->quota, caller->waits);
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
    const struct rpc_head head = {.verb = request->verb,
                                  .path = request->path,
                                  .headers = request->headers,
                                  .peer = request->peer};
    enum status status = STATUS_OK;

    if (!request->caller.is_known)
        status = caller_identify(request->rpc, &head, reach, &request->caller, error);
    if (status != STATUS_OK)
        return status;
    return caller_may(&request->caller, rights, reach, queue, &request->scope, error);
}

/* A field of a message, by its name; NULL if it has none such of that type. */
static const void *field_of(const ProtobufCMessage *message, const char *name, ProtobufCType type)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

    if (field == NULL || field->type != type)
        return NULL;
    return (const char *)message + field->offset;
}

struct slice caller_text_of(const ProtobufCMessage *message, const char *name)
{
    const char *const *text = field_of(message, name, PROTOBUF_C_TYPE_STRING);

    return text == NULL ? SLICE_EMPTY : slice_of_string(*text);
}

static enum status begin_waiting(struct rpc_request *request, const ProtobufCMessage *message,
                                 struct error *error)
{
    const int64_t *wait_ms = field_of(message, "wait_ms", PROTOBUF_C_TYPE_INT64);
    struct rpc_caller *caller = &request->caller;
    enum status status;

    if (caller->quota == NULL || wait_ms == NULL || *wait_ms <= 0)
        return STATUS_OK;
    status = quota_wait(request->rpc->options.quotas, caller->quota, error);
    caller->waits = status == STATUS_OK;
    return status;
}

enum status caller_may_call(struct rpc_request *request, const ProtobufCMessage *message,
                            struct error *error)
{
    const struct method *method = request->method;
    struct slice queue = SLICE_EMPTY;
    enum status status;

    if (request->caller.principal == NULL)
        return begin_waiting(request, message, error);
    if (method->reach == REACH_QUEUE || method->reach == REACH_LISTED)
        queue = caller_text_of(message, "queue");
    else if (method->reach == REACH_NAME)
        queue = caller_text_of(message, "name");
    status =
        caller_may(&request->caller, method->rights, method->reach, queue, &request->scope, error);
    return status == STATUS_OK ? begin_waiting(request, message, error) : status;
}

void caller_finish(struct rpc_request *request)
{
    struct rpc_caller *caller = &request->caller;
    int64_t body_bytes = (int64_t)request->body.size - caller->charged_bytes;

    if (caller->quota != NULL)
        quota_charge(request->rpc->options.quotas, caller->quota,
                     request->reply.size + (size_t)(body_bytes > 0 ? body_bytes : 0),
                     clock_monotonic_ms());
    caller_forget(request->rpc, caller);
}
