/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errand.c -- starting and joining the one thread.
 */
#include "base/errand.h"

#include "base/assert.h"
#include "base/thread.h"

void errand_init(struct errand *self)
{
    *self = (struct errand){.stopped = false};
    (void)pthread_mutex_init(&self->mutex, NULL);
}

void errand_deinit(struct errand *self)
{
    ASSERT(!self->has_thread);
    (void)pthread_mutex_destroy(&self->mutex);
}

static void join(struct errand *self)
{
    if (self->has_thread)
        (void)pthread_join(self->thread, NULL);
    self->has_thread = false;
}

bool errand_start(struct errand *self, void *(*run)(void *argument), void *argument)
{
    bool started;

    pthread_mutex_lock(&self->mutex);
    join(self);
    if (!self->stopped)
        self->has_thread = thread_start(&self->thread, run, argument) == 0;
    started = self->has_thread;
    pthread_mutex_unlock(&self->mutex);
    return started;
}

void errand_stop(struct errand *self)
{
    pthread_mutex_lock(&self->mutex);
    self->stopped = true;
    join(self);
    pthread_mutex_unlock(&self->mutex);
}
