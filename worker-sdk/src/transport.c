/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.c -- the pool of connections, and calls over them.
 *
 *   idle list --take--> busy list (one call's thread uses it) --give back--> idle list
 *
 * Invariants
 *   T1  A connection is in exactly one of the lists; the lists are guarded by `lock`.
 *   T2  A request is sent at most once a call (connection.c); but twice where the broker refused
 *       the token, and its file has another by now: a call so refused was not carried out.
 *
 * Threads: any; a connection belongs to the thread whose call took it. `url` and such never change.
 */
#include "transport.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

#include "access.h"
#include "ackd/version.h"
#include "base/list.h"
#include "codec/codec.h"
#include "connection.h"
#include "transport_reply.h"

enum {
    IDLE_MAX = 64,                 /* connections kept when nobody calls */
    BUFFER_KEEP_BYTES = 1 << 20,   /* memory that an idle connection keeps */
    TEXT_REPLY_BYTES_MAX = 1 << 28 /* bound of a reply that goes to no arena */
};

struct transport {
    char *url;
    char *user_agent;
    int64_t connect_timeout_ms;
    int64_t timeout_ms;
    struct access access;

    pthread_mutex_t lock;
    struct list idle; /* lock */
    struct list busy; /* lock */
    int idle_count;   /* lock */
    atomic_bool interrupted;
};

static enum status options_apply(struct transport *self, const struct transport_options *options,
                                 struct error *error);
static enum status take(struct transport *self, struct connection **ret, struct error *error);
static void give_back(struct transport *self, struct connection *connection);
static void forget(struct buffer *secret);
static struct exchange exchange_of(const struct transport *self, const char *path,
                                   int64_t timeout_ms);
static enum status exchange_as(struct transport *self, struct connection *connection,
                               struct exchange *exchange, long *ret_http_status,
                               struct error *error);
static enum status exchange_text(struct transport *self, struct exchange *exchange,
                                 struct buffer *reply, long *ret_http_status,
                                 int64_t *ret_retry_after_ms, struct error *error);
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
    options = options != NULL ? options : &defaults;
    status = options_apply(self, options, error);
    if (status == STATUS_OK)
        status = access_init(&self->access, options, self->url, error);
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
    access_deinit(&self->access);
    free(self->url);
    free(self->user_agent);
    free(self);
}

const char *transport_url(const struct transport *self)
{
    return self->url;
}

bool transport_stays_here(const struct transport *self)
{
    return access_stays_here(self->url);
}

enum status transport_call(struct transport *self, const char *service, const char *method,
                           const ProtobufCMessage *request,
                           const ProtobufCMessageDescriptor *response_descriptor,
                           struct arena *arena, int64_t timeout_ms, ProtobufCMessage **ret_response,
                           struct error *error)
{
    char path[128];
    struct exchange exchange = exchange_of(self, path, timeout_ms);
    struct connection *connection;
    long http_status;
    enum status status;

    *ret_response = NULL;
    (void)snprintf(path, sizeof path, "ackd.v1.%s/%s", service, method);
    status = take(self, &connection, error);
    if (status != STATUS_OK)
        return status;
    codec_encode(CODEC_PROTOBUF, request, &connection->request);
    if (connection->request.failed) {
        status = error_set(error, STATUS_INTERNAL, "no memory for the request");
        goto out;
    }
    exchange.content_type = "application/proto";
    exchange.body = buffer_view(&connection->request);
    connection->reply_bytes_max = arena->size_max;

    status = exchange_as(self, connection, &exchange, &http_status, error);
    if (status == STATUS_OK && http_status != 200) {
        status = reply_error(self->url, http_status, buffer_view(&connection->reply), error);
        error->retry_after_ms = connection->retry_after_ms;
    }
    if (status == STATUS_OK)
        status = codec_decode(CODEC_PROTOBUF, buffer_view(&connection->reply), response_descriptor,
                              arena, ret_response, error);
out:
    if (strcmp(service, "TokenService") == 0)
        forget(&connection->reply);
    give_back(self, connection);
    return status;
}

