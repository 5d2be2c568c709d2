/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c -- the part that all calls share.
 */
#include "shard/call.h"

static void open_letter(struct letter *letter)
{
    struct call *self = CONTAINER_OF(letter, struct call, letter);

    self->finished(self);
}

void call_init(struct call *self, const struct verb *verb, struct arena *arena,
               struct mailbox *mailbox, void (*finished)(struct call *), void *owner)
{
    list_init(&self->letter.link);
    list_init(&self->link);
    list_init(&self->cancel_link);
    self->letter.open = open_letter;
    self->posted = false;
    self->cancelled = false;
    self->result = CALL_DONE;
    self->verb = verb;
    self->mailbox = mailbox;
    self->arena = arena;
    self->scope = NULL;
    self->error = ERROR_NONE;
    self->progress = (struct progress){0};
    self->kept = self->progress;
    self->owner = owner;
    self->finished = finished;
}
