/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_reply.c -- errors of the wire as `struct error`.
 *
 * An error of ackd is a Connect error: {"code", "message", "details": [{"type", "value"}]}, whose
 * detail is an ackd.v1.ErrorDetail in base64. An answer without one comes from a proxy, or from
 * something that is no ackd at all.
 */
#include "transport_reply.h"

#include <ctype.h>
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ackd/v1/common.pb-c.h"
#include "base/arena.h"
#include "codec/codec.h"
#include "transport.h"

enum { DETAIL_BYTES_MAX = 64 << 10 };

static bool error_from_json(struct slice body, struct error *error);
static bool error_from_detail(const json_t *root, struct error *error);
static enum status status_from_code(const char *code);
static enum status status_from_http(long http_status);
static enum status no_reply(struct error *error, enum status status);
static const char *trust_advice(const struct reply_failure *failure);

bool reply_url_is_valid(const char *url)
{
    const char *host = NULL;

    if (strncmp(url, "http://", 7) == 0)
        host = url + 7;
    else if (strncmp(url, "https://", 8) == 0)
        host = url + 8;
    if (host == NULL || host[0] == '\0' || host[0] == '/' || strlen(url) > 512)
        return false;
    for (const char *at = host; *at != '\0'; at++)
        if (isspace((unsigned char)*at) || iscntrl((unsigned char)*at) || *at == '?' || *at == '#')
            return false;
    return true;
}

/* As a port for TLS says to whoever comes without it. */
static bool contains_https(struct slice body)
{
    return memmem(body.data, body.size, "https://", 8) != NULL;
}

enum status reply_error(const char *url, long http_status, struct slice body, struct error *error)
{
    if (error_from_json(body, error))
        return error->status;
    if (http_status == 400 && contains_https(body)) {
        error_set(error, STATUS_UNAVAILABLE, "%s speaks TLS: use an https:// URL", url);
        (void)snprintf(error->field, sizeof error->field, "%s", TRANSPORT_TRUST_FIELD);
        return STATUS_UNAVAILABLE;
    }
    return error_set(error, status_from_http(http_status),
                     "%s answered HTTP %ld without an error of ackd: is it an ackd broker?", url,
                     http_status);
}

enum status reply_failed(const struct reply_failure *failure, struct error *error)
{
    bool timed_out = failure->code == CURLE_OPERATION_TIMEDOUT;
    const char *why = curl_easy_strerror((CURLcode)failure->code);
    const char *advice = trust_advice(failure);

    if (advice != NULL) {
        error_set(error, STATUS_UNAVAILABLE, "no TLS with %s: %s", failure->url, advice);
        (void)snprintf(error->field, sizeof error->field, "%s", TRANSPORT_TRUST_FIELD);
        return STATUS_UNAVAILABLE;
    }
    if (failure->sent && timed_out) {
        error_set(error, STATUS_TIMEOUT,
                  "no reply from %s within %lld ms: whether the call was carried out is unknown",
                  failure->url, (long long)failure->timeout_ms);
        return no_reply(error, STATUS_TIMEOUT);
    }
    if (failure->sent) {
        error_set(
            error, STATUS_UNAVAILABLE,
            "the connection to %s was lost before the reply: whether the call was carried out "
            "is unknown",
            failure->url);
        return no_reply(error, STATUS_UNAVAILABLE);
    }
    if (failure->code == CURLE_COULDNT_RESOLVE_HOST)
        why = "no such host";
    else if (timed_out)
        why = "no answer";
    else if (failure->os_errno != 0)
        why = strerror((int)failure->os_errno);
    error_set(error, STATUS_UNAVAILABLE,
              "broker not reached at %s (%s): is ackd running? start it with `ackd --data-dir DIR`",
              failure->url, why);
    return no_reply(error, STATUS_UNAVAILABLE);
}

/* libcurl's words, part of them, and what to do. The first that fits counts. */
static const struct {
    const char *words;
    const char *advice;
} trust_advices[] = {
    {"alert certificate required", "it demands a client certificate: name one with ACKD_CERT_FILE "
                                   "and ACKD_KEY_FILE"},
    {"alert certificate expired", "this program's certificate (ACKD_CERT_FILE) has expired"},
    {"alert unknown ca", "it does not know the CA of this program's certificate (ACKD_CERT_FILE)"},
    {"alert bad certificate", "it refuses this program's certificate (ACKD_CERT_FILE)"},
    {"alert handshake failure", "it accepts none of what this program offers; if it demands a "
                                "client certificate, name one with ACKD_CERT_FILE"},
    {"wrong version number", "it speaks plain HTTP at this port: use an http:// URL"},
    {"certificate has expired", "the broker's certificate has expired: renew it there"},
    {"certificate is not yet valid",
     "the broker's certificate is not valid yet: look at the clocks"},
    {"subject name", "the broker's certificate is for other names: use one of them in the URL, or "
                     "give the broker a certificate for this one"},
    {"self", "nobody known has signed the broker's certificate: name its CA with ACKD_CA_FILE"},
    {"unable to get", "nobody known has signed the broker's certificate: name its CA with "
                      "ACKD_CA_FILE"},
};

