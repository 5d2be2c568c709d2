/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.c -- the pool of connections and one HTTP exchange on one of them.
 *
 *   idle list --take--> busy list (one call's thread uses it) --give back--> idle list
 *
 * Each connection is a libcurl easy handle driven through a multi handle of its own, because that
 * can be woken (curl_multi_wakeup): transport_interrupt ends a long poll at once and not at the
 * next tick of a progress callback.
 *
 * Invariants
 *   T1  A connection is in exactly one of the lists; the lists are guarded by `lock`.
 *   T2  A request is sent at most once a call. libcurl would send it again when a kept-alive
 *       connection breaks before the first byte of the reply; but the broker may have carried it
 * out by then, and who called must know (a lease given twice would be a lease given to nobody).
 *
 * Threads: any; a connection belongs to the thread whose call took it. `url` and such never change.
 */
#include "transport.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

#include "ackd/version.h"
#include "base/list.h"
#include "codec/codec.h"
#include "transport_reply.h"

enum {
    IDLE_MAX = 64,                  /* connections kept when nobody calls */
    BUFFER_KEEP_BYTES = 1 << 20,    /* memory that an idle connection keeps */
    JSON_REPLY_BYTES_MAX = 1 << 28, /* bound of a reply that goes to no arena */
    POLL_MS = 1000                  /* at most between two looks at a transfer */
};

struct transport {
    char *url;
    char *user_agent;
    int64_t connect_timeout_ms;
    int64_t timeout_ms;

    pthread_mutex_t lock;
    struct list idle; /* lock */
    struct list busy; /* lock */
    int idle_count;   /* lock */
    bool interrupted; /* lock */
};

struct connection {
    struct list link;
    CURL *easy;
    CURLM *multi;
    struct buffer request;
    struct buffer reply;
    size_t reply_bytes_max;
    int sends; /* of this call, T2 */
    bool reply_too_large;
};

/* One exchange: what goes out. */
struct exchange {
    const char *path;         /* "ackd.v1.TaskService/Lease" */
    const char *content_type; /* NULL: a GET */
    struct slice body;
    int64_t timeout_ms; /* > 0 */
};

static enum status options_apply(struct transport *self, const struct transport_options *options,
                                 struct error *error);
static enum status connection_take(struct transport *self, struct connection **ret,
                                   struct error *error);
static void connection_give_back(struct transport *self, struct connection *connection);
static enum status exchange_run(struct transport *self, struct connection *connection,
                                const struct exchange *exchange, long *ret_http_status,
                                struct error *error);
static void connection_free(struct connection *connection);
static void global_init(void);

enum status transport_open(const struct transport_options *options, struct transport **ret,
                           struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const struct transport_options defaults;
    struct transport *self;
    enum status status;

    *ret = NULL;
    pthread_once(&once, global_init);
    self = calloc(1, sizeof *self);
    if (self == NULL)
        return error_set(error, STATUS_INTERNAL, "no memory for a connection to the broker");
    pthread_mutex_init(&self->lock, NULL);
    list_init(&self->idle);
    list_init(&self->busy);
    status = options_apply(self, options != NULL ? options : &defaults, error);
    if (status != STATUS_OK) {
        transport_close(self);
        return status;
    }
    *ret = self;
    return STATUS_OK;
}

void transport_close(struct transport *self)
{
    struct list *link;

    if (self == NULL)
        return;
    while ((link = list_take_first(&self->idle)) != NULL)
        connection_free(CONTAINER_OF(link, struct connection, link));
    pthread_mutex_destroy(&self->lock);
    free(self->url);
    free(self->user_agent);
    free(self);
}

const char *transport_url(const struct transport *self)
{
    return self->url;
}

enum status transport_call(struct transport *self, const char *service, const char *method,
                           const ProtobufCMessage *request,
                           const ProtobufCMessageDescriptor *response_descriptor,
                           struct arena *arena, int64_t timeout_ms, ProtobufCMessage **ret_response,
                           struct error *error)
{
    char path[128];
    struct exchange exchange = {.path = path, .content_type = "application/proto"};
    struct connection *connection;
    long http_status;
    enum status status;

    *ret_response = NULL;
    (void)snprintf(path, sizeof path, "ackd.v1.%s/%s", service, method);
    status = connection_take(self, &connection, error);
    if (status != STATUS_OK)
        return status;
    codec_encode(CODEC_PROTOBUF, request, &connection->request);
    if (connection->request.failed) {
        status = error_set(error, STATUS_INTERNAL, "no memory for the request");
        goto out;
    }
    exchange.body = buffer_view(&connection->request);
    exchange.timeout_ms = timeout_ms > 0 ? timeout_ms : self->timeout_ms;
    connection->reply_bytes_max = arena->size_max;

    status = exchange_run(self, connection, &exchange, &http_status, error);
    if (status == STATUS_OK && http_status != 200)
        status = reply_error(self->url, http_status, buffer_view(&connection->reply), error);
    if (status == STATUS_OK)
        status = codec_decode(CODEC_PROTOBUF, buffer_view(&connection->reply), response_descriptor,
                              arena, ret_response, error);
out:
    connection_give_back(self, connection);
    return status;
}

enum status transport_call_json(struct transport *self, const char *path, struct slice request,
                                int64_t timeout_ms, struct buffer *reply, struct error *error)
{
    struct exchange exchange = {.path = path,
                                .content_type = "application/json",
                                .body = request,
                                .timeout_ms = timeout_ms > 0 ? timeout_ms : self->timeout_ms};
    struct connection *connection;
    long http_status;
    enum status status = connection_take(self, &connection, error);

    if (status != STATUS_OK)
        return status;
    connection->reply_bytes_max = JSON_REPLY_BYTES_MAX;
    status = exchange_run(self, connection, &exchange, &http_status, error);
    if (status == STATUS_OK && http_status != 200)
        status = reply_error(self->url, http_status, buffer_view(&connection->reply), error);
    if (status == STATUS_OK)
        buffer_append(reply, buffer_view(&connection->reply));
    connection_give_back(self, connection);
    if (status == STATUS_OK && reply->failed)
        return error_set(error, STATUS_INTERNAL, "no memory for the reply");
    return status;
}

enum status transport_get(struct transport *self, const char *path, int64_t timeout_ms,
                          struct buffer *reply, long *ret_http_status, struct error *error)
{
    struct exchange exchange = {.path = path + (path[0] == '/'),
                                .timeout_ms = timeout_ms > 0 ? timeout_ms : self->timeout_ms};
    struct connection *connection;
    enum status status = connection_take(self, &connection, error);

    if (status != STATUS_OK)
        return status;
    connection->reply_bytes_max = JSON_REPLY_BYTES_MAX;
    status = exchange_run(self, connection, &exchange, ret_http_status, error);
    if (status == STATUS_OK)
        buffer_append(reply, buffer_view(&connection->reply));
    connection_give_back(self, connection);
    if (status == STATUS_OK && reply->failed)
        return error_set(error, STATUS_INTERNAL, "no memory for the reply");
    return status;
}

void transport_interrupt(struct transport *self)
{
    pthread_mutex_lock(&self->lock);
    self->interrupted = true;
    LIST_EACH (link, &self->busy)
        curl_multi_wakeup(CONTAINER_OF(link, struct connection, link)->multi);
    pthread_mutex_unlock(&self->lock);
}

static enum status options_apply(struct transport *self, const struct transport_options *options,
                                 struct error *error)
{
    const char *url = options->url;
    size_t size;

    if (url == NULL || url[0] == '\0')
        url = getenv(TRANSPORT_URL_ENV);
    if (url == NULL || url[0] == '\0')
        url = TRANSPORT_URL_DEFAULT;
    if (!reply_url_is_valid(url)) {
        error_set(error, STATUS_INVALID,
                  "\"%.100s\" is not the URL of a broker, such as " TRANSPORT_URL_DEFAULT, url);
        (void)snprintf(error->field, sizeof error->field, "url");
        return STATUS_INVALID;
    }
    for (size = strlen(url); url[size - 1] == '/';)
        size--;
    self->url = strndup(url, size);
    self->user_agent =
        strdup(options->user_agent != NULL ? options->user_agent : "libackd/" ACKD_VERSION);
    if (self->url == NULL || self->user_agent == NULL)
        return error_set(error, STATUS_INTERNAL, "no memory for a connection to the broker");
    self->connect_timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms
                                                               : TRANSPORT_CONNECT_TIMEOUT_MS;
    self->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TRANSPORT_TIMEOUT_MS;
    return STATUS_OK;
}

static struct connection *connection_new(void)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return NULL;
    list_init(&connection->link);
    connection->easy = curl_easy_init();
    connection->multi = curl_multi_init();
    if (connection->easy == NULL || connection->multi == NULL) {
        connection_free(connection);
        return NULL;
    }
    return connection;
}

