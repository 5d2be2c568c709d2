/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_keep.c -- sessions, and the keeper that sends their heartbeats.
 *
 *   open --> current (new leases) --retire--> kept while it has tasks --> closed
 *               |                                |
 *               +----- unknown to the broker ----+--> gone: its tasks are lost
 *
 * One heartbeat keeps all leases of a session. Its answer names those that ended otherwise: tasks
 * that wait are dropped, running ones told to stop. A heartbeat without an answer is repeated soon:
 * the sooner the broker hears from us again, the less is lost.
 *
 * A session leaves the list by the keeper alone, so the keeper may use one without the lock.
 */
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "worker_internal.h"

enum { BEAT_RETRY_MIN_MS = 100, BEAT_RETRY_MAX_MS = 1000, SESSIONS_CLOSED_MAX = 16 };

static struct session *next_session(struct ackd_worker *self, bool *ret_over);
static void beat(struct ackd_worker *self, struct session *session);
static void end_session(struct ackd_worker *self, struct session *session);
static void stop_task(struct ackd_worker *self, const char *lease_token, enum ackd_stop reason);

void *worker_keep_thread(void *context)
{
    struct ackd_worker *self = context;
    struct session *session;
    bool over;

    while ((session = next_session(self, &over)) != NULL) {
        if (over)
            end_session(self, session);
        else
            beat(self, session);
    }
    return NULL;
}

enum ackd_status worker_open_session(struct ackd_worker *self, struct ackd_client *client,
                                     struct ackd_error *error)
{
    struct ackd_session_request request;
    struct session *session;
    enum ackd_status status;
    bool open;

    pthread_mutex_lock(&self->lock);
    open = self->session != NULL;
    pthread_mutex_unlock(&self->lock);
    if (open)
        return ACKD_OK;
    session = calloc(1, sizeof *session);
    if (session == NULL)
        return ackd_error_set(error, ACKD_UNAVAILABLE, "no memory for a session");
    ackd_session_request_init(&request);
    request.queue = self->options.queue;
    request.worker = self->options.name;
    request.session_ms = self->options.session_ms;
    request.node = self->options.node;
    request.pod = self->options.pod;
    request.pod_namespace = self->options.pod_namespace;
    status = ackd_client_open_session(client, &request, &session->info, error);
    if (status != ACKD_OK) {
        free(session);
        return status;
    }
    session->beat_at_ms = worker_now_ms() + session->info->heartbeat_ms;
    pthread_mutex_lock(&self->lock);
    list_append(&self->sessions, &session->link);
    self->session = session;
    pthread_cond_signal(&self->keep);
    pthread_mutex_unlock(&self->lock);
    return ACKD_OK;
}

void session_retire(struct ackd_worker *self, struct session *session)
{
    session->retired = true;
    if (self->session == session)
        self->session = NULL;
    pthread_cond_signal(&self->keep);
}

void session_gone(struct ackd_worker *self, struct session *session)
{
    session->gone = true;
    session_retire(self, session);
    LIST_EACH_SAFE (link, &self->waiting) {
        struct task *task = CONTAINER_OF(link, struct task, link);

        if (task->session != session)
            continue;
        list_remove(link);
        self->stats.waiting--;
        self->stats.lost++;
        task_free(task);
    }
    LIST_EACH (link, &self->running) {
        struct task *task = CONTAINER_OF(link, struct task, link);

        if (task->session == session)
            atomic_store(&task->stop, ACKD_STOP_LOST);
    }
    if (worker_leaser_will_call(self))
        pthread_cond_signal(&self->lease);
}

static void session_free(struct session *session)
{
    list_remove(&session->link);
    ackd_session_free(session->info);
    free(session);
}

/* The IDs of the sessions that the broker still knows, as copies; their number. */
static size_t session_ids(struct ackd_worker *self, char **ids, size_t count_max)
{
    size_t count = 0;

    pthread_mutex_lock(&self->lock);
    LIST_EACH (link, &self->sessions) {
        struct session *session = CONTAINER_OF(link, struct session, link);

        if (!session->gone && count < count_max)
            ids[count++] = strdup(session->info->id);
    }
    pthread_mutex_unlock(&self->lock);
    return count;
}

void worker_close_sessions(struct ackd_worker *self, int64_t timeout_ms)
{
    char *ids[SESSIONS_CLOSED_MAX];
    size_t count = session_ids(self, ids, SESSIONS_CLOSED_MAX);
    int64_t end_ms = worker_now_ms() + timeout_ms;
    struct ackd_client_options options;
    struct ackd_client *client = NULL; /* the worker's own are interrupted by now */

    ackd_client_options_init(&options);
    options.url = self->options.url;
    options.timeout_ms = timeout_ms;
    options.connect_timeout_ms = timeout_ms;
    if (count > 0 && ackd_client_open(&options, &client, NULL) == ACKD_OK)
        for (size_t i = 0; i < count && worker_now_ms() < end_ms; i++)
            (void)ackd_client_close_session(client, ids[i], NULL, NULL);
    ackd_client_close(client);
    while (count > 0)
        free(ids[--count]);
}