static bool contains(const char *text, const char *words)
{
    return strcasestr(text, words) != NULL;
}

/* NULL: TLS is not what failed. A refusal by the broker may come only when the reply is read, but
 * then nothing of the request was read there. */
static const char *trust_advice(const struct reply_failure *failure)
{
    bool alert = contains(failure->trouble, "alert");

    switch (failure->code) {
    case CURLE_SSL_CACERT_BADFILE:
        return "the CA's file (ACKD_CA_FILE) can't be read";
    case CURLE_SSL_CERTPROBLEM:
        return "this program's certificate or key (ACKD_CERT_FILE, ACKD_KEY_FILE) can't be used";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        break;
    default:
        if (!alert)
            return NULL;
    }
    for (size_t i = 0; i < sizeof trust_advices / sizeof *trust_advices; i++)
        if (contains(failure->trouble, trust_advices[i].words))
            return trust_advices[i].advice;
    return failure->trouble;
}

enum status reply_interrupted(struct error *error)
{
    error_set(error, STATUS_CANCELED, "the call was cut short by this side");
    return no_reply(error, STATUS_CANCELED);
}

static enum status no_reply(struct error *error, enum status status)
{
    (void)snprintf(error->field, sizeof error->field, "%s", TRANSPORT_NO_REPLY_FIELD);
    return status;
}

/* False if the body is no Connect error. */
static bool error_from_json(struct slice body, struct error *error)
{
    json_t *root = json_loadb((const char *)body.data, body.size, 0, NULL);
    const char *code = json_string_value(json_object_get(root, "code"));
    const char *message = json_string_value(json_object_get(root, "message"));
    bool found = code != NULL;

    if (found && !error_from_detail(root, error)) {
        enum status status = status_from_code(code);

        error_set(error, status, "%s", message != NULL ? message : status_sentence(status));
    }
    json_decref(root);
    return found;
}

/* The status, field, limit and value that the code alone does not tell. */
static bool error_from_detail(const json_t *root, struct error *error)
{
    const json_t *first = json_array_get(json_object_get(root, "details"), 0);
    const char *value = json_string_value(json_object_get(first, "value"));
    uint8_t bytes[4096];
    ProtobufCMessage *message = NULL;
    struct error ignored = ERROR_NONE;
    struct arena arena;
    size_t size;
    bool ok;

    if (value == NULL || strlen(value) / 4 * 3 + 3 > sizeof bytes ||
        !base64_decode(slice_of_string(value), bytes, &size))
        return false;
    arena_init(&arena, DETAIL_BYTES_MAX);
    ok = codec_decode(CODEC_PROTOBUF, slice_of(bytes, size), &ackd__v1__error_detail__descriptor,
                      &arena, &message, &ignored) == STATUS_OK;
    if (ok) {
        const Ackd__V1__ErrorDetail *detail = (const Ackd__V1__ErrorDetail *)message;
        enum status status;

        ok = status_from_number((int)detail->status, &status) && status != STATUS_OK;
        if (ok)
            error_limit(error, status, detail->field, detail->limit, detail->value, "%s",
                        detail->message);
    }
    arena_deinit(&arena);
    return ok;
}

/* The first status of that Connect code. */
static enum status status_from_code(const char *code)
{
    for (int i = STATUS_OK + 1; i < STATUS_COUNT; i++)
        if (strcmp(status_connect_code((enum status)i), code) == 0)
            return (enum status)i;
    return STATUS_INTERNAL;
}

static enum status status_from_http(long http_status)
{
    switch (http_status) {
    case 413:
        return STATUS_TOO_LARGE;
    case 404:
    case 405:
    case 415:
        return STATUS_UNIMPLEMENTED;
    case 408:
    case 429:
    case 502:
    case 503:
        return STATUS_UNAVAILABLE;
    case 504:
        return STATUS_TIMEOUT;
    default:
        return STATUS_INTERNAL;
    }
}
