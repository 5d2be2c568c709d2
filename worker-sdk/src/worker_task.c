/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_task.c -- one task in the hands of its handler, and the functions that the handler has.
 *
 * What the handler sets (result, verdict, error) is its own until it returns. A checkpoint is
 * under the worker's lock, because at the end of the grace the run thread gives the task back
 * with it while the handler still runs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/traceparent.h"
#include "worker_internal.h"

enum { ERROR_TEXT_MAX = 4096, LOG_TEXT_MAX = 512 };

static void fail(struct task *task, bool permanent, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void warn(struct task *task, const char *format, ...) ACKD_PRINTF(2, 3);

struct task *task_new(struct ackd_worker *self, const struct ackd_leased_task *leased,
                      struct session *session, struct delivery *delivery)
{
    struct task *task = calloc(1, sizeof *task);

    if (task == NULL)
        return NULL;
    task->face = leased->task;
    task->lease_token = leased->lease_token;
    task->worker = self;
    task->session = session;
    task->delivery = delivery;
    session->tasks++;
    delivery->tasks++;
    list_init(&task->link);
    return task;
}

void task_free(struct task *task)
{
    struct session *session = task->session;

    session->tasks--;
    if (session->tasks == 0 && session->retired)
        pthread_cond_signal(&task->worker->keep);
    delivery_unref(task->delivery);
    free(task->result);
    free(task->error);
    free(task->checkpoint);
    free(task);
}

void delivery_unref(struct delivery *delivery)
{
    if (--delivery->tasks > 0)
        return;
    ackd_lease_reply_free(delivery->reply);
    free(delivery);
}

void task_load_checkpoint(struct task *task)
{
    struct file_store *store = task->worker->checkpoints;
    struct ackd_error error;

    if (store == NULL || task->face.deliveries <= 1)
        return;
    if (file_store_read(store, task->face.id, &task->face.checkpoint, &error) != ACKD_OK)
        warn(task, "a checkpoint is not used: %s", error.message);
    task->has_file = task->face.checkpoint.data != NULL;
    task->checkpoint = (void *)(uintptr_t)task->face.checkpoint.data; /* to be freed */
}

/* With the task's trace, if it belongs to one. */
static void warn(struct task *task, const char *format, ...)
{
    const char *traceparent = ackd_task_traceparent(&task->face);
    char text[LOG_TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (traceparent == NULL)
        worker_log(task->worker, ACKD_LOG_WARN, "%s", text);
    else
        worker_log(task->worker, ACKD_LOG_WARN, "%s trace_id=%s", text,
                   traceparent_trace_id(slice_of_string(traceparent)).text);
}

const char *ackd_task_attribute(const struct ackd_task *task, const char *key)
{
    for (size_t i = 0; i < task->attribute_count; i++)
        if (strcmp(task->attributes[i].key, key) == 0)
            return task->attributes[i].value;
    return NULL;
}

const char *ackd_task_traceparent(const struct ackd_task *task)
{
    const char *text = ackd_task_attribute(task, TRACEPARENT_KEY);

    return text != NULL && traceparent_is_valid(slice_of_string(text)) ? text : NULL;
}

enum ackd_status ackd_task_set_result(struct ackd_task *face, const void *data, size_t size)
{
    struct task *task = task_of(face);
    void *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        return ACKD_INTERNAL;
    if (size > 0)
        memcpy(copy, data, size);
    free(task->result);
    task->result = copy;
    task->result_size = size;
    task->has_result = true;
    return ACKD_OK;
}

enum ackd_verdict ackd_task_fail(struct ackd_task *task, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(task_of(task), false, format, args);
    va_end(args);
    return ACKD_FAILED;
}

enum ackd_verdict ackd_task_fail_for_good(struct ackd_task *task, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(task_of(task), true, format, args);
    va_end(args);
    return ACKD_FAILED;
}

enum ackd_verdict ackd_task_release(struct ackd_task *face, int64_t delay_ms)
{
    struct task *task = task_of(face);

    task->verdict = ACKD_RELEASED;
    task->release_delay_ms = delay_ms;
    return ACKD_RELEASED;
}

enum ackd_stop ackd_task_should_stop(const struct ackd_task *face)
{
    struct task *task = task_of(face);
    int stop = atomic_load_explicit(&task->stop, memory_order_relaxed);

    if (stop != ACKD_STOP_NO)
        return (enum ackd_stop)stop;
    return atomic_load_explicit(&task->worker->draining, memory_order_relaxed) ? ACKD_STOP_DRAIN
                                                                               : ACKD_STOP_NO;
}

int64_t ackd_task_time_left_ms(const struct ackd_task *face)
{
    int64_t end_ms = atomic_load(&task_of(face)->worker->hand_back_at_ms);
    int64_t now_ms = worker_now_ms();

    if (end_ms == INT64_MAX)
        return INT64_MAX;
    return end_ms > now_ms ? end_ms - now_ms : 0;
}

/* The worker that has the task now may have saved more: a lost lease writes nothing. */
static enum ackd_status checkpoint_to_file(struct task *task, struct ackd_bytes bytes,
                                           struct ackd_error *error)
{
    struct file_store *store = task->worker->checkpoints;
    enum ackd_status status;

    if (atomic_load(&task->stop) == ACKD_STOP_LOST)
        return ackd_error_set(error, ACKD_LEASE_LOST, "%s", ackd_status_text(ACKD_LEASE_LOST));
    if (bytes.size == 0)
        return file_store_remove(store, task->face.id, error);
    status = file_store_write(store, task->face.id, bytes, error);
    if (status == ACKD_OK)
        status = file_store_flush(store, error);
    task->has_file |= status == ACKD_OK;
    if (status == ACKD_OK)
        ackd_task_progress(&task->face); /* of one with the broker, the broker knows */
    return status;
}

enum ackd_status ackd_task_checkpoint(struct ackd_task *face, const void *data, size_t size,
                                      struct ackd_error *error)
{
    struct task *task = task_of(face);
    struct ackd_worker *self = task->worker;
    enum ackd_status status;
    void *copy;

    if (self->checkpoints != NULL)
        return checkpoint_to_file(task, (struct ackd_bytes){data, size}, error);
    copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return ackd_error_set(error, ACKD_INTERNAL, "no memory for a checkpoint");
    if (size > 0)
        memcpy(copy, data, size);
    pthread_mutex_lock(&self->lock);
    free(task->checkpoint);
    task->checkpoint = copy;
    task->checkpoint_size = size;
    task->unsaved = true;
    pthread_mutex_unlock(&self->lock);

    status = ackd_client_save_checkpoint(self->keeping, task->lease_token, data, size, error);
    if (status == ACKD_LEASE_LOST)
        atomic_store(&task->stop, ACKD_STOP_LOST);
    pthread_mutex_lock(&self->lock);
    if (!ackd_status_is_retryable(status) && task->checkpoint == copy)
        task->unsaved = false;
    pthread_mutex_unlock(&self->lock);
    return status;
}

/* The wire takes UTF-8 alone, and would refuse the whole batch for one bad byte of a message. */
static void text_mend(char *text)
{
    size_t size;

    for (size_t at = 0; text[at] != '\0'; at += size) {
        uint32_t character;

        size = utf8_first(slice_of_string(text + at), &character);
        if (size == 0) {
            text[at] = '?';
            size = 1;
        }
    }
}

static void fail(struct task *task, bool permanent, const char *format, va_list args)
{
    char text[ERROR_TEXT_MAX];

    (void)vsnprintf(text, sizeof text, format, args);
    text_mend(text);
    free(task->error);
    task->error = strdup(text);
    task->permanent = permanent;
    task->verdict = ACKD_FAILED;
}
