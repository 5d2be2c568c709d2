/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c -- SessionService.
 */
#include <stdio.h>

#include "service/internal.h"

#define HEARTBEATS_PER_SESSION 3

static struct session_call *new_call(struct service *self, struct service_call *call)
{
    call->service = self;
    allow_reply(call, REPLY_BYTES_MAX);
    return ARENA_NEW(call->arena, struct session_call);
}

static ProtobufCMessage *build_opened(struct service_call *call, struct call *base)
{
    struct session_call *done = CONTAINER_OF(base, struct session_call, call);
    PB(OpenSessionResponse) *response =
        PB_NEW(call->arena, OpenSessionResponse, open_session_response);

    if (response == NULL)
        return NULL;
    response->session_id = wire_session_id(call->arena, done->session);
    response->session_ms = done->session_ms;
    response->heartbeat_ms = done->session_ms / HEARTBEATS_PER_SESSION;
    return response->session_id == NULL ? NULL : &response->base;
}

static enum status check_name(const char *name, int bytes_max, const char *field,
                              struct error *error)
{
    size_t size = strlen(name);

    if (size > (size_t)bytes_max || !utf8_is_printable(slice_of(name, size)))
        return error_limit(error, STATUS_INVALID, field, bytes_max, (int64_t)size,
                           "%s must be UTF-8 without control characters, at most %d bytes", field,
                           bytes_max);
    return STATUS_OK;
}