static enum status connection_take(struct transport *self, struct connection **ret,
                                   struct error *error)
{
    struct list *link;
    bool interrupted;

    pthread_mutex_lock(&self->lock);
    interrupted = self->interrupted;
    link = interrupted ? NULL : list_take_first(&self->idle);
    if (link != NULL) {
        self->idle_count--;
        list_append(&self->busy, link);
    }
    pthread_mutex_unlock(&self->lock);
    if (interrupted)
        return reply_interrupted(error);
    if (link != NULL) {
        *ret = CONTAINER_OF(link, struct connection, link);
        return STATUS_OK;
    }

    *ret = connection_new();
    if (*ret == NULL)
        return error_set(error, STATUS_INTERNAL, "no memory for a connection to the broker");
    pthread_mutex_lock(&self->lock);
    list_append(&self->busy, &(*ret)->link);
    pthread_mutex_unlock(&self->lock);
    return STATUS_OK;
}

static void connection_give_back(struct transport *self, struct connection *connection)
{
    bool keep;

    buffer_clear(&connection->request, BUFFER_KEEP_BYTES);
    buffer_clear(&connection->reply, BUFFER_KEEP_BYTES);
    pthread_mutex_lock(&self->lock);
    list_remove(&connection->link);
    keep = self->idle_count < IDLE_MAX;
    if (keep) {
        /* In front: the connection used last is the likeliest to be alive. */
        list_append(self->idle.next, &connection->link);
        self->idle_count++;
    }
    pthread_mutex_unlock(&self->lock);
    if (!keep)
        connection_free(connection);
}

