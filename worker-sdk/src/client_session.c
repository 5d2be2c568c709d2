/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_session.c -- the calls about sessions.
 */
#include <stdlib.h>

#include "ackd/admin.h"
#include "ackd/v1/session.pb-c.h"
#include "call.h"
#include "error_export.h"
#include "options.h"

static enum ackd_stop stop_from_reason(Ackd__V1__StopReason reason);
static void session_from_message(struct call *call, const Ackd__V1__Session *message,
                                 struct ackd_session_view *view);

static char *place_name(const char *given, const char *variable)
{
    return call_borrow(given != NULL ? given : getenv(variable));
}

enum ackd_status ackd_client_open_session(struct ackd_client *client,
                                          const struct ackd_session_request *request,
                                          struct ackd_session **ret_session,
                                          struct ackd_error *error)
{
    Ackd__V1__OpenSessionRequest message = ACKD__V1__OPEN_SESSION_REQUEST__INIT;
    const Ackd__V1__OpenSessionResponse *response;
    struct ackd_session_request own;
    struct call call;

    *ret_session = NULL;
    if (request == NULL || !options_copy(&own, sizeof own, request))
        return error_export_field(error, "size", "request.size must be sizeof its struct");
    call_begin(&call, sizeof(struct ackd_session));
    message.queue = call_borrow(own.queue);
    message.worker = call_borrow(own.worker);
    message.session_ms = own.session_ms;
    message.node = place_name(own.node, "ACKD_NODE_NAME");
    message.pod = place_name(own.pod, "ACKD_POD_NAME");
    message.pod_namespace = place_name(own.pod_namespace, "ACKD_POD_NAMESPACE");
    response = call_run(&call, client, "SessionService", "Open", &message.base,
                        &ackd__v1__open_session_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_session *session = call.reply;

        session->id = call_text(&call, response->session_id);
        session->session_ms = response->session_ms;
        session->heartbeat_ms = response->heartbeat_ms;
    }
    return call_end(&call, (void **)ret_session, error);
}

void ackd_session_free(struct ackd_session *session)
{
    owned_free(session);
}

enum ackd_status ackd_client_heartbeat(struct ackd_client *client, const char *session_id,
                                       const char *const *progress, size_t count,
                                       struct ackd_heartbeat_reply **ret_reply,
                                       struct ackd_error *error)
{
    Ackd__V1__HeartbeatRequest request = ACKD__V1__HEARTBEAT_REQUEST__INIT;
    const Ackd__V1__HeartbeatResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_heartbeat_reply));
    request.session_id = call_borrow(session_id);
    request.n_progress = count;
    request.progress = call_borrow_texts(&call, progress, count);
    response = call_run(&call, client, "SessionService", "Heartbeat", &request.base,
                        &ackd__v1__heartbeat_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_heartbeat_reply *reply = call.reply;

        reply->session_ms = response->session_ms;
        reply->leased = response->leased;
        reply->stops =
            call_array(&call, response->n_stops, sizeof reply->stops[0], &reply->stop_count);
        for (size_t i = 0; i < reply->stop_count; i++) {
            reply->stops[i].lease_token = call_text(&call, response->stops[i]->lease_token);
            reply->stops[i].reason = stop_from_reason(response->stops[i]->reason);
        }
    }
    return call_end(&call, (void **)ret_reply, error);
}

void ackd_heartbeat_reply_free(struct ackd_heartbeat_reply *reply)
{
    owned_free(reply);
}

enum ackd_status ackd_client_close_session(struct ackd_client *client, const char *session_id,
                                           int64_t *ret_returned, struct ackd_error *error)
{
    Ackd__V1__CloseSessionRequest request = ACKD__V1__CLOSE_SESSION_REQUEST__INIT;
    const Ackd__V1__CloseSessionResponse *response;
    struct call call;

    call_begin(&call, 0);
    request.session_id = call_borrow(session_id);
    response = call_run(&call, client, "SessionService", "Close", &request.base,
                        &ackd__v1__close_session_response__descriptor, 0);
    if (response != NULL && ret_returned != NULL)
        *ret_returned = response->returned;
    return call_end(&call, NULL, error);
}

enum ackd_status ackd_client_list_sessions(struct ackd_client *client, const char *queue,
                                           struct ackd_session_list **ret_list,
                                           struct ackd_error *error)
{
    Ackd__V1__ListSessionsRequest request = ACKD__V1__LIST_SESSIONS_REQUEST__INIT;
    const Ackd__V1__ListSessionsResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_session_list));
    request.queue = call_borrow(queue);
    response = call_run(&call, client, "SessionService", "List", &request.base,
                        &ackd__v1__list_sessions_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_session_list *list = call.reply;

        list->sessions =
            call_array(&call, response->n_sessions, sizeof list->sessions[0], &list->session_count);
        for (size_t i = 0; i < list->session_count; i++)
            session_from_message(&call, response->sessions[i], &list->sessions[i]);
    }
    return call_end(&call, (void **)ret_list, error);
}

void ackd_session_list_free(struct ackd_session_list *list)
{
    owned_free(list);
}

/* A reason that this library does not know yet still means: stop. */
static enum ackd_stop stop_from_reason(Ackd__V1__StopReason reason)
{
    switch ((int)reason) {
    case ACKD__V1__STOP_REASON__STOP_REASON_CANCELLED:
        return ACKD_STOP_CANCELLED;
    case ACKD__V1__STOP_REASON__STOP_REASON_DONE:
        return ACKD_STOP_DONE;
    default:
        return ACKD_STOP_LOST;
    }
}

static void session_from_message(struct call *call, const Ackd__V1__Session *message,
                                 struct ackd_session_view *view)
{
    view->id = call_text(call, message->session_id);
    view->queue = call_text(call, message->queue);
    view->worker = call_text(call, message->worker);
    view->opened_unix_ms = message->opened_unix_ms;
    view->heartbeat_unix_ms = message->heartbeat_unix_ms;
    view->session_ms = message->session_ms;
    view->leased = message->leased;
    view->acked = message->acked;
    view->node = call_text(call, message->node);
    view->pod = call_text(call, message->pod);
    view->pod_namespace = call_text(call, message->pod_namespace);
}
