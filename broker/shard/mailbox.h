/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h -- how finished calls come back from a shard's thread to the thread that sent them.
 *
 * The owner of the mailbox drains it on its own thread; `wake` is called by the shard, on its
 * thread, after letters were posted (a net thread passes uv_async_send). Many letters for one
 * mailbox are posted together: that takes the mutex once, and wakes the owner to all of them.
 */
#ifndef ACKD_SHARD_MAILBOX_H
#define ACKD_SHARD_MAILBOX_H

#include <pthread.h>

#include "base/list.h"

struct letter {
    struct list link;
    void (*open)(struct letter *self); /* called by mailbox_drain on the owner's thread */
};

struct mailbox {
    pthread_mutex_t mutex;
    struct list letters;         /* guarded by mutex */
    void (*wake)(void *context); /* any thread; may be NULL */
    void *context;
};

void mailbox_init(struct mailbox *self, void (*wake)(void *context), void *context);
/* The mailbox must be empty, and nobody may post any more. */
void mailbox_deinit(struct mailbox *self);
void mailbox_post(struct mailbox *self, struct letter *letter);
/* Takes all of `letters`, in their order; `letters` is empty afterwards. */
void mailbox_post_all(struct mailbox *self, struct list *letters);
/* Opens every letter that has come, on the calling thread. Returns how many. */
int mailbox_drain(struct mailbox *self);

#endif
