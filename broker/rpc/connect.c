/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect.c -- the Connect protocol's unary form, so that any Connect client speaks to ackd, and
 * curl too: one POST a call, the message as the body, in protobuf or JSON; errors as JSON.
 *
 *   POST /ackd.v1.TaskService/Publish     Content-Type: application/proto | application/json
 *   Connect-Protocol-Version: 1           accepted, not demanded: curl does not send it
 *   Connect-Timeout-Ms: 5000              the service ends a long poll before it
 *
 * Not spoken: compression (no Content-Encoding but identity), Connect's GET form, streams.
 */
#include <strings.h>

#include "base/assert.h"
#include "rpc/caller.h"
#include "rpc/faces.h"
#include "rpc/reply.h"

/* What decoding may take: a body of very many very small items grows most. */
#define DECODE_BYTES_PER_BYTE 4
#define DECODE_BYTES_BASE ((size_t)4 << 20)
#define TIMEOUT_DIGITS_MAX 10

static enum status check_head(struct rpc_request *request, struct error *error);
static void refuse_content_type(struct rpc_request *request);
static bool read_codec(struct rpc_request *request);
static enum status decode_body(struct rpc_request *request, ProtobufCMessage **ret_message,
                               struct error *error);
static void connect_done(struct service_call *call);

void connect_begin(struct rpc_request *request)
{
    struct error error; /* of what is refused */
    ProtobufCMessage *message;

    if (!slice_equal(request->verb, slice_of_string("POST"))) {
        request->header_line = "Allow: POST, OPTIONS";
        reply_refuse(request, STATUS_WRONG_METHOD, "methods are called with POST");
        return;
    }
    if (caller_admit(request, request->method->rights, request->method->reach, SLICE_EMPTY,
                     &error) != STATUS_OK) {
        reply_error(request, &error);
        return;
    }
    if (!read_codec(request)) {
        refuse_content_type(request);
        return;
    }
    if (check_head(request, &error) != STATUS_OK ||
        decode_body(request, &message, &error) != STATUS_OK ||
        caller_may_call(request, message, &error) != STATUS_OK) {
        reply_error(request, &error);
        return;
    }
    rpc_call(request, method_number(request->method), message, connect_done);
}

static bool text_is(struct slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

/* "application/json; charset=utf-8" without its parameters. */
static struct slice media_type_of(struct slice value)
{
    const uint8_t *end = value.size == 0 ? NULL : memchr(value.data, ';', value.size);

    if (end != NULL)
        value.size = (size_t)(end - value.data);
    while (value.size > 0 && value.data[value.size - 1] == ' ')
        value.size--;
    return value;
}

static bool read_codec(struct rpc_request *request)
{
    struct slice type = media_type_of(request->headers[RPC_HEADER_CONTENT_TYPE]);

    if (text_is(type, CONTENT_PROTO))
        request->codec = CODEC_PROTOBUF;
    else if (text_is(type, CONTENT_JSON))
        request->codec = CODEC_JSON;
    else
        return false;
    return true;
}

static void refuse_content_type(struct rpc_request *request)
{
    struct error error = ERROR_NONE;

    error_set(&error, STATUS_UNIMPLEMENTED,
              "the Content-Type must be " CONTENT_JSON " or " CONTENT_PROTO);
    rpc_error_body(&error, &request->reply);
    request->header_line = "Accept-Post: " CONTENT_JSON ", " CONTENT_PROTO;
    reply_done_as(request, STATUS_UNIMPLEMENTED, 415, CONTENT_JSON);
}

static enum status refuse_header(struct error *error, enum status status, const char *name,
                                 const char *message)
{
    error_set(error, status, "%s", message);
    memcpy(error->field, name, strlen(name) + 1);
    return status;
}

static enum status read_timeout(struct rpc_request *request, struct error *error)
{
    struct slice text = request->headers[RPC_HEADER_CONNECT_TIMEOUT_MS];

    if (text.data == NULL)
        return STATUS_OK;
    for (size_t i = 0; i < text.size && i < TIMEOUT_DIGITS_MAX; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            break;
        request->timeout_ms = request->timeout_ms * 10 + (text.data[i] - '0');
        if (i + 1 == text.size)
            return request->timeout_ms != 0 ? STATUS_OK : error_set(error, STATUS_TIMEOUT, NULL);
    }
    return refuse_header(error, STATUS_MALFORMED, "Connect-Timeout-Ms",
                         "the timeout must be 1 to 10 digits, in milliseconds");
}

static enum status check_head(struct rpc_request *request, struct error *error)
{
    struct slice encoding = request->headers[RPC_HEADER_CONTENT_ENCODING];
    struct slice version = request->headers[RPC_HEADER_CONNECT_PROTOCOL_VERSION];

    if (encoding.data != NULL && !text_is(encoding, "identity"))
        return refuse_header(error, STATUS_UNIMPLEMENTED, "Content-Encoding",
                             "compressed requests are not served: send it as identity");
    if (version.data != NULL && !text_is(version, "1"))
        return refuse_header(error, STATUS_MALFORMED, "Connect-Protocol-Version",
                             "only version 1 of the Connect protocol is spoken");
    return read_timeout(request, error);
}

static enum status decode_body(struct rpc_request *request, ProtobufCMessage **ret_message,
                               struct error *error)
{
    size_t needed = request->body.size * DECODE_BYTES_PER_BYTE + DECODE_BYTES_BASE;
    enum status status;

    arena_set_max(request->arena, request->arena->used_bytes + needed);
    status = codec_decode(request->codec, request->body, request->method->request, request->arena,
                          ret_message, error);
    if (status == STATUS_OK)
        request->call.request = *ret_message;
    return status;
}

static void connect_done(struct service_call *call)
{
    struct rpc_request *request = rpc_request_of(call);

    if (call->error.status != STATUS_OK) {
        reply_error(request, &call->error);
        return;
    }
    ASSERT(call->response != NULL && call->response->descriptor == request->method->response);
    codec_encode(request->codec, call->response, &request->reply);
    reply_done(request, request->codec == CODEC_JSON ? CONTENT_JSON : CONTENT_PROTO);
}
