/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.c -- the GETs for machines around the broker and for a person with a browser.
 *
 *   /, /dashboard/FILE      the dashboard (dashboard.c)
 *   /api                    what is here, for readers of text
 *   /healthz                200 while the loop that answers is alive; asks nobody else
 *   /readyz                 200 while work is taken, 503 with the reason when not
 *   /metrics                Prometheus' text (metrics.c)
 *   /v1/queues/NAME/scale   a queue's numbers as small JSON, for autoscalers
 *
 * The last two take the right to read: on all queues, or on the one they name.
 */
#include <inttypes.h>

#include "ackd/v1/queue.pb-c.h"
#include "rpc/caller.h"
#include "rpc/faces.h"
#include "rpc/reply.h"

#define SCALE_PREFIX "/v1/queues/"
#define SCALE_SUFFIX "/scale"
#define PLAIN_BYTES_MAX ((size_t)64 << 10) /* for what is asked of the service */

static void api_begin(struct rpc_request *request);
static void healthz_begin(struct rpc_request *request);
static void readyz_begin(struct rpc_request *request);
static void scale_begin(struct rpc_request *request);
static bool is_scale_path(struct slice path);

struct route {
    const char *path;
    void (*begin)(struct rpc_request *request);
    bool is_open; /* to everybody */
};

static const struct route routes[] = {
    {"/api", api_begin, true},
    {"/healthz", healthz_begin, true},
    {"/readyz", readyz_begin, true},
    {"/metrics", metrics_begin, false},
};

static const struct route scale_route = {SCALE_PREFIX "NAME" SCALE_SUFFIX, scale_begin, false};
static const struct route dashboard_route = {"/", dashboard_begin, true};

static const struct route *find_route(struct slice path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (slice_equal(slice_of_string(routes[i].path), path))
            return &routes[i];
    }
    if (dashboard_has(path))
        return &dashboard_route;
    return is_scale_path(path) ? &scale_route : NULL;
}

static void refuse_path(struct rpc_request *request)
{
    int shown = request->path.size < 128 ? (int)request->path.size : 128;
    bool method = slice_starts_with(request->path, slice_of_string("/ackd."));

    reply_refuse(request, method ? STATUS_UNIMPLEMENTED : STATUS_NOT_FOUND, "there is no %s %.*s",
                 method ? "method" : "page", shown, (const char *)request->path.data);
}

static struct slice name_in_path(struct slice path)
{
    size_t begin = strlen(SCALE_PREFIX);

    return slice_of(path.data + begin, path.size - begin - strlen(SCALE_SUFFIX));
}

static void begin_route(struct rpc_request *request, const struct route *route)
{
    bool one_queue = route == &scale_route;
    struct error error = ERROR_NONE;

    if (!route->is_open &&
        caller_admit(request, RIGHT_READ, one_queue ? REACH_QUEUE : REACH_BROKER,
                     one_queue ? name_in_path(request->path) : SLICE_EMPTY, &error) != STATUS_OK)
        reply_error(request, &error);
    else
        route->begin(request);
}

void plain_begin(struct rpc_request *request)
{
    const struct route *route = find_route(request->path);

    arena_set_max(request->arena, request->arena->used_bytes + PLAIN_BYTES_MAX);
    if (route == NULL) {
        refuse_path(request);
    } else if (slice_equal(request->verb, slice_of_string("GET")) ||
               slice_equal(request->verb, slice_of_string("HEAD"))) {
        begin_route(request, route);
    } else {
        request->header_line = "Allow: GET, HEAD, OPTIONS";
        reply_refuse(request, STATUS_WRONG_METHOD, "this page is read with GET");
    }
}

static void api_begin(struct rpc_request *request)
{
    buffer_append_printf(&request->reply,
                         "ackd %s, a work-queue broker\n\n"
                         "POST /ackd.v1.SERVICE/METHOD   the API: Connect's unary protocol,\n"
                         "                               application/json or application/proto\n"
                         "GET  /                         the dashboard, for a browser\n"
                         "GET  /healthz                  whether the broker lives\n"
                         "GET  /readyz                   whether it takes work\n"
                         "GET  /metrics                  counters, as Prometheus reads them\n"
                         "GET  /v1/queues/NAME/scale     a queue's numbers, for autoscalers\n\n"
                         "Methods:\n",
                         request->rpc->options.version);
    for (int i = 0; i < METHOD_COUNT; i++) {
        buffer_append_string(&request->reply, "  ");
        buffer_append_string(&request->reply, method_at((enum method_number)i)->path);
        buffer_append_string(&request->reply, "\n");
    }
    reply_done(request, CONTENT_TEXT);
}

static void healthz_begin(struct rpc_request *request)
{
    buffer_append_string(&request->reply, "ok\n");
    reply_done(request, CONTENT_TEXT);
}

static void readyz_begin(struct rpc_request *request)
{
    if (service_is_ready(request->rpc->options.service)) {
        buffer_append_string(&request->reply, "ready\n");
        reply_done(request, CONTENT_TEXT);
        return;
    }
    buffer_append_string(&request->reply, "not ready: the broker is draining before it stops\n");
    reply_done_as(request, STATUS_UNAVAILABLE, status_http(STATUS_UNAVAILABLE), CONTENT_TEXT);
}

static bool is_scale_path(struct slice path)
{
    size_t ends = strlen(SCALE_PREFIX) + strlen(SCALE_SUFFIX);

    return slice_starts_with(path, slice_of_string(SCALE_PREFIX)) && path.size > ends &&
           memcmp(path.data + path.size - strlen(SCALE_SUFFIX), SCALE_SUFFIX,
                  strlen(SCALE_SUFFIX)) == 0;
}

static void scale_done(struct service_call *call)
{
    struct rpc_request *request = rpc_request_of(call);
    const Ackd__V1__Queue *queue;

    if (call->error.status != STATUS_OK) {
        reply_error(request, &call->error);
        return;
    }
    queue = ((const Ackd__V1__GetQueueResponse *)call->response)->queue;
    buffer_append_string(&request->reply, "{\"queue\":");
    codec_json_string(queue->name, &request->reply);
    /* The backlog is what workers could be busy with now: scaling on `ready` alone would take
     * workers away while they work on the last tasks. */
    buffer_append_printf(&request->reply,
                         ",\"ready\":%" PRId64 ",\"leased\":%" PRId64 ",\"delayed\":%" PRId64
                         ",\"backlog\":%" PRId64 ",\"paused\":%s}\n",
                         queue->counts->ready, queue->counts->leased, queue->counts->delayed,
                         queue->counts->ready + queue->counts->leased,
                         queue->paused ? "true" : "false");
    reply_done(request, CONTENT_JSON);
}

/* Queue names need no escaping in a path; a path that holds a '%' names no queue. */
static void scale_begin(struct rpc_request *request)
{
    Ackd__V1__GetQueueRequest *message = ARENA_NEW(request->arena, Ackd__V1__GetQueueRequest);
    char *name = arena_string(request->arena, name_in_path(request->path));

    if (message == NULL || name == NULL) {
        reply_refuse(request, STATUS_UNAVAILABLE, "there is no memory for the request");
        return;
    }
    ackd__v1__get_queue_request__init(message);
    message->name = name;
    rpc_call(request, METHOD_queue_get, &message->base, scale_done);
}
