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

void mailbox_post(struct mailbox *self, struct letter *letter)
{
    bool was_empty;

    pthread_mutex_lock(&self->mutex);
    was_empty = list_is_empty(&self->letters);
    list_append(&self->letters, &letter->link);
    pthread_mutex_unlock(&self->mutex);
    if (was_empty && self->wake != NULL) /* else the owner has not come by since the last wake */
        self->wake(self->context);
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
