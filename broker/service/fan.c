/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fan.c -- one question to every shard, one answer when the last has come.
 *
 * The letters are opened on one thread, so counting them needs no lock. The first error is the
 * answer's.
 */
#include <stdlib.h>

#include "service/internal.h"

static void finish(struct fan *self)
{
    struct service_call *call = self->call;
    ProtobufCMessage *response = NULL;

    arena_insist(call->arena);
    call->error = ERROR_NONE;
    for (int i = 0; i < self->count && call->error.status == STATUS_OK; i++) {
        call->error = self->calls[i]->error;
        call->arena->starved |= self->arenas[i].starved;
    }
    if (call->error.status == STATUS_OK)
        response = self->build(call, self); /* copies: the shards' arenas end here */
    for (int i = 0; i < self->count; i++)
        arena_deinit(&self->arenas[i]);
    if (call->error.status == STATUS_OK)
        reply(call, response);
    else
        refuse(call);
}

static void finished(struct call *base)
{
    struct fan *self = base->owner;

    if (--self->left == 0)
        finish(self);
}

static bool make_calls(struct fan *self, size_t size, const struct verb *verb,
                       void (*prepare)(struct fan *fan, struct call *base, int shard))
{
    struct arena *arena = self->call->arena;

    self->calls = ARENA_ARRAY(arena, (size_t)self->count, struct call *);
    self->arenas = ARENA_ARRAY(arena, (size_t)self->count, struct arena);
    if (self->calls == NULL || self->arenas == NULL)
        return false;
    for (int i = 0; i < self->count; i++) {
        self->calls[i] = arena_alloc(arena, size);
        if (self->calls[i] == NULL)
            return false;
    }
    for (int i = 0; i < self->count; i++) {
        arena_init(&self->arenas[i], REPLY_BYTES_MAX);
        arena_set_budget(&self->arenas[i], arena->budget);
        call_init(self->calls[i], verb, &self->arenas[i], self->call->mailbox, finished, self);
        self->calls[i]->scope = self->call->scope;
        if (prepare != NULL)
            prepare(self, self->calls[i], i);
    }
    return true;
}

void fan_out(struct service_call *call, size_t size, const struct verb *verb,
             void (*prepare)(struct fan *fan, struct call *base, int shard),
             void (*start)(struct shard *shard, struct call *base),
             ProtobufCMessage *(*build)(struct service_call *call, struct fan *fan))
{
    struct service *service = call->service;
    struct fan *self;

    allow_reply(call, REPLY_BYTES_MAX);
    self = ARENA_NEW(call->arena, struct fan);
    if (self == NULL) {
        refuse_memory(call);
        return;
    }
    self->call = call;
    self->count = service->shard_count;
    self->left = service->shard_count;
    self->build = build;
    if (!make_calls(self, size, verb, prepare)) {
        refuse_memory(call);
        return;
    }
    for (int i = 0; i < self->count; i++)
        start(service->shards[i], self->calls[i]);
}
