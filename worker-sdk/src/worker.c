/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c -- a worker's life outside of ackd_worker_run: made, asked to drain, counted, freed; and
 * the small things that all its threads use. The map is in worker_internal.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/slice.h"
#include "error_export.h"
#include "options.h"
#include "preemption.h"
#include "worker_internal.h"

/* Numbers among the options: field, smallest, largest, what 0 means. */
#define OPTION_NUMBERS(X)                                                                          \
    X(concurrency, 1, 1000, 1)                                                                     \
    X(batch_max, 1, 10000, 16)                                                                     \
    X(prefetch, 1, 10000, 0)                                                                       \
    X(grace_ms, 1000, 43200000, 12000)                                                             \
    X(session_ms, 1000, 3600000, 15000)                                                            \
    X(start_timeout_ms, -1, INT64_MAX, 60000)                                                      \
    X(max_run_until_unix_ms, 0, INT64_MAX, 0)

/* Texts of the options that a worker keeps copies of. */
#define OWN_TEXTS(X)                                                                               \
    X(url)                                                                                         \
    X(queue)                                                                                       \
    X(name)                                                                                        \
    X(node)                                                                                        \
    X(pod)                                                                                         \
    X(pod_namespace)

static enum ackd_status options_check(struct ackd_worker_options *options,
                                      struct ackd_error *error);
static bool options_own_texts(struct ackd_worker_options *options);
static void options_disown_texts(struct ackd_worker_options *options);
static enum ackd_status checkpoints_init(struct ackd_worker *self, struct ackd_error *error);
static enum ackd_status clients_open(struct ackd_worker *self, struct ackd_error *error);
static void locks_init(struct ackd_worker *self);
static void note_away(struct ackd_worker *self, bool *away, const char *who,
                      const struct ackd_error *error);

enum ackd_status ackd_worker_new(const struct ackd_worker_options *options,
                                 struct ackd_worker **ret_worker, struct ackd_error *error)
{
    struct ackd_worker *self = calloc(1, sizeof *self);
    enum ackd_status status;

    *ret_worker = NULL;
    if (self == NULL) {
        if (options != NULL)
            ackd_sink_free(options->sink);
        return ackd_error_set(error, ACKD_INTERNAL, "no memory for a worker");
    }
    atomic_init(&self->references, 1);
    locks_init(self);
    self->wake_fd = -1;
    if (options == NULL || !options_copy(&self->options, sizeof self->options, options)) {
        memset(&self->options, 0, sizeof self->options);
        status = error_export_field(error, "size", "options.size must be sizeof its struct");
        goto fail;
    }
    status = machine_options(&self->options, error);
    if (status != ACKD_OK) {
        options_disown_texts(&self->options);
        goto fail;
    }
    /* From here the sink is the worker's, and texts that were copied are, not the caller's. */
    if (!options_own_texts(&self->options)) {
        status = ackd_error_set(error, ACKD_INTERNAL, "no memory for a worker");
        goto fail;
    }
    status = options_check(&self->options, error);
    if (status == ACKD_OK)
        status = checkpoints_init(self, error);
    if (status == ACKD_OK)
        status = clients_open(self, error);
    if (status == ACKD_OK)
        status = machine_open(self, error);
    if (status != ACKD_OK)
        goto fail;
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake_fd < 0) {
        status = ackd_error_set(error, ACKD_INTERNAL, "no file descriptor for a worker");
        goto fail;
    }
    *ret_worker = self;
    return ackd_error_set(error, ACKD_OK, "%s", "");
fail:
    worker_unref(self);
    return status;
}

void ackd_worker_drain(struct ackd_worker *self)
{
    atomic_fetch_add(&self->drain_requests, 1);
    worker_wake(self);
}

void ackd_worker_stats(struct ackd_worker *self, struct ackd_worker_stats *stats)
{
    struct ackd_worker_stats now;
    size_t size = stats->size;

    pthread_mutex_lock(&self->lock);
    now = self->stats;
    now.unconfirmed = self->open_count;
    pthread_mutex_unlock(&self->lock);
    now.size = size;
    memcpy(stats, &now, size < sizeof now ? size : sizeof now);
}

