/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c -- who did what that only an administrator may, and who was refused.
 *
 * A file is opened anew by putting the new one behind the old one's descriptor (dup3): whoever
 * writes meanwhile writes to one or the other.
 */
#include "rpc/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ration.h"
#include "rpc/caller.h"

static const char ADMIN_CALL[] = "admin_call";
static const char LOGIN_REFUSED[] = "login_refused";

#define KEPT_BYTES_MAX 1024 /* of a request, for its line */
#define PATH_SHOWN_MAX 200  /* of a page's path, which anybody makes up */

struct audit {
    const char *path; /* NULL: not a file of our own */
    int fd;
    enum log_format format;
    struct counters *counters;
    pthread_mutex_t mutex;
    struct ration refusals; /* mutex */
    bool torn;              /* mutex: the file ends within a line */
    bool failing;           /* mutex: the last line could not be written */
};

static int open_file(const char *path);
static void tell(struct audit *self, const char *event, const struct log_field *fields,
                 size_t field_count);
static void tell_left_out(struct audit *self, int64_t until_ms);

#define TELL(self, event, ...)                                                                     \
    tell((self), (event), (const struct log_field[]){__VA_ARGS__},                                 \
         sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

enum status audit_open(const char *path, struct counters *counters, struct audit **ret_audit,
                       struct error *error)
{
    struct audit *self = calloc(1, sizeof *self);

    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for the audit log");
    self->counters = counters;
    self->fd = path == NULL ? STDERR_FILENO : STDOUT_FILENO;
    self->format = path == NULL ? LOG_FORMAT_AUTO : LOG_FORMAT_JSON;
    if (path != NULL && strcmp(path, "-") != 0) {
        self->path = path;
        self->fd = open_file(path);
    }
    if (self->fd < 0) {
        free(self);
        return error_set(error, STATUS_INVALID, "--audit-log %s: %s", path, strerror(errno));
    }
    pthread_mutex_init(&self->mutex, NULL);
    *ret_audit = self;
    return STATUS_OK;
}

/* A pipe whose reader is slow must not hold the broker up: hence O_NONBLOCK. */
static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
}

void audit_close(struct audit *self)
{
    if (self == NULL)
        return;
    tell_left_out(self, INT64_MAX);
    if (self->path != NULL)
        close(self->fd);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static void reopen(struct audit *self)
{
    int fd = open_file(self->path);

    if (fd < 0) {
        LOG_ERROR("audit_log_kept", LOG_STRING("file", self->path),
                  LOG_STRING("reason", strerror(errno)));
        return;
    }
    pthread_mutex_lock(&self->mutex);
    (void)dup3(fd, self->fd, O_CLOEXEC);
    self->torn = false;
    pthread_mutex_unlock(&self->mutex);
    close(fd);
    LOG_INFO("audit_log_reopened", LOG_STRING("file", self->path));
}

void audit_refresh(struct audit *self, bool reopened)
{
    if (reopened && self->path != NULL)
        reopen(self);
    tell_left_out(self, clock_monotonic_ms() - RATION_MS);
}

/* Those of a ration that began no later. */
static void tell_left_out(struct audit *self, int64_t until_ms)
{
    int64_t left_out = 0;

    pthread_mutex_lock(&self->mutex);
    if (self->refusals.since_ms <= until_ms) {
        left_out = self->refusals.left_out;
        self->refusals.left_out = 0;
    }
    pthread_mutex_unlock(&self->mutex);
    if (left_out > 0)
        TELL(self, "audit_left_out", LOG_INT("refusals", left_out));
}

/* ---- a line ---- */

/* errno, if the line is not there whole. */
static int write_line(struct audit *self, const char *line, size_t size)
{
    ssize_t written;

    if (self->torn && write(self->fd, "\n", 1) != 1)
        return errno;
    self->torn = false;
    do
        written = write(self->fd, line, size);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)size)
        return 0;
    self->torn = written > 0;
    return written < 0 ? errno : ENOSPC;
}

