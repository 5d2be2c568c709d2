/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.c -- a broker without sockets and threads, and what every answer must be.
 */
#include "rig.h"

#include <jansson.h>

#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "fuzz.h"
#include "rpc/reply.h"
#include "shard/check.h"
#include "shard/shard.h"
#include "store/mem.h"
#include "unthreaded.h"

#define START_MS INT64_C(1700000000000)
#define STEPS_MAX 100000
#define RESPONSE_BYTES_MAX ((size_t)256 << 20)

static int64_t now_ms(void *context)
{
    return ((struct rig *)context)->now_ms;
}

static void on_failure(void *context)
{
    (void)context;
    CHECK(!"the mem store failed");
}

struct rig *rig_open(void)
{
    static struct rig rig;
    struct service_options options = {
        .clock = {now_ms, &rig},
        .limits = limits_default(),
        .stores = rig.stores,
        .shard_count = RIG_SHARDS,
        .restart_grace_ms = 10000,
        .on_failure = on_failure,
        .version = "fuzz",
    };
    struct error error = ERROR_NONE;

    memset(&rig, 0, sizeof rig);
    rig.now_ms = START_MS;
    list_init(&rig.asks);
    desk_init(&rig.desk);
    for (int i = 0; i < RIG_SHARDS; i++)
        CHECK(store_mem_open(&rig.stores[i]) == STATUS_OK);
    CHECK(service_open(&options, &rig.service, &error) == STATUS_OK);
    rpc_init(&rig.rpc, &(struct rpc_options){.service = rig.service,
                                             .counters = &rig.counters,
                                             .version = "fuzz",
                                             .started_unix_ms = START_MS});
    return &rig;
}

/* ---- what comes back ---- */

static void keep_name(char names[][RIG_NAME_BYTES_MAX], int *count, const char *name)
{
    CHECK(strlen(name) > 0 && strlen(name) < RIG_NAME_BYTES_MAX);
    if (*count < RIG_NAMES_MAX)
        strcpy(names[(*count)++], name);
}

static void keep_names(struct rig *self, const ProtobufCMessage *response)
{
    if (response->descriptor == &ackd__v1__lease_response__descriptor) {
        const Ackd__V1__LeaseResponse *lease = (const Ackd__V1__LeaseResponse *)response;

        for (size_t i = 0; i < lease->n_tasks; i++)
            keep_name(self->tokens, &self->token_count, lease->tasks[i]->lease_token);
    } else if (response->descriptor == &ackd__v1__open_session_response__descriptor) {
        const Ackd__V1__OpenSessionResponse *session =
            (const Ackd__V1__OpenSessionResponse *)response;

        keep_name(self->sessions, &self->session_count, session->session_id);
    }
}

static void judge_response(struct rig *self, const struct rpc_request *request)
{
    ProtobufCMessage *response;
    struct error error = ERROR_NONE;
    struct arena arena;

    arena_init(&arena, RESPONSE_BYTES_MAX);
    CHECK(codec_decode(request->codec, buffer_view(&request->reply), request->method->response,
                       &arena, &response, &error) == STATUS_OK);
    keep_names(self, response);
    arena_deinit(&arena);
}

static void judge_error(const struct rpc_request *request)
{
    json_t *body = json_loadb((const char *)request->reply.data, request->reply.size, 0, NULL);

    CHECK(json_is_string(json_object_get(body, "code")));
    CHECK(json_is_string(json_object_get(body, "message")));
    CHECK(json_array_size(json_object_get(body, "details")) == 1);
    json_decref(body);
}

static void judge(struct rig *self, const struct rpc_request *request) /* G2 */
{
    CHECK(!request->reply.failed);
    CHECK(request->http_status >= 200 && request->http_status != 500);
    if (request->http_status == 204)
        CHECK(request->reply.size == 0);
    else if (request->http_status == 200 && request->method != NULL)
        judge_response(self, request);
    else if (request->http_status != 200 && strcmp(request->content_type, CONTENT_JSON) == 0)
        judge_error(request);
    CHECK(utf8_is_valid(buffer_view(&request->reply)) || request->codec == CODEC_PROTOBUF);
}

