/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.h -- ackctl's calls to the broker, and what to tell the user when one fails.
 *
 *     struct ackd_reply *reply = BROKER_CALL(cli, "QueueService", "Get", &request,
 *                                            get_queue_response, &code);
 *     if (reply == NULL)
 *         return code;
 *
 * Every message about a failed call says what to do next.
 */
#ifndef ACKD_CLI_BROKER_H
#define ACKD_CLI_BROKER_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "cli/cli.h"

/* A call whose failure has its own treatment. `timeout_ms` 0: --timeout. The reply lives in
 * `arena`. */
enum status broker_try(struct cli *cli, const char *service, const char *method,
                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
                       struct arena *arena, int64_t timeout_ms, ProtobufCMessage **ret_response,
                       struct error *error) MUST_USE;
/* A call whose failure ends the command: it is told, *ret_code is the exit code, and the reply is
 * NULL. */
void *broker_call(struct cli *cli, const char *service, const char *method,
                  const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
                  struct arena *arena, int64_t timeout_ms, enum exit_code *ret_code);

#define BROKER_CALL(cli, service, method, request, response, ret_code)                             \
    broker_call((cli), (service), (method), &(request)->base, &ackd__v1__##response##__descriptor, \
                &(cli)->arena, 0, (ret_code))

/* A plain GET of `path`, such as "/healthz", whose body does not matter. */
enum status broker_get(struct cli *cli, const char *path, long *ret_http_status,
                       struct error *error) MUST_USE;
/* The URL in use; after a call. */
const char *broker_url(const struct cli *cli);
/* Whether nothing goes over a network in the clear; after a call. */
bool broker_stays_here(const struct cli *cli);

/* Ends the connection, if there was one. */
void broker_close(struct cli *cli);

/* Tells a failed call and what to do about it; returns the exit code. */
enum exit_code broker_complain(const struct cli *cli, const struct error *error);
/* The sentence for one error with its limit and value, such as of an item of a batch. */
void broker_describe(const struct error *error, struct buffer *out);
/* Whether the same call may be repeated after a moment: the broker is away, busy or full. */
bool broker_is_away(const struct error *error);

#endif