void worker_free_sessions(struct ackd_worker *self)
{
    LIST_EACH_SAFE (link, &self->sessions)
        session_free(CONTAINER_OF(link, struct session, link));
}

/* Waits until a session is due, for a heartbeat or (`over`: no task has it, none will) for its end.
 * NULL: leaving. */
static struct session *next_session(struct ackd_worker *self, bool *ret_over)
{
    struct session *due = NULL;

    *ret_over = false;
    pthread_mutex_lock(&self->lock);
    while (!self->leaving && due == NULL) {
        int64_t now_ms = worker_now_ms();
        int64_t wake_ms = INT64_MAX;

        LIST_EACH (link, &self->sessions) {
            struct session *session = CONTAINER_OF(link, struct session, link);

            if (session->retired && session->tasks == 0) {
                due = session;
                *ret_over = true;
                break;
            }
            if (session->gone)
                continue;
            if (session->beat_at_ms <= now_ms)
                due = session;
            else if (session->beat_at_ms < wake_ms)
                wake_ms = session->beat_at_ms;
        }
        if (due == NULL)
            worker_wait(self, &self->keep, wake_ms);
    }
    if (self->leaving)
        due = NULL;
    pthread_mutex_unlock(&self->lock);
    return due;
}

static void beat(struct ackd_worker *self, struct session *session)
{
    struct ackd_heartbeat_reply *reply = NULL;
    struct ackd_error error;
    int64_t begin_ms = worker_now_ms();
    size_t count;
    char **progress = progress_take(self, session, &count);
    enum ackd_status status = ackd_client_heartbeat(
        self->keeping, session->info->id, (const char *const *)progress, count, &reply, &error);

    progress_free(progress, count);
    if (status == ACKD_OK) {
        worker_note_broker(self, NULL);
        backoff_reset(&session->retry);
        session->beat_at_ms = begin_ms + session->info->heartbeat_ms;
        pthread_mutex_lock(&self->lock);
        progress_told(self, session);
        for (size_t i = 0; i < reply->stop_count; i++)
            stop_task(self, reply->stops[i].lease_token, reply->stops[i].reason);
        pthread_mutex_unlock(&self->lock);
        ackd_heartbeat_reply_free(reply);
    } else if (status == ACKD_SESSION_NOT_FOUND) {
        pthread_mutex_lock(&self->lock);
        session_gone(self, session);
        pthread_mutex_unlock(&self->lock);
        worker_log(self, ACKD_LOG_WARN, "the session has expired; its leases are lost");
    } else if (status == ACKD_TOO_LARGE && count > 1) {
        self->progress_max = count / 2; /* and again at once: the session lives by it */
    } else {
        if (status != ACKD_CANCELED)
            worker_note_broker(self, &error);
        session->beat_at_ms = worker_now_ms() + backoff_next_ms(&session->retry, BEAT_RETRY_MIN_MS,
                                                                BEAT_RETRY_MAX_MS);
    }
}

/* A retired session without tasks: what the broker still has under it goes back. */
static void end_session(struct ackd_worker *self, struct session *session)
{
    struct ackd_error error;
    bool gone;

    pthread_mutex_lock(&self->lock);
    gone = session->gone;
    pthread_mutex_unlock(&self->lock);
    if (!gone && ackd_status_is_retryable(
                     ackd_client_close_session(self->keeping, session->info->id, NULL, &error))) {
        worker_pause(self, &self->keep,
                     backoff_next_ms(&session->retry, BEAT_RETRY_MIN_MS, BEAT_RETRY_MAX_MS),
                     &self->leaving);
        return; /* again */
    }
    pthread_mutex_lock(&self->lock);
    session_free(session);
    pthread_mutex_unlock(&self->lock);
}

/* `lock`. A task that is past its handler hears of it from the broker when it is settled. */
static void stop_task(struct ackd_worker *self, const char *lease_token, enum ackd_stop reason)
{
    LIST_EACH_SAFE (link, &self->waiting) {
        struct task *task = CONTAINER_OF(link, struct task, link);

        if (strcmp(task->lease_token, lease_token) != 0)
            continue;
        list_remove(link);
        self->stats.waiting--;
        self->stats.lost++;
        task_free(task);
        if (worker_leaser_will_call(self))
            pthread_cond_signal(&self->lease);
        return;
    }
    LIST_EACH (link, &self->running) {
        struct task *task = CONTAINER_OF(link, struct task, link);

        if (strcmp(task->lease_token, lease_token) == 0)
            atomic_store(&task->stop, reason);
    }
}