static void connection_free(struct connection *connection)
{
    curl_easy_cleanup(connection->easy);
    curl_multi_cleanup(connection->multi);
    buffer_deinit(&connection->request);
    buffer_deinit(&connection->reply);
    free(connection);
}

/* libcurl's write callback: fewer bytes than given abort the transfer. */
static size_t on_reply_bytes(char *data, size_t size, size_t count, void *context)
{
    struct connection *connection = context;
    size_t bytes = size * count;

    if (bytes > connection->reply_bytes_max - connection->reply.size) {
        connection->reply_too_large = true;
        return 0;
    }
    buffer_append(&connection->reply, slice_of(data, bytes));
    return connection->reply.failed ? 0 : bytes;
}

/* libcurl's last word before the request leaves. */
static int on_before_send(void *context, char *ip, char *local_ip, int port, int local_port)
{
    struct connection *connection = context;

    return ++connection->sends > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK; /* T2 */
}

/* The headers of an exchange; NULL without memory. */
static struct curl_slist *headers_new(const struct exchange *exchange)
{
    char content_type[64];
    char timeout[64];
    const char *lines[] = {"Expect:", "Connect-Protocol-Version: 1", content_type, timeout};
    struct curl_slist *headers = NULL;

    (void)snprintf(content_type, sizeof content_type, "Content-Type: %s", exchange->content_type);
    (void)snprintf(timeout, sizeof timeout, "Connect-Timeout-Ms: %lld",
                   (long long)exchange->timeout_ms);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct curl_slist *longer = curl_slist_append(headers, lines[i]);