static enum status read_names(const PB(OpenSessionRequest) *request, struct worker_names *ret,
                              struct error *error)
{
#define X(name, bytes_max)                                                                         \
    if (check_name(request->name, bytes_max, #name, error) != STATUS_OK)                           \
        return error->status;                                                                      \
    ret->name = slice_of_string(request->name);
    WORKER_NAMES(X)
#undef X
    return STATUS_OK;
}

void service_session_open(struct service *self, struct service_call *call)
{
    const PB(OpenSessionRequest) *request = (const void *)call->request;
    struct session_call *base = new_call(self, call);

    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    base->session_ms = request->session_ms == 0 ? SESSION_MS_DEFAULT : request->session_ms;
    if (read_names(request, &base->names, &call->error) != STATUS_OK ||
        check_range(base->session_ms, SESSION_MS_MIN, SESSION_MS_MAX, "session_ms", "ms",
                    &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    base->queue = slice_of_string(request->queue);
    send_to_queue(call, request->queue, &base->call, &verb_session_open, build_opened);
}

/* To the shard that the session lives on. */
static void send_to_session(struct service_call *call, struct session_call *base, const char *id,
                            const struct verb *verb, reply_builder *build)
{
    const struct service *self = call->service;

    if (read_session_id(id, &base->session, &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    if (SHARD_OF_SESSION(base->session) >= self->shard_count) {
        error_set(&call->error, STATUS_SESSION_NOT_FOUND, NULL);
        refuse(call);
        return;
    }
    send_call(call, self->shards[SHARD_OF_SESSION(base->session)], &base->call, verb, build);
}

static ProtobufCMessage *build_heartbeat(struct service_call *call, struct call *base)
{
    struct session_call *done = CONTAINER_OF(base, struct session_call, call);
    PB(HeartbeatResponse) *response = PB_NEW(call->arena, HeartbeatResponse, heartbeat_response);

    if (response == NULL)
        return NULL;
    response->session_ms = done->session_ms;
    response->leased = done->leased;
    response->stops = ARENA_ARRAY(call->arena, done->stop_count, PB(LeaseStop) *);
    for (size_t i = 0; i < done->stop_count && response->stops != NULL; i++) {
        PB(LeaseStop) *stop = PB_NEW(call->arena, LeaseStop, lease_stop);

        if (stop == NULL)
            return NULL;
        stop->reason = (PB(StopReason))done->stops[i].reason; /* the numbers are the same */
        stop->lease_token = wire_token(call->arena, &done->stops[i].token);
        if (stop->lease_token == NULL)
            return NULL;
        response->stops[response->n_stops++] = stop;
    }
    return response->stops == NULL ? NULL : &response->base;
}

/* Leases that came nearer to their end. */
static enum status read_progress(struct service_call *call, const PB(HeartbeatRequest) *request,
                                 struct session_call *base)
{
    if (request->n_progress == 0)
        return STATUS_OK;
    if (check_count(request->n_progress, 0, service_limits(call->service), "progress",
                    &call->error) != STATUS_OK)
        return call->error.status;
    base->progress = ARENA_ARRAY(call->arena, request->n_progress, struct lease_token);
    if (base->progress == NULL)
        return error_set(&call->error, STATUS_TOO_LARGE, NULL);
    for (size_t i = 0; i < request->n_progress; i++) {
        char field[32];

        snprintf(field, sizeof field, "progress[%zu]", i);
        if (read_lease_token(request->progress[i], field, &base->progress[i], &call->error) !=
            STATUS_OK)
            return call->error.status;
    }
    base->progress_count = request->n_progress;
    return STATUS_OK;
}

void service_session_heartbeat(struct service *self, struct service_call *call)
{
    const PB(HeartbeatRequest) *request = (const void *)call->request;
    struct session_call *base = new_call(self, call);

    if (base == NULL)
        refuse_memory(call);
    else if (read_progress(call, request, base) != STATUS_OK)
        refuse(call);
    else
        send_to_session(call, base, request->session_id, &verb_session_heartbeat, build_heartbeat);
}

static ProtobufCMessage *build_closed(struct service_call *call, struct call *base)
{
    PB(CloseSessionResponse) *response =
        PB_NEW(call->arena, CloseSessionResponse, close_session_response);

    if (response == NULL)
        return NULL;
    response->returned = base->progress.count;
    return &response->base;
}

void service_session_close(struct service *self, struct service_call *call)
{
    const PB(CloseSessionRequest) *request = (const void *)call->request;
    struct session_call *base = new_call(self, call);

    if (base == NULL)
        refuse_memory(call);
    else
        send_to_session(call, base, request->session_id, &verb_session_close, build_closed);
}

static PB(Session) *build_session(struct arena *arena, const struct session_view *view)
{
    PB(Session) *session = PB_NEW(arena, Session, session);
    bool has_room = true;

    if (session == NULL)
        return NULL;
    session->session_id = wire_session_id(arena, view->session);
    session->queue = arena_string(arena, view->queue);
#define X(name, bytes_max)                                                                         \
    session->name = wire_string(arena, view->names.name);                                          \
    has_room &= session->name != NULL;
    WORKER_NAMES(X)
#undef X
    session->opened_unix_ms = view->opened_ms;
    session->heartbeat_unix_ms = view->heartbeat_ms;
    session->session_ms = view->session_ms;
    session->leased = view->leased;
    session->acked = view->acked;
    return session->session_id == NULL || session->queue == NULL || !has_room ? NULL : session;
}

#define SESSIONS_SHOWN_MAX 10000

static ProtobufCMessage *build_list(struct service_call *call, struct fan *fan)
{
    PB(ListSessionsResponse) *response =
        PB_NEW(call->arena, ListSessionsResponse, list_sessions_response);
    size_t count = 0;

    for (int i = 0; i < fan->count; i++)
        count += CONTAINER_OF(fan->calls[i], struct session_call, call)->view_count;
    if (response == NULL ||
        (response->sessions = ARENA_ARRAY(call->arena, count, PB(Session) *)) == NULL)
        return NULL;
    for (int i = 0; i < fan->count; i++) {
        struct session_call *part = CONTAINER_OF(fan->calls[i], struct session_call, call);

        for (size_t k = 0; k < part->view_count && response->n_sessions < SESSIONS_SHOWN_MAX; k++) {
            response->sessions[response->n_sessions] = build_session(call->arena, &part->views[k]);
            if (response->sessions[response->n_sessions++] == NULL)
                return NULL;
        }
    }
    return &response->base;
}

static ProtobufCMessage *build_queue_list(struct service_call *call, struct call *base)
{
    struct fan fan = {.call = call, .calls = &base, .count = 1};

    return build_list(call, &fan);
}

void service_session_list(struct service *self, struct service_call *call)
{
    const PB(ListSessionsRequest) *request = (const void *)call->request;
    struct session_call *base;

    call->service = self;
    if (request->queue[0] == '\0') {
        fan_out(call, sizeof(struct session_call), &verb_session_list, NULL, shard_send,
                build_list);
        return;
    }
    base = new_call(self, call);
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    base->queue = slice_of_string(request->queue);
    send_to_queue(call, request->queue, &base->call, &verb_session_list, build_queue_list);
}
