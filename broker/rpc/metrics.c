/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c -- GET /metrics.
 *
 * The shards' threads answer between their batches, and nothing is read behind their backs. The
 * number of series is bounded: see --metrics-queues and service/figures.h.
 */
#include <inttypes.h>

#include "rpc/faces.h"
#include "rpc/metric_tables.h"
#include "rpc/process.h"
#include "rpc/reply.h"

static void figures_done(struct service_call *call);
static void put_broker(struct buffer *out, const struct rpc_options *options, int64_t now_ms);
static void put_process(struct buffer *out, const struct rpc_options *options);

void metrics_begin(struct rpc_request *request)
{
    rpc_call_figures(request, figures_done);
}

static void figures_done(struct service_call *call)
{
    struct rpc_request *request = rpc_request_of(call);
    const struct rpc_options *options = &request->rpc->options;
    struct buffer *out = &request->reply;

    if (call->error.status != STATUS_OK) {
        reply_error(request, &call->error);
        return;
    }
    put_broker(out, options, service_now_ms(options->service));
    put_process(out, options);
    if (options->auth != NULL && auth_trust(options->auth) != NULL)
        metric_issuers_put(out, auth_trust(options->auth));
    metric_tables_put(out, (const struct figures *)(const void *)call->response);
    reply_done(request, CONTENT_METRICS);
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

static void put_limited(struct buffer *out, const struct counters *counters)
{
    metric_text_head(out, "ackd_limited_total", "counter",
                     "Requests and connections refused at a limit");
    for (int i = 0; i < LIMITED_COUNT; i++)
        buffer_append_printf(out, "ackd_limited_total{limit=\"%s\"} %" PRId64 "\n",
                             limited_name((enum limited)i), counter_get(&counters->limited[i]));
}

static void put_broker(struct buffer *out, const struct rpc_options *options, int64_t now_ms)
{
    const struct counters *counters = options->counters;

    metric_text_head(out, "ackd_build_info", "gauge", "1, with the broker's version");
    buffer_append_printf(out, "ackd_build_info{version=\"%s\"} 1\n", options->version);
    metric_text_single(out, "ackd_ready", "gauge", "1 while the broker takes work",
                       service_is_ready(options->service));
    metric_text_single(out, "ackd_uptime_seconds", "gauge", "Since the broker began to serve",
                       (double)(now_ms - options->started_unix_ms) / 1000);
#define X(field, metric, type, text)                                                               \
    metric_text_single(out, metric, type, text, (double)counter_get(&counters->field));
    TRAFFIC_TABLE(X)
#undef X
    if (options->calls_budget != NULL)
        metric_text_single(out, "ackd_call_memory_bytes", "gauge",
                           "Memory of large decoded requests and of large replies being made",
                           (double)budget_used(options->calls_budget));
    put_requests(out, counters);
    put_limited(out, counters);
}

static void put_process(struct buffer *out, const struct rpc_options *options)
{
    struct process_usage usage = process_usage();

    metric_text_single(out, "process_start_time_seconds", "gauge",
                       "When the process began to serve, since the Unix epoch",
                       (double)options->started_unix_ms / 1000);
    metric_text_single(out, "process_open_fds", "gauge", "File descriptors open now",
                       (double)usage.descriptors);
    metric_text_single(out, "process_max_fds", "gauge", "File descriptors that may be open at once",
                       (double)usage.descriptors_max);

    metric_text_single(out, "process_resident_memory_bytes", "gauge", "Resident memory",
                       (double)usage.resident_bytes);
    metric_text_single(out, "process_cpu_seconds_total", "counter", "User and system CPU time",
                       usage.cpu_s);
}