bool ackd_worker_drained(struct ackd_worker *self)
{
    bool drained;

    pthread_mutex_lock(&self->lock);
    drained = self->drained;
    pthread_mutex_unlock(&self->lock);
    return drained;
}

void ackd_worker_free(struct ackd_worker *self)
{
    if (self != NULL)
        worker_unref(self);
}

int64_t worker_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void tasks_free(struct list *head)
{
    struct list *link;

    while ((link = list_take_first(head)) != NULL)
        task_free(CONTAINER_OF(link, struct task, link));
}

void worker_unref(struct ackd_worker *self)
{
    if (atomic_fetch_sub(&self->references, 1) > 1)
        return;
    tasks_free(&self->ended);
    tasks_free(&self->waiting);
    tasks_free(&self->finished);
    settle_drop_all(self);
    worker_free_sessions(self);
    if (self->wake_fd >= 0)
        close(self->wake_fd);
    ackd_client_close(self->leasing);
    ackd_client_close(self->settling);
    ackd_client_close(self->keeping);
    ackd_sink_free(self->options.sink);
    preemption_free(self->preemption);
    if (self->checkpoints != NULL)
        file_store_deinit(self->checkpoints);
    free(self->checkpoints);
#define X(name) free((void *)(uintptr_t)self->options.name);
    OWN_TEXTS(X)
#undef X
    pthread_cond_destroy(&self->work);
    pthread_cond_destroy(&self->lease);
    pthread_cond_destroy(&self->commit);
    pthread_cond_destroy(&self->settle);
    pthread_cond_destroy(&self->keep);
    pthread_mutex_destroy(&self->sink_lock);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void worker_wake(struct ackd_worker *self)
{
    const uint64_t one = 1;
    int saved_errno = errno;
    ssize_t ignored = write(self->wake_fd, &one, sizeof one); /* full: it wakes anyway */

    (void)ignored;
    errno = saved_errno;
}

void worker_log(struct ackd_worker *self, enum ackd_log_level level, const char *format, ...)
{
    char message[512];
    va_list args;

    if (self->options.log == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    self->options.log(self->options.context, level, message);
}

void worker_fail(struct ackd_worker *self, const struct ackd_error *error)
{
    bool first;

    pthread_mutex_lock(&self->lock);
    first = self->failure == ACKD_OK;
    if (first) {
        self->failure = error->status;
        self->failure_error = *error;
    }
    pthread_mutex_unlock(&self->lock);
    if (first)
        worker_log(self, ACKD_LOG_ERROR, "the worker stops: %s", error->message);
    worker_wake(self);
}

bool worker_may_pass(enum ackd_status status)
{
    return ackd_status_is_retryable(status) || status == ACKD_UNAUTHENTICATED ||
           status == ACKD_PERMISSION_DENIED;
}

void worker_note_broker(struct ackd_worker *self, const struct ackd_error *error)
{
    note_away(self, &self->broker_away, "the broker", error);
}

void worker_note_sink(struct ackd_worker *self, const struct ackd_error *error)
{
    note_away(self, &self->sink_away, "the sink", error);
}

void worker_wait(struct ackd_worker *self, pthread_cond_t *condition, int64_t deadline_ms)
{
    struct timespec deadline = {.tv_sec = deadline_ms / 1000,
                                .tv_nsec = deadline_ms % 1000 * 1000000};

    if (deadline_ms == INT64_MAX)
        pthread_cond_wait(condition, &self->lock);
    else
        pthread_cond_timedwait(condition, &self->lock, &deadline);
}

void worker_pause(struct ackd_worker *self, pthread_cond_t *condition, int64_t delay_ms,
                  const atomic_bool *until)
{
    int64_t deadline_ms = worker_now_ms() + delay_ms;

    pthread_mutex_lock(&self->lock);
    while (!atomic_load(until) && worker_now_ms() < deadline_ms)
        worker_wait(self, condition, deadline_ms);
    pthread_mutex_unlock(&self->lock);
}

static void note_away(struct ackd_worker *self, bool *away, const char *who,
                      const struct ackd_error *error)
{
    bool changed;

    pthread_mutex_lock(&self->lock);
    changed = *away != (error != NULL);
    *away = error != NULL;
    pthread_mutex_unlock(&self->lock);
    if (changed && error != NULL)
        worker_log(self, ACKD_LOG_WARN, "%s is away, trying again: %s", who, error->message);
    else if (changed)
        worker_log(self, ACKD_LOG_INFO, "%s is back", who);
}

static enum ackd_status options_check(struct ackd_worker_options *options, struct ackd_error *error)
{
    if (options->queue == NULL || options->queue[0] == '\0')
        return error_export_field(error, "queue", "a worker needs the name of a queue");
    if (strlen(options->name) > 256 || !utf8_is_printable(slice_of_string(options->name)))
        return error_export_field(error, "name", "a worker's name is at most 256 bytes of UTF-8");
    if ((options->handler == NULL) == (options->batch_handler == NULL))
        return error_export_field(error, "handler",
                                  "a worker needs a handler or a batch_handler, and not both");
    if (options->sink != NULL && options->sink->size != sizeof(struct ackd_sink))
        return error_export_field(error, "sink", "sink.size must be sizeof its struct");
#define X(name, smallest, largest, fallback)                                                       \
    if (options->name == 0)                                                                        \
        options->name = (fallback);                                                                \
    else if (options->name < (smallest) || options->name > (largest))                              \
        return error_export_field(error, #name, #name " must be " #smallest " .. " #largest);
    OPTION_NUMBERS(X)
#undef X
    if (options->batch_handler == NULL)
        options->batch_max = 1;
    if (options->sink == NULL)
        options->sink = ackd_sink_broker();
    return ACKD_OK;
}

static bool own_text(const char **text)
{
    const char *theirs = *text;

    *text = theirs == NULL ? NULL : strdup(theirs);
    return theirs == NULL || *text != NULL;
}

/* Replaces the caller's texts by copies; false without memory (then none is the caller's). */
static bool options_own_texts(struct ackd_worker_options *options)
{
    char name[HOST_NAME_MAX + 32];
    char host[HOST_NAME_MAX + 1] = "";
    bool owned = true;

    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(name, sizeof name, "%s/%ld", host, (long)getpid());
    if (options->name == NULL)
        options->name = name;
#define X(name) owned &= own_text(&options->name);
    OWN_TEXTS(X)
#undef X
    return owned;
}

/* They are the caller's. */
static void options_disown_texts(struct ackd_worker_options *options)
{
#define X(name) options->name = NULL;
    OWN_TEXTS(X)
#undef X
}

static enum ackd_status checkpoints_init(struct ackd_worker *self, struct ackd_error *error)
{
    const char *directory = self->options.checkpoint_directory;

    self->options.checkpoint_directory = NULL; /* the caller's text */
    if (directory == NULL)
        return ACKD_OK;
    self->checkpoints = calloc(1, sizeof *self->checkpoints);
    if (self->checkpoints == NULL ||
        !file_store_init(self->checkpoints, "the checkpoint directory", directory))
        return ackd_error_set(error, ACKD_INTERNAL, "no memory for a worker");
    return ACKD_OK;
}

static enum ackd_status clients_open(struct ackd_worker *self, struct ackd_error *error)
{
    struct ackd_client_options options;
    enum ackd_status status;

    ackd_client_options_init(&options);
    options.url = self->options.url;
    options.timeout_ms = CALL_TIMEOUT_MS;
    status = ackd_client_open(&options, &self->leasing, error);
    if (status == ACKD_OK)
        status = ackd_client_open(&options, &self->settling, error);
    options.timeout_ms = KEEP_TIMEOUT_MS;
    if (status == ACKD_OK)
        status = ackd_client_open(&options, &self->keeping, error);
    return status;
}

static void locks_init(struct ackd_worker *self)
{
    pthread_cond_t *const conditions[] = {&self->work, &self->lease, &self->commit, &self->settle,
                                          &self->keep};
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++)
        pthread_cond_init(conditions[i], &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&self->sink_lock, NULL);
    pthread_mutex_init(&self->lock, NULL);
    list_init(&self->waiting);
    list_init(&self->running);
    self->progress_max = PROGRESS_TOLD_MAX;
    list_init(&self->finished);
    list_init(&self->settling_list);
    list_init(&self->ended);
    list_init(&self->sessions);
    atomic_init(&self->hand_back_at_ms, INT64_MAX);
}
