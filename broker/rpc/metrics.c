/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c -- GET /metrics: the tables of what is counted, and gathering it.
 *
 *   Stats --> Queue.List, page after page --> one text
 *
 * Queues and shards are asked for through the service, as any client would: the shards' threads
 * answer between their batches, and nothing is read behind their backs. The replies stay in the
 * request's arena until the text is written.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "base/assert.h"
#include "rpc/faces.h"
#include "rpc/metric_text.h"
#include "rpc/process.h"
#include "rpc/reply.h"

#define QUEUE_METRICS(X)                                                                           \
    /* id, metric, labels, type, text, value */                                                    \
    X(ready, "ackd_queue_tasks", "state=\"ready\"", "gauge", "Tasks by state",                     \
      queue->counts->ready)                                                                        \
    X(delayed, "ackd_queue_tasks", "state=\"delayed\"", "gauge", "", queue->counts->delayed)       \
    X(leased, "ackd_queue_tasks", "state=\"leased\"", "gauge", "", queue->counts->leased)          \
    X(dead, "ackd_queue_tasks", "state=\"dead\"", "gauge", "", queue->counts->dead)                \
    X(published, "ackd_queue_published_total", "", "counter", "Tasks stored by publish",           \
      queue->counts->published)                                                                    \
    X(done, "ackd_queue_done_total", "", "counter", "Tasks acked", queue->counts->done)            \
    X(purged, "ackd_queue_purged_total", "", "counter", "Tasks removed by purge or deletion",      \
      queue->counts->purged)                                                                       \
    X(deliveries, "ackd_queue_deliveries_total", "", "counter", "Leases given", queue->deliveries) \
    X(failures, "ackd_queue_failures_total", "", "counter", "Nacks with reason failed",            \
      queue->failures)                                                                             \
    X(preemptions, "ackd_queue_preemptions_total", "", "counter", "Tasks given back by a drain",   \
      queue->preemptions)                                                                          \
    X(losses, "ackd_queue_losses_total", "", "counter", "Leases that expired", queue->losses)      \
    X(salvaged, "ackd_queue_salvaged_total", "", "counter", "Tasks closed by a late result",       \
      queue->salvaged)                                                                             \
    X(useful, "ackd_queue_lease_seconds_total", "use=\"useful\"", "counter",                       \
      "Lease time that ended in an ack, and that did not", (double)queue->useful_lease_ms / 1000)  \
    X(wasted, "ackd_queue_lease_seconds_total", "use=\"wasted\"", "counter", "",                   \
      (double)queue->wasted_lease_ms / 1000)                                                       \
    X(waiters, "ackd_queue_waiters", "", "gauge", "Long polls waiting now", queue->waiters)        \
    X(sessions, "ackd_queue_sessions", "", "gauge", "Worker sessions open now", queue->sessions)   \
    X(paused, "ackd_queue_paused", "", "gauge", "1 while the queue hands out no tasks",            \
      queue->paused)

#define SHARD_METRICS(X)                                                                           \
    /* id, metric, type, text */                                                                   \
    X(commits, "ackd_shard_commits_total", "counter", "Transactions committed")                    \
    X(commands, "ackd_shard_commands_total", "counter", "Commands carried out")                    \
    X(used_bytes, "ackd_shard_used_bytes", "gauge", "Live bytes in the store")                     \
    X(file_bytes, "ackd_shard_file_bytes", "gauge", "The store's size on disk")                    \
    X(map_bytes, "ackd_shard_map_bytes", "gauge", "The most the store may grow to")                \
    X(leases, "ackd_shard_leases", "gauge", "Tasks leased now")                                    \
    X(waiters, "ackd_shard_waiters", "gauge", "Long polls waiting now")                            \
    X(sessions, "ackd_shard_sessions", "gauge", "Worker sessions open now")

