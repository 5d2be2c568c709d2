/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.c -- ackctl's calls to the broker.
 */
#include "cli/broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ackd/version.h"
#include "base/clock.h"
#include "transport.h"

static enum status open_transport(struct cli *cli, struct error *error)
{
    const struct transport_options options = {
        .url = cli->url, .user_agent = "ackctl/" ACKD_VERSION, .timeout_ms = cli->timeout_ms};

    if (cli->transport != NULL)
        return STATUS_OK;
    return transport_open(&options, &cli->transport, error);
}

static void tell_call(const struct cli *cli, const char *service, const char *method,
                      int64_t began_ms, const struct error *error)
{
    struct clock clock = clock_real();

    if (!cli->is_verbose)
        return;
    fprintf(stderr, "%s.%s: %s, %lld ms\n", service, method, status_name(error->status),
            (long long)(clock_now_ms(&clock) - began_ms));
}

enum status broker_try(struct cli *cli, const char *service, const char *method,
                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
                       struct arena *arena, int64_t timeout_ms, ProtobufCMessage **ret_response,
                       struct error *error)
{
    struct clock clock = clock_real();
    int64_t began_ms = clock_now_ms(&clock);
    enum status status;

    *error = ERROR_NONE;
    *ret_response = NULL;
    status = open_transport(cli, error);
    if (status == STATUS_OK)
        status =
            transport_call(cli->transport, service, method, request, response, arena,
                           timeout_ms == 0 ? cli->timeout_ms : timeout_ms, ret_response, error);
    tell_call(cli, service, method, began_ms, error);
    return status;
}

void *broker_call(struct cli *cli, const char *service, const char *method,
                  const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
                  struct arena *arena, int64_t timeout_ms, enum exit_code *ret_code)
{
    ProtobufCMessage *reply;
    struct error error;

    if (broker_try(cli, service, method, request, response, arena, timeout_ms, &reply, &error) !=
        STATUS_OK) {
        *ret_code = broker_complain(cli, &error);
        return NULL;
    }
    *ret_code = EXIT_OK;
    return reply;
}

enum status broker_get(struct cli *cli, const char *path, long *ret_http_status,
                       struct error *error)
{
    struct buffer body = BUFFER_EMPTY;
    enum status status;

    *error = ERROR_NONE;
    status = open_transport(cli, error);
    if (status == STATUS_OK)
        status =
            transport_get(cli->transport, path, cli->timeout_ms, &body, ret_http_status, error);
    buffer_deinit(&body);
    return status;
}

const char *broker_url(const struct cli *cli)
{
    return cli->transport == NULL ? cli->url : transport_url(cli->transport);
}

bool broker_stays_here(const struct cli *cli)
{
    return transport_stays_here(cli->transport);
}

void broker_close(struct cli *cli)
{
    transport_close(cli->transport);
    cli->transport = NULL;
}

bool broker_is_away(const struct error *error)
{
    return transport_no_reply(error) || status_is_retryable(error->status);
}

/* Most messages say the limit themselves. */
static bool tells_limit(const struct error *error)
{
    char limit[24];

    snprintf(limit, sizeof limit, "%lld", (long long)error->limit);
    return strstr(error->message, limit) != NULL;
}

void broker_describe(const struct error *error, struct buffer *out)
{
    buffer_append_string(out, error->message[0] == '\0' ? status_sentence(error->status)
                                                        : error->message);
    if (error->limit != 0 && !tells_limit(error))
        buffer_append_printf(out, " (limit %lld, was %lld)", (long long)error->limit,
                             (long long)error->value);
}

/* What to do next; each may use the queue's name once. NULL: the message says it all. */
static const char *hint_for(enum status status)
{
    switch (status) {
    case STATUS_QUEUE_NOT_FOUND:
        return "Make it with `ackctl queue create %s`; `ackctl queue list` shows those there are.";
    case STATUS_QUEUE_EXISTS:
        return "`ackctl queue show %1$s` shows its config, `ackctl queue update %1$s` changes it.";
    case STATUS_TASK_NOT_FOUND:
        return "`ackctl list %1$s` shows the tasks that are not done; done ones are forgotten "
               "after the queue's --dedup-retention.";
    case STATUS_LEASE_LOST:
        return "The task may be with another worker now: lease again.";
    case STATUS_UNAUTHENTICATED:
        return "Name the file that holds a valid token with --token-file or ACKD_TOKEN_FILE.";
    case STATUS_PERMISSION_DENIED:
        return "`ackctl token create` makes tokens with other grants; it takes admin on *.";
    case STATUS_RATE_LIMITED:
        return "The broker bounds what one caller may ask; see `ackd --help`, --max-...";
    case STATUS_STORE_FULL:
        return "Let workers finish tasks, or purge and delete queues; see `ackctl stats`.";
    case STATUS_CORRUPT:
        return "`ackctl check` reads every record and names the damaged ones.";
    case STATUS_UNIMPLEMENTED:
        return "Broker and ackctl differ in version; see `ackctl version` and `ackctl stats`.";
    case STATUS_TIMEOUT:
        return "The outcome is not known; --timeout gives the broker more time.";
    default:
        return NULL;
    }
}

static void tell_not_reached(const struct cli *cli, const struct error *error)
{
    complain("broker not reached at %s: is ackd running? Start it with `ackd --data-dir DIR`, or "
             "name another with --url or ACKD_URL",
             transport_url(cli->transport));
    if (cli->is_verbose)
        fprintf(stderr, "  %s\n", error->message);
}

static void tell_hint(const struct cli *cli, enum status status)
{
    const char *hint = hint_for(status);
    const char *queue = cli_queue(cli);

    if (hint == NULL)
        return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    fprintf(stderr, hint, queue == NULL ? "QUEUE" : queue);
#pragma GCC diagnostic pop
    fputc('\n', stderr);
}

enum exit_code broker_complain(const struct cli *cli, const struct error *error)
{
    struct buffer text = BUFFER_EMPTY;

    if (cli->transport == NULL) {
        complain("--url: %s", error->message);
        return EXIT_USAGE;
    }
    if (transport_no_trust(error)) {
        complain("%s", error->message);
        return EXIT_NOT_REACHED;
    }
    if (transport_no_reply(error) && error->status == STATUS_UNAVAILABLE) {
        tell_not_reached(cli, error);
        return EXIT_NOT_REACHED;
    }
    broker_describe(error, &text);
    complain("%s", buffer_string(&text));
    buffer_deinit(&text);
    tell_hint(cli, error->status);
    return transport_no_reply(error) ? EXIT_NOT_REACHED : EXIT_REFUSED;
}
