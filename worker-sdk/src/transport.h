/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h -- one call to the broker: a message goes out by HTTP, a message or an error comes
 * back. Used by libackd and by ackctl; not installed.
 *
 * A transport is a pool of kept-alive connections (libcurl handles). Any number of threads may call
 * at once; each call has a connection of its own and blocks its thread. transport_interrupt cuts
 * calls short from another thread. Nothing is retried here.
 *
 * Errors: one that the broker answered comes as the broker told it (status, message, field,
 * limit, value; of a transport_call also when to ask again). If no answer came the outcome is
 * unknown: the status is STATUS_UNAVAILABLE (or STATUS_TIMEOUT, or STATUS_CANCELED after
 * transport_interrupt) and transport_no_reply(error) is true.
 */
#ifndef ACKD_SDK_TRANSPORT_H
#define ACKD_SDK_TRANSPORT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"

#define TRANSPORT_URL_DEFAULT "http://127.0.0.1:7333"
#define TRANSPORT_URL_ENV "ACKD_URL"
#define TRANSPORT_CONNECT_TIMEOUT_MS 5000
#define TRANSPORT_TIMEOUT_MS 30000

/* Zeroed is all defaults. The texts are copied. */
struct transport_options {
    const char *url;            /* NULL or "": $ACKD_URL, else TRANSPORT_URL_DEFAULT */
    const char *user_agent;     /* NULL: "libackd/VERSION" */
    int64_t connect_timeout_ms; /* 0: TRANSPORT_CONNECT_TIMEOUT_MS */
    int64_t timeout_ms;         /* of a whole call. 0: TRANSPORT_TIMEOUT_MS */
    /* Files that may change at any time. NULL or "": those of the environment, if any. */
    const char *token_file; /* $ACKD_TOKEN_FILE: sent with each call, to say who calls */
    const char *ca_file;    /* $ACKD_CA_FILE: who signs brokers' certificates; none: the system's */
    const char *cert_file;  /* $ACKD_CERT_FILE: this program's certificate, in PEM */
    const char *key_file;   /* $ACKD_KEY_FILE: its private key, in PEM */
    bool insecure;          /* or $ACKD_INSECURE: a token may go in the clear beyond this machine */
};

struct transport;

/* Connects to nothing yet. STATUS_INVALID: the URL is not http:// or https://, or a token would go
 * in the clear. `options` may be NULL. */
enum status transport_open(const struct transport_options *options, struct transport **ret,
                           struct error *error) MUST_USE;
/* No call may be under way. NULL is nothing. */
void transport_close(struct transport *self);

/* The URL in use, without a slash at its end. */
const char *transport_url(const struct transport *self);
/* Whether what goes to that URL is sealed, or leaves no machine. */
bool transport_stays_here(const struct transport *self);

/*
 * Calls ackd.v1.`service`/`method` ("TaskService", "Lease"). The reply is unpacked into `arena`,
 * whose bound is the reply's. `timeout_ms` 0: the transport's; for a long poll pass its wait on
 * top.
 */
enum status transport_call(struct transport *self, const char *service, const char *method,
                           const ProtobufCMessage *request,
                           const ProtobufCMessageDescriptor *response_descriptor,
                           struct arena *arena, int64_t timeout_ms, ProtobufCMessage **ret_response,
                           struct error *error) MUST_USE;

/* The same with JSON texts: `path` is "ackd.v1.TaskService/Lease"; the reply's JSON is appended to
 * `reply`. */
enum status transport_call_json(struct transport *self, const char *path, struct slice request,
                                int64_t timeout_ms, struct buffer *reply,
                                struct error *error) MUST_USE;

/* A plain GET of `path` ("/healthz"); the body is appended to `reply` whatever the HTTP status,
 * which is told. */
enum status transport_get(struct transport *self, const char *path, int64_t timeout_ms,
                          struct buffer *reply, long *ret_http_status,
                          struct error *error) MUST_USE;

/* Makes calls under way and all later ones end with STATUS_CANCELED, at once. Any thread. */
void transport_interrupt(struct transport *self);

/* Whether an error means that no answer came, so that the outcome is unknown. */
#define TRANSPORT_NO_REPLY_FIELD "url"
/* The same, where the two sides could not agree on TLS, or the token can't be read: the message
 * says what to mend. */
#define TRANSPORT_TRUST_FIELD "tls"
static inline bool transport_no_reply(const struct error *error)
{
    return error->status != STATUS_OK && error->status != STATUS_INVALID &&
           (strcmp(error->field, TRANSPORT_NO_REPLY_FIELD) == 0 ||
            strcmp(error->field, TRANSPORT_TRUST_FIELD) == 0);
}
static inline bool transport_no_trust(const struct error *error)
{
    return transport_no_reply(error) && strcmp(error->field, TRANSPORT_TRUST_FIELD) == 0;
}

#endif