static void tell(struct audit *self, const char *event, const struct log_field *fields,
                 size_t field_count)
{
    char line[LOG_LINE_BYTES];
    size_t size = log_write_line(line, self->format, "audit", event, fields, field_count);
    bool complains;
    int code;

    pthread_mutex_lock(&self->mutex);
    code = write_line(self, line, size);
    complains = code != 0 && !self->failing;
    self->failing = code != 0;
    pthread_mutex_unlock(&self->mutex);
    if (code != 0)
        counter_add(&self->counters->audit_lost, 1);
    if (complains)
        LOG_ERROR("audit_failed", LOG_STRING("reason", strerror(code)));
}

/* ---- requests ---- */

void audit_begin(struct rpc_request *request)
{
    struct slice path = request->path;

    if (request->rpc->options.audit == NULL)
        return;
    arena_set_max(request->arena, request->arena->used_bytes + KEPT_BYTES_MAX);
    if (request->peer != NULL)
        request->address = arena_string(request->arena, request->peer->address);
    if (path.size > PATH_SHOWN_MAX)
        path.size = PATH_SHOWN_MAX;
    if (request->method == NULL)
        request->page = arena_string(request->arena, path);
}

/* Callers must be known, and this one is not: also while an issuer's keys are yet to come. */
static bool is_nobody(const struct rpc_request *request)
{
    return auth_is_on(request->rpc->options.auth) && request->caller.is_known &&
           request->caller.principal == NULL;
}

static const char *event_of(const struct rpc_request *request, enum status status)
{
    if (status == STATUS_UNAUTHENTICATED || is_nobody(request))
        return LOGIN_REFUSED;
    if (status == STATUS_PERMISSION_DENIED)
        return "permission_refused";
    if (status == STATUS_RATE_LIMITED) /* nothing was done, and the log says whose it was */
        return NULL;
    if (request->caller.is_known && request->method != NULL &&
        request->method->rights == RIGHT_ADMIN)
        return ADMIN_CALL;
    return NULL;
}

static bool may_tell(struct audit *self, const char *event)
{
    bool may;

    if (event == ADMIN_CALL)
        return true;
    pthread_mutex_lock(&self->mutex);
    may = ration_take(&self->refusals, clock_monotonic_ms());
    pthread_mutex_unlock(&self->mutex);
    return may;
}

/* What the call is about, as far as its request could be read; NULL: nothing by name. */
static const char *target_of(const struct rpc_request *request)
{
    static const char *const fields[] = {"queue", "name", "token_id"};

    for (size_t i = 0; request->call.request != NULL && i < sizeof fields / sizeof *fields; i++) {
        struct slice text = caller_text_of(request->call.request, fields[i]);

        if (text.size > 0)
            return (const char *)text.data;
    }
    return NULL;
}

/* Of a token that is refused: its keyid is no secret, and says which one is over. Such a request is
 * done before rpc_begin returns, so that its headers are still there. */
static const char *key_of(const struct rpc_request *request, struct secret_key *key)
{
    struct slice text = request->headers[RPC_HEADER_AUTHORIZATION];
    const uint8_t *space = text.size == 0 ? NULL : memchr(text.data, ' ', text.size);

    if (space == NULL)
        return NULL;
    text = slice_of(space + 1, text.size - (size_t)(space + 1 - text.data));
    return secret_read(text, key) ? key->text : NULL;
}

static const char *token_id_of(const struct rpc_request *request, const char *event,
                               struct secret_key *key)
{
    const struct principal *principal = request->caller.principal;

    if (event == LOGIN_REFUSED)
        return key_of(request, key);
    return principal == NULL || *principal->token_id == '\0' ? NULL : principal->token_id;
}

void audit_end(const struct rpc_request *request, enum status status)
{
    struct audit *self = request->rpc->options.audit;
    const char *event = self == NULL ? NULL : event_of(request, status);
    const struct principal *principal = request->caller.principal;
    struct secret_key key;

    if (event == NULL || !may_tell(self, event))
        return;
    TELL(self, event, LOG_STRING("caller", principal == NULL ? NULL : principal->name),
         LOG_STRING("token_id", token_id_of(request, event, &key)),
         LOG_STRING("address", request->address),
         LOG_STRING("method", request->method == NULL ? request->page : request->method->path),
         LOG_STRING("target", target_of(request)), LOG_STRING("code", status_name(status)),
         LOG_STRING("trace_id", *request->trace.text == '\0' ? NULL : request->trace.text));
}