enum status transport_call_json(struct transport *self, const char *path, struct slice request,
                                int64_t timeout_ms, struct buffer *reply, struct error *error)
{
    struct exchange exchange = exchange_of(self, path, timeout_ms);
    struct buffer body = BUFFER_EMPTY;
    int64_t retry_after_ms;
    long http_status;
    enum status status;

    exchange.content_type = "application/json";
    exchange.body = request;
    status = exchange_text(self, &exchange, &body, &http_status, &retry_after_ms, error);
    if (status == STATUS_OK && http_status != 200) {
        status = reply_error(self->url, http_status, buffer_view(&body), error);
        error->retry_after_ms = retry_after_ms;
    }
    if (status == STATUS_OK)
        buffer_append(reply, buffer_view(&body));
    if (status == STATUS_OK && reply->failed)
        status = error_set(error, STATUS_INTERNAL, "no memory for the reply");
    buffer_deinit(&body);
    return status;
}

enum status transport_get(struct transport *self, const char *path, int64_t timeout_ms,
                          struct buffer *reply, long *ret_http_status, struct error *error)
{
    struct exchange exchange = exchange_of(self, path + (path[0] == '/'), timeout_ms);
    int64_t ignored;

    return exchange_text(self, &exchange, reply, ret_http_status, &ignored, error);
}

void transport_interrupt(struct transport *self)
{
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->interrupted, true);
    LIST_EACH (link, &self->busy)
        connection_wake(CONTAINER_OF(link, struct connection, link));
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

static struct exchange exchange_of(const struct transport *self, const char *path,
                                   int64_t timeout_ms)
{
    return (struct exchange){.url = self->url,
                             .path = path,
                             .user_agent = self->user_agent,
                             .connect_timeout_ms = self->connect_timeout_ms,
                             .timeout_ms = timeout_ms > 0 ? timeout_ms : self->timeout_ms,
                             .access = &self->access,
                             .interrupted = &self->interrupted};
}

/* What was secret does not stay in memory that is given back. */
static void forget(struct buffer *secret)
{
    if (secret->data != NULL)
        explicit_bzero(secret->data, secret->capacity);
    buffer_deinit(secret);
}

/* An exchange under this program's token, and again under a newer one if that is refused. */
static enum status exchange_as(struct transport *self, struct connection *connection,
                               struct exchange *exchange, long *ret_http_status,
                               struct error *error)
{
    struct buffer first = BUFFER_EMPTY;
    struct buffer second = BUFFER_EMPTY;
    enum status status = access_header(&self->access, false, &first, error);

    exchange->authorization = first.size > 0 ? buffer_string(&first) : NULL;
    if (status == STATUS_OK)
        status = connection_exchange(connection, exchange, ret_http_status, error);
    if (status == STATUS_OK && *ret_http_status == 401 && first.size > 0 &&
        access_header(&self->access, true, &second, error) == STATUS_OK &&
        !slice_equal(buffer_view(&first), buffer_view(&second))) {
        exchange->authorization = buffer_string(&second);
        buffer_clear(&connection->reply, BUFFER_KEEP_BYTES);
        status = connection_exchange(connection, exchange, ret_http_status, error);
    }
    exchange->authorization = NULL;
    forget(&first);
    forget(&second);
    return status;
}

/* An exchange whose reply is appended to a buffer, whatever its HTTP status. */
static enum status exchange_text(struct transport *self, struct exchange *exchange,
                                 struct buffer *reply, long *ret_http_status,
                                 int64_t *ret_retry_after_ms, struct error *error)
{
    struct connection *connection;
    enum status status = take(self, &connection, error);

    if (status != STATUS_OK)
        return status;
    connection->reply_bytes_max = TEXT_REPLY_BYTES_MAX;
    status = exchange_as(self, connection, exchange, ret_http_status, error);
    *ret_retry_after_ms = connection->retry_after_ms;
    if (status == STATUS_OK)
        buffer_append(reply, buffer_view(&connection->reply));
    give_back(self, connection);
    if (status == STATUS_OK && reply->failed)
        return error_set(error, STATUS_INTERNAL, "no memory for the reply");
    return status;
}

static enum status take(struct transport *self, struct connection **ret, struct error *error)
{
    struct list *link;
    bool interrupted;

    pthread_mutex_lock(&self->lock);
    interrupted = atomic_load(&self->interrupted);
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

static void give_back(struct transport *self, struct connection *connection)
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

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}
