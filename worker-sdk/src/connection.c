/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.c -- see connection.h.
 *
 * A connection is a libcurl easy handle, which keeps the socket between exchanges, driven through a
 * multi handle of its own, because that can be woken (curl_multi_wakeup): a long poll is cut short
 * at once and not at the next tick of a progress callback.
 *
 * A request is sent at most once (T2). libcurl would send it again by itself when a kept-alive
 * connection breaks before the first byte of the reply; but the broker may have carried it out by
 * then, and who called must know: a lease given twice would be a lease given to nobody.
 */
#include "connection.h"

#include <stdio.h>
#include <stdlib.h>

#include "access.h"
#include "transfer.h"
#include "transport_reply.h"

enum { RETRY_AFTER_S_MAX = 60 }; /* a proxy may say anything */

static bool prepare(struct connection *self, const struct exchange *exchange,
                    struct curl_slist **ret_headers);
static enum status failed(struct connection *self, const struct exchange *exchange, CURLcode code,
                          struct error *error);

struct connection *connection_new(void)
{
    struct connection *self = calloc(1, sizeof *self);

    if (self == NULL)
        return NULL;
    list_init(&self->link);
    self->easy = curl_easy_init();
    self->multi = curl_multi_init();
    if (self->easy == NULL || self->multi == NULL) {
        connection_free(self);
        return NULL;
    }
    return self;
}

void connection_free(struct connection *self)
{
    curl_easy_cleanup(self->easy);
    curl_multi_cleanup(self->multi);
    buffer_deinit(&self->request);
    buffer_deinit(&self->reply);
    free(self);
}

/* Seconds, or a date: libcurl reads both. */
static int64_t read_retry_after(CURL *easy)
{
    curl_off_t after_s = 0;

    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after_s);
    return after_s < RETRY_AFTER_S_MAX ? (int64_t)after_s * 1000 : RETRY_AFTER_S_MAX * 1000;
}

enum status connection_exchange(struct connection *self, const struct exchange *exchange,
                                long *ret_http_status, struct error *error)
{
    struct curl_slist *headers = NULL;
    enum status status = STATUS_OK;

    self->sends = 0;
    self->trouble[0] = '\0';
    self->reply_too_large = false;
    if (prepare(self, exchange, &headers) &&
        curl_multi_add_handle(self->multi, self->easy) == CURLM_OK) {
        CURLcode code = transfer_drive(self->multi, exchange->interrupted);

        if (code != CURLE_OK)
            status = failed(self, exchange, code, error);
        else
            curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, ret_http_status);
        self->retry_after_ms = code == CURLE_OK ? read_retry_after(self->easy) : 0;
        curl_multi_remove_handle(self->multi, self->easy);
    } else {
        status = error_set(error, STATUS_INTERNAL, "no memory for a call to the broker");
    }
    curl_slist_free_all(headers);
    return status;
}

void connection_wake(struct connection *self)
{
    curl_multi_wakeup(self->multi);
}

/* libcurl's write callback: fewer bytes than given abort the transfer. */
static size_t on_reply_bytes(char *data, size_t size, size_t count, void *context)
{
    struct connection *self = context;
    size_t bytes = size * count;

    if (bytes > self->reply_bytes_max - self->reply.size) {
        self->reply_too_large = true;
        return 0;
    }
    buffer_append(&self->reply, slice_of(data, bytes));
    return self->reply.failed ? 0 : bytes;
}

/* libcurl's last word before the request leaves. */
static int on_before_send(void *context, char *ip, char *local_ip, int port, int local_port)
{
    struct connection *self = context;

    return ++self->sends > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK; /* T2 */
}

/* False: no memory. */
static bool add_header(struct curl_slist **headers, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*headers, line);

    if (longer != NULL)
        *headers = longer;
    return longer != NULL;
}

/* The headers of an exchange. False: no memory. */
static bool add_headers(const struct exchange *exchange, struct curl_slist **headers)
{
    char content_type[64];
    char timeout[64];

    if (exchange->authorization != NULL && !add_header(headers, exchange->authorization))
        return false;
    if (exchange->content_type == NULL)
        return true;
    (void)snprintf(content_type, sizeof content_type, "Content-Type: %s", exchange->content_type);
    (void)snprintf(timeout, sizeof timeout, "Connect-Timeout-Ms: %lld",
                   (long long)exchange->timeout_ms);
    return add_header(headers, "Expect:") && add_header(headers, "Connect-Protocol-Version: 1") &&
           add_header(headers, content_type) && add_header(headers, timeout);
}

/* Tells libcurl all about this exchange. False: no memory. */
static bool prepare(struct connection *self, const struct exchange *exchange,
                    struct curl_slist **ret_headers)
{
    CURL *easy = self->easy;
    char url[1024];

    (void)snprintf(url, sizeof url, "%s/%s", exchange->url, exchange->path);
    curl_easy_reset(easy); /* keeps the socket */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)exchange->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)exchange->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, exchange->user_agent);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_before_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, self);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->trouble);
    if (!access_apply(exchange->access, easy) || !add_headers(exchange, ret_headers))
        return false;
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *ret_headers);
    if (exchange->content_type != NULL) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         exchange->body.size > 0 ? (const char *)exchange->body.data : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.size);
    }
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
}

/* Why a transfer failed. */
static enum status failed(struct connection *self, const struct exchange *exchange, CURLcode code,
                          struct error *error)
{
    struct reply_failure failure = {.url = exchange->url,
                                    .timeout_ms = exchange->timeout_ms,
                                    .code = (int)code,
                                    .trouble = self->trouble,
                                    .sent = self->sends > 0};

    if (self->reply_too_large)
        return error_limit(error, STATUS_TOO_LARGE, "", (int64_t)self->reply_bytes_max, 0,
                           "the broker's reply is over %zu bytes", self->reply_bytes_max);
    if (self->reply.failed)
        return error_set(error, STATUS_INTERNAL, "no memory for the reply");
    if (atomic_load(exchange->interrupted))
        return reply_interrupted(error);
    curl_easy_getinfo(self->easy, CURLINFO_OS_ERRNO, &failure.os_errno);
    return reply_failed(&failure, error);
}