static void on_done(struct rpc_request *request)
{
    struct ask *ask = CONTAINER_OF(request, struct ask, request);

    CHECK(!ask->done); /* G1 */
    ask->done = true;
    ask->rig->desk.answered++;
    judge(ask->rig, request);
    buffer_deinit(&request->reply);
}

/* ---- asking ---- */

void rig_run(struct rig *self)
{
    bool busy = true;

    for (int i = 0; busy; i++) {
        CHECK(i < STEPS_MAX);
        busy = unthreaded_step();
        busy |= mailbox_drain(&self->desk.mailbox) > 0;
    }
}

/* The store's check has a thread of its own, whose letter is waited for. */
static bool is_inspected(const struct rpc_request *request)
{
    return request->method != NULL &&
           strcmp(request->method->path, "/ackd.v1.AdminService/Check") == 0;
}

struct ask *rig_ask(struct rig *self, const char *verb, struct slice path, const char *content_type,
                    struct slice body)
{
    struct ask *ask = calloc(1, sizeof *ask);
    uint8_t *copy = exact_copy(body);

    CHECK(ask != NULL);
    ask->rig = self;
    list_append(&self->asks, &ask->link);
    arena_init(&ask->arena, 0);
    ask->request = (struct rpc_request){
        .verb = slice_of_string(verb),
        .path = path,
        .body = slice_of(copy, body.size),
        .arena = &ask->arena,
        .mailbox = &self->desk.mailbox,
        .done = on_done,
    };
    if (content_type != NULL)
        ask->request.headers[RPC_HEADER_CONTENT_TYPE] = slice_of_string(content_type);
    rpc_begin(&self->rpc, &ask->request);
    free(copy); /* what was decoded refers to the arena alone */
    rig_run(self); /* a shard begins the check */
    while (!ask->done && is_inspected(&ask->request))
        desk_wait(&self->desk, self->desk.answered + 1);
    rig_run(self);
    return ask;
}

void rig_pass(struct rig *self, int64_t ms)
{
    self->now_ms += ms;
    rig_run(self);
}

void rig_cancel_first(struct rig *self)
{
    LIST_EACH (link, &self->asks) {
        struct ask *ask = CONTAINER_OF(link, struct ask, link);

        if (ask->done)
            continue;
        rpc_cancel(&ask->request);
        rig_run(self);
        CHECK(ask->done);
        return;
    }
}

/* ---- the end ---- */

static void check_store(struct rig *self, struct store *store) /* G3 */
{
    struct inspect_call call = {.problem_count = 0};
    struct arena arena;

    arena_init(&arena, SIZE_MAX);
    call_init(&call.call, &verb_stats, &arena, &self->desk.mailbox, NULL, NULL);
    CHECK(check_run(store, &call) == STATUS_OK);
    for (int64_t i = 0; i < call.problem_count && i < CHECK_PROBLEMS_MAX; i++)
        (void)fprintf(stderr, "problem: %s\n", call.problems[i]);
    CHECK(call.problem_count == 0);
    arena_deinit(&arena);
}

void rig_close(struct rig *self)
{
    struct list *link;

    for (int i = 0; i < RIG_SHARDS; i++)
        check_store(self, self->stores[i]);
    service_drain(self->service);
    rig_run(self);
    service_close(self->service);
    mailbox_drain(&self->desk.mailbox);
    CHECK(counter_get(&self->counters.in_flight) == 0);
    desk_deinit(&self->desk);
    while ((link = list_take_first(&self->asks)) != NULL) {
        struct ask *ask = CONTAINER_OF(link, struct ask, link);

        CHECK(ask->done); /* G1 */
        arena_deinit(&ask->arena);
        free(ask);
    }
}
