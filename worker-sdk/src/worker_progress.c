/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_progress.c -- tells the broker which tasks came nearer to their end.
 *
 * A handler counts its steps (ackd_task_progress); a heartbeat carries the leases whose count has
 * grown since one was last answered. What a heartbeat without an answer carried, the next carries
 * again. Of more than a heartbeat takes, those told go to the end of `running`, whose order means
 * nothing else, so that the next begins with the others. A task that is past its handler will be
 * acked or given back soon, and is left out.
 */
#include <stdlib.h>
#include <string.h>

#include "worker_internal.h"

void ackd_task_progress(const struct ackd_task *face)
{
    atomic_fetch_add_explicit(&task_of(face)->progress, 1, memory_order_relaxed);
}

static bool is_news(struct task *task, const struct session *session)
{
    return task->session == session &&
           atomic_load_explicit(&task->progress, memory_order_relaxed) != task->told;
}

static size_t count_news(struct ackd_worker *self, const struct session *session)
{
    size_t count = 0;

    LIST_EACH (link, &self->running)
        count += is_news(CONTAINER_OF(link, struct task, link), session);
    return count < self->progress_max ? count : self->progress_max;
}

char **progress_take(struct ackd_worker *self, const struct session *session, size_t *ret_count)
{
    char **tokens = NULL;
    size_t room;

    *ret_count = 0;
    pthread_mutex_lock(&self->lock);
    room = count_news(self, session);
    if (room > 0)
        tokens = calloc(room, sizeof *tokens);
    LIST_EACH (link, &self->running) {
        struct task *task = CONTAINER_OF(link, struct task, link);

        task->telling = task->told;
        if (tokens == NULL || *ret_count == room || !is_news(task, session))
            continue;
        tokens[*ret_count] = strdup(task->lease_token);
        if (tokens[*ret_count] == NULL)
            continue;
        task->telling = atomic_load_explicit(&task->progress, memory_order_relaxed);
        ++*ret_count;
    }
    pthread_mutex_unlock(&self->lock);
    return tokens;
}

void progress_told(struct ackd_worker *self, const struct session *session)
{
    LIST_EACH_SAFE (link, &self->running) {
        struct task *task = CONTAINER_OF(link, struct task, link);

        if (task->session != session || task->told == task->telling)
            continue;
        task->told = task->telling;
        list_remove(link);
        list_append(&self->running, link);
    }
}

void progress_free(char **tokens, size_t count)
{
    while (count > 0)
        free(tokens[--count]);
    free(tokens);
}