#define X(id, metric, labels, type, text, value)                                                   \
    static double read_queue_##id(const void *object)                                              \
    {                                                                                              \
        const Ackd__V1__Queue *queue = object;                                                     \
                                                                                                   \
        return (double)(value);                                                                    \
    }
QUEUE_METRICS(X)
#undef X
#define X(id, metric, type, text)                                                                  \
    static double read_shard_##id(const void *object)                                              \
    {                                                                                              \
        return (double)((const Ackd__V1__ShardStats *)object)->id;                                 \
    }
SHARD_METRICS(X)
#undef X

static const struct metric_row queue_rows[] = {
#define X(id, metric, labels, type, text, value) {metric, labels, type, text, read_queue_##id},
    QUEUE_METRICS(X)
#undef X
};

static const struct metric_row shard_rows[] = {
#define X(id, metric, type, text) {metric, "", type, text, read_shard_##id},
    SHARD_METRICS(X)
#undef X
};

/* What came so far; in the request's arena. */
struct gathered {
    const Ackd__V1__StatsResponse *stats;
    const Ackd__V1__Queue **queues;
    size_t count;
    size_t capacity;
};

static void stats_done(struct service_call *call);
static void ask_queues(struct rpc_request *request, char *page_token);
static void queues_done(struct service_call *call);
static bool keep_queues(struct rpc_request *request, const Ackd__V1__ListQueuesResponse *page);
static void write_text(struct rpc_request *request);

static void lack_memory(struct rpc_request *request)
{
    reply_refuse(request, STATUS_UNAVAILABLE, "there is no memory for the metrics");
}

void metrics_begin(struct rpc_request *request)
{
    Ackd__V1__StatsRequest *message = ARENA_NEW(request->arena, Ackd__V1__StatsRequest);

    request->gathered = ARENA_NEW(request->arena, struct gathered);
    if (message == NULL || request->gathered == NULL) {
        lack_memory(request);
        return;
    }
    ackd__v1__stats_request__init(message);
    rpc_call(request, METHOD_stats, &message->base, stats_done);
}

static void stats_done(struct service_call *call)
{
    struct rpc_request *request = rpc_request_of(call);
    struct gathered *gathered = request->gathered;

    if (call->error.status != STATUS_OK) {
        reply_error(request, &call->error);
        return;
    }
    gathered->stats = (const Ackd__V1__StatsResponse *)call->response;
    ask_queues(request, NULL);
}

static void ask_queues(struct rpc_request *request, char *page_token)
{
    Ackd__V1__ListQueuesRequest *message = ARENA_NEW(request->arena, Ackd__V1__ListQueuesRequest);

    if (message == NULL) {
        lack_memory(request);
        return;
    }
    ackd__v1__list_queues_request__init(message);
    message->page_size = PAGE_SIZE_MAX;
    if (page_token != NULL)
        message->page_token = page_token;
    rpc_call(request, METHOD_queue_list, &message->base, queues_done);
}

static void queues_done(struct service_call *call)
{
    struct rpc_request *request = rpc_request_of(call);
    const Ackd__V1__ListQueuesResponse *page;

    if (call->error.status != STATUS_OK) {
        reply_error(request, &call->error);
        return;
    }
    page = (const Ackd__V1__ListQueuesResponse *)call->response;
    if (!keep_queues(request, page))
        lack_memory(request);
    else if (*page->next_page_token != '\0')
        ask_queues(request, page->next_page_token);
    else
        write_text(request);
}

static bool keep_queues(struct rpc_request *request, const Ackd__V1__ListQueuesResponse *page)
{
    struct gathered *gathered = request->gathered;
    size_t count = gathered->count + page->n_queues;

    if (count > gathered->capacity) {
        const Ackd__V1__Queue **queues =
            ARENA_ARRAY(request->arena, count * 2, const Ackd__V1__Queue *);

        if (queues == NULL)
            return false;
        if (gathered->count > 0)
            memcpy(queues, gathered->queues, gathered->count * sizeof *queues);
        gathered->queues = queues;
        gathered->capacity = count * 2;
    }
    for (size_t i = 0; i < page->n_queues; i++)
        gathered->queues[gathered->count++] = page->queues[i];
    return true;
}

