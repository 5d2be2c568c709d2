/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk.c -- a mailbox and a condition variable.
 */
#include "desk.h"

#include <stdlib.h>
#include <time.h>

static void wake(void *context)
{
    struct desk *self = context;

    pthread_mutex_lock(&self->mutex);
    self->woken = true;
    pthread_cond_signal(&self->cond);
    pthread_mutex_unlock(&self->mutex);
}

void desk_init(struct desk *self)
{
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->cond, NULL);
    self->woken = false;
    self->answered = 0;
    mailbox_init(&self->mailbox, wake, self);
}

void desk_deinit(struct desk *self)
{
    mailbox_deinit(&self->mailbox);
    pthread_cond_destroy(&self->cond);
    pthread_mutex_destroy(&self->mutex);
}

static void wait_for_letters(struct desk *self)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DESK_TIMEOUT_S;
    pthread_mutex_lock(&self->mutex);
    while (!self->woken)
        if (pthread_cond_timedwait(&self->cond, &self->mutex, &until) != 0)
            abort(); /* no answer */
    self->woken = false;
    pthread_mutex_unlock(&self->mutex);
}

/* Letters are taken only after the call that wakes to them: whoever has the last of them may let go
 * of the desk, and nobody touches it any more. */
void desk_wait(struct desk *self, int answers)
{
    while (self->answered < answers) {
        wait_for_letters(self);
        mailbox_drain(&self->mailbox);
    }
}
