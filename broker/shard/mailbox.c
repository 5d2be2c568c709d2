/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.c -- a mutex, a list and a wake-up call.
 */
#include "shard/mailbox.h"

#include "base/assert.h"

void mailbox_init(struct mailbox *self, void (*wake)(void *context), void *context)
{
    pthread_mutex_init(&self->mutex, NULL);
    list_init(&self->letters);
    self->wake = wake;
    self->context = context;
}

void mailbox_deinit(struct mailbox *self)
{
    ASSERT(list_is_empty(&self->letters));
    pthread_mutex_destroy(&self->mutex);
}

/* With the mutex held. A mailbox that was not empty has woken its owner already. */
static void unlock_and_wake(struct mailbox *self, bool was_empty)
{
    pthread_mutex_unlock(&self->mutex);
    if (was_empty && self->wake != NULL)
        self->wake(self->context);
}

void mailbox_post(struct mailbox *self, struct letter *letter)
{
    bool was_empty;

    pthread_mutex_lock(&self->mutex);
    was_empty = list_is_empty(&self->letters);
    list_append(&self->letters, &letter->link);
    unlock_and_wake(self, was_empty);
}

void mailbox_post_all(struct mailbox *self, struct list *letters)
{
    bool was_empty;

    if (list_is_empty(letters))
        return;
    pthread_mutex_lock(&self->mutex);
    was_empty = list_is_empty(&self->letters);
    list_append_all(&self->letters, letters);
    unlock_and_wake(self, was_empty);
}

int mailbox_drain(struct mailbox *self)
{
    struct list letters;
    struct list *link;
    int count = 0;

    list_init(&letters);
    pthread_mutex_lock(&self->mutex);
    list_append_all(&letters, &self->letters);
    pthread_mutex_unlock(&self->mutex);

    while ((link = list_take_first(&letters)) != NULL) {
        struct letter *letter = CONTAINER_OF(link, struct letter, link);

        letter->open(letter);
        count++;
    }
    return count;
}