static const void *queue_at(const void *context, size_t at)
{
    return ((const struct gathered *)context)->queues[at];
}

static const char *queue_name(const void *object, char scratch[32])
{
    (void)scratch;
    return ((const Ackd__V1__Queue *)object)->name;
}

static const void *shard_at(const void *context, size_t at)
{
    return ((const struct gathered *)context)->stats->shards[at];
}

static const char *shard_name(const void *object, char scratch[32])
{
    snprintf(scratch, 32, "%" PRId32, ((const Ackd__V1__ShardStats *)object)->shard);
    return scratch;
}

static void put_single(struct buffer *out, const char *name, const char *type, const char *text,
                       double value)
{
    metric_text_head(out, name, type, text);
    buffer_append_string(out, name);
    metric_text_value(out, value);
}

static void put_requests(struct buffer *out, const struct counters *counters)
{
    metric_text_head(out, "ackd_requests_total", "counter", "Requests answered");
    for (int row = 0; row <= METHOD_COUNT; row++) {
        for (int status = 0; status < STATUS_COUNT; status++) {
            int64_t count = counter_get(&counters->requests[row][status]);
            const struct method *method =
                row == METHOD_COUNT ? NULL : method_at((enum method_number)row);

            if (count == 0)
                continue;
            buffer_append_printf(
                out, "ackd_requests_total{service=\"%s\",method=\"%s\",code=\"%s\"} %" PRId64 "\n",
                method == NULL ? "" : method->service, method == NULL ? "" : method->name,
                status_name((enum status)status), count);
        }
    }
}

static void put_broker(struct buffer *out, const struct rpc_options *options, int64_t now_ms)
{
    const struct counters *counters = options->counters;

    metric_text_head(out, "ackd_build_info", "gauge", "1, with the broker's version");
    buffer_append_printf(out, "ackd_build_info{version=\"%s\"} 1\n", options->version);
    put_single(out, "ackd_ready", "gauge", "1 while the broker takes work",
               service_is_ready(options->service));
    put_single(out, "ackd_uptime_seconds", "gauge", "Since the broker began to serve",
               (double)(now_ms - options->started_unix_ms) / 1000);
#define X(field, metric, type, text)                                                               \
    put_single(out, metric, type, text, (double)counter_get(&counters->field));
    TRAFFIC_TABLE(X)
#undef X
    if (options->calls_budget != NULL)
        put_single(out, "ackd_call_memory_bytes", "gauge",
                   "Memory of large decoded requests and of large replies being made",
                   (double)budget_used(options->calls_budget));
    put_requests(out, counters);
}

static void put_process(struct buffer *out)
{
    struct process_usage usage = process_usage();

    put_single(out, "process_resident_memory_bytes", "gauge", "Resident memory",
               (double)usage.resident_bytes);
    put_single(out, "process_cpu_seconds_total", "counter", "User and system CPU time",
               usage.cpu_s);
}

static void write_text(struct rpc_request *request)
{
    const struct gathered *gathered = request->gathered;
    const struct metric_objects shards = {"shard", gathered->stats->n_shards, shard_at, shard_name,
                                          gathered};
    const struct metric_objects queues = {"queue", gathered->count, queue_at, queue_name, gathered};
    struct buffer *out = &request->reply;

    put_broker(out, &request->rpc->options, service_now_ms(request->rpc->options.service));
    put_process(out);
    metric_text_rows(out, shard_rows, sizeof shard_rows / sizeof *shard_rows, &shards);
    metric_text_rows(out, queue_rows, sizeof queue_rows / sizeof *queue_rows, &queues);
    reply_done(request, CONTENT_METRICS);
}