        if (longer == NULL) {
            curl_slist_free_all(headers);
            return NULL;
        }
        headers = longer;
    }
    return headers;
}

/* Tells libcurl all about this exchange. False: no memory. */
static bool exchange_prepare(struct transport *self, struct connection *connection,
                             const struct exchange *exchange, struct curl_slist **ret_headers,
                             const char *url)
{
    CURL *easy = connection->easy;

    *ret_headers = NULL;
    curl_easy_reset(easy); /* keeps the connection */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)self->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)exchange->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, self->user_agent);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, connection);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_before_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, connection);
    if (exchange->content_type != NULL) {
        *ret_headers = headers_new(exchange);
        if (*ret_headers == NULL)
            return false;
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *ret_headers);
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         exchange->body.size > 0 ? (const char *)exchange->body.data : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.size);
    }
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
}

/* Drives the transfer to its end. CURLE_ABORTED_BY_CALLBACK after transport_interrupt. */
static CURLcode exchange_drive(struct transport *self, struct connection *connection)
{
    for (;;) {
        int running = 0;
        int waiting = 0;
        CURLMsg *message;
        bool interrupted;

        if (curl_multi_perform(connection->multi, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
        message = curl_multi_info_read(connection->multi, &waiting);
        if (message != NULL && message->msg == CURLMSG_DONE)
            return message->data.result;
        pthread_mutex_lock(&self->lock);
        interrupted = self->interrupted;
        pthread_mutex_unlock(&self->lock);
        if (interrupted)
            return CURLE_ABORTED_BY_CALLBACK;
        if (curl_multi_poll(connection->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
            return CURLE_FAILED_INIT;
    }
}

/* Why a transfer failed. */
static enum status exchange_failed(struct transport *self, struct connection *connection,
                                   const struct exchange *exchange, CURLcode code,
                                   struct error *error)
{
    struct reply_failure failure = {.url = self->url, .timeout_ms = exchange->timeout_ms};
    bool interrupted;

    pthread_mutex_lock(&self->lock);
    interrupted = self->interrupted;
    pthread_mutex_unlock(&self->lock);
    if (connection->reply_too_large)
        return error_limit(error, STATUS_TOO_LARGE, "", (int64_t)connection->reply_bytes_max, 0,
                           "the broker's reply is over %zu bytes", connection->reply_bytes_max);
    if (connection->reply.failed)
        return error_set(error, STATUS_INTERNAL, "no memory for the reply");
    if (interrupted)
        return reply_interrupted(error);
    failure.code = code;
    failure.sent = connection->sends > 0;
    curl_easy_getinfo(connection->easy, CURLINFO_OS_ERRNO, &failure.os_errno);
    return reply_failed(&failure, error);
}

/* One request, one reply (in connection->reply), or why there is none. */
static enum status exchange_run(struct transport *self, struct connection *connection,
                                const struct exchange *exchange, long *ret_http_status,
                                struct error *error)
{
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    enum status status = STATUS_OK;
    char url[1024];

    connection->sends = 0;
    connection->reply_too_large = false;
    (void)snprintf(url, sizeof url, "%s/%s", self->url, exchange->path);
    if (exchange_prepare(self, connection, exchange, &headers, url) &&
        curl_multi_add_handle(connection->multi, connection->easy) == CURLM_OK) {
        code = exchange_drive(self, connection);
        if (code != CURLE_OK)
            status = exchange_failed(self, connection, exchange, code, error);
        else
            curl_easy_getinfo(connection->easy, CURLINFO_RESPONSE_CODE, ret_http_status);
        curl_multi_remove_handle(connection->multi, connection->easy);
    } else {
        status = error_set(error, STATUS_INTERNAL, "no memory for a call to the broker");
    }
    curl_slist_free_all(headers);
    return status;
}

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}
