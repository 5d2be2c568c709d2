/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.c -- opens the shards, finds the one a call is for, and brings its answer back.
 *
 *   handler --- send_call ---> shard's thread --- letter ---> finished --- build ---> done
 *   (the face's thread)                                       (the face's thread)
 */
#include <stdlib.h>

#include "base/assert.h"
#include "service/internal.h"

static void visit_queue(void *context, struct slice name, int shard)
{
    struct service *self = context;

    directory_put(self->directory, name, shard);
}

static void on_shard_failure(void *context)
{
    struct service *self = context;

    atomic_store(&self->ready, false);
    if (!atomic_exchange(&self->failed, true) && self->options.on_failure != NULL)
        self->options.on_failure(self->options.context);
}

static enum status open_shards(struct service *self, struct error *error)
{
    for (int i = 0; i < self->options.shard_count; i++) {
        struct shard_options options = {
            .index = i,
            .store = self->options.stores[i],
            .clock = self->options.clock,
            .limits = self->options.limits,
            .restart_grace_ms = self->options.restart_grace_ms,
            .seed = (uint64_t)self->started_ms * 2654435761u + (uint64_t)i,
            .on_failure = on_shard_failure,
            .context = self,
        };
        enum status status = shard_open(&options, &self->shards[i], error);

        if (status != STATUS_OK)
            return status;
        self->shard_count++;
        shard_each_queue(self->shards[i], visit_queue, self);
    }
    return STATUS_OK;
}

static enum status start_shards(struct service *self, struct error *error)
{
    for (int i = 0; i < self->shard_count; i++) {
        if (shard_start(self->shards[i]) != STATUS_OK)
            return error_set(error, STATUS_UNAVAILABLE, "no thread can be started for a shard");
    }
    return STATUS_OK;
}

enum status service_open(const struct service_options *options, struct service **ret_service,
                         struct error *error)
{
    struct service *self = calloc(1, sizeof *self);
    enum status status;

    ASSERT(options->shard_count >= 1 && options->shard_count <= SHARDS_MAX);
    if (self == NULL || (self->directory = directory_new()) == NULL) {
        for (int i = 0; i < options->shard_count; i++)
            store_close(options->stores[i]);
        free(self);
        return error_set(error, STATUS_UNAVAILABLE, "no memory for the service");
    }
    self->options = *options;
    errand_init(&self->sweep.errand);
    self->started_ms = clock_now_ms(&options->clock);
    status = open_shards(self, error);
    if (status == STATUS_OK && !options->stepped)
        status = start_shards(self, error);
    if (status != STATUS_OK) {
        for (int i = self->shard_count; i < options->shard_count; i++)
            store_close(options->stores[i]);
        service_close(self);
        return status;
    }
    if (options->data_dir != NULL && !options->stepped)
        (void)backup_sweep_start(self, NULL, NULL);
    atomic_store(&self->ready, true);
    *ret_service = self;
    return STATUS_OK;
}

bool service_step(struct service *self)
{
    bool stepped = false;

    ASSERT(self->options.stepped);
    for (int i = 0; i < self->shard_count; i++)
        stepped |= shard_step(self->shards[i]);
    return stepped;
}

bool service_is_ready(const struct service *self)
{
    return atomic_load(&self->ready);
}

void service_drain(struct service *self)
{
    atomic_store(&self->ready, false);
    for (int i = 0; i < self->shard_count; i++)
        shard_drain(self->shards[i]);
}

void service_stop(struct service *self)
{
    if (self == NULL)
        return;
    for (int i = 0; i < self->shard_count; i++)
        shard_stop(self->shards[i]);
    backup_sweep_stop(self);
}

void service_close(struct service *self)
{
    if (self == NULL)
        return;
    service_stop(self);
    for (int i = 0; i < self->shard_count; i++)
        shard_close(self->shards[i]);
    directory_free(self->directory);
    errand_deinit(&self->sweep.errand);
    free(self);
}

const struct limits *service_limits(const struct service *self)
{
    return &self->options.limits;
}

int64_t service_now_ms(const struct service *self)
{
    return clock_now_ms(&self->options.clock);
}

void reply(struct service_call *call, ProtobufCMessage *response)
{
    if (response == NULL && call->error.status != STATUS_OK) {
        refuse(call);
        return;
    }
    if (response == NULL) {
        refuse_memory(call);
        return;
    }
    call->response = response;
    call->pending = NULL;
    call->done(call);
}

void refuse(struct service_call *call)
{
    ASSERT(call->error.status != STATUS_OK);
    call->response = NULL;
    call->pending = NULL;
    call->done(call);
}

void refuse_memory(struct service_call *call)
{
    error_set(&call->error, STATUS_TOO_LARGE,
              "the request or its reply needs more memory than one request may have");
    refuse(call);
}

void allow_reply(struct service_call *call, size_t bytes)
{
    arena_set_max(call->arena, call->arena->used_bytes + bytes);
}

/* A call on its way to one shard. */
struct sent {
    struct service_call *call;
    struct shard *shard;
    struct call *base;
    reply_builder *build;
};

static void finished(struct call *base)
{
    struct sent *sent = base->owner;
    struct service_call *call = sent->call;

    arena_insist(call->arena); /* what the reply tells of has taken place */
    if (base->error.status == STATUS_OK) {
        call->error.status = STATUS_OK;
        reply(call, sent->build(call, base));
    } else {
        call->error = base->error;
        refuse(call);
    }
}

void send_call(struct service_call *call, struct shard *shard, struct call *base,
               const struct verb *verb, reply_builder *build)
{
    struct sent *sent = ARENA_NEW(call->arena, struct sent);

    if (sent == NULL) {
        refuse_memory(call);
        return;
    }
    *sent = (struct sent){call, shard, base, build};
    call->pending = sent;
    call_init(base, verb, call->arena, call->mailbox, finished, sent);
    base->scope = call->scope;
    shard_send(shard, base);
}

void service_cancel(struct service_call *call)
{
    struct sent *sent = call->pending;

    if (sent != NULL)
        shard_cancel(sent->shard, sent->base);
}

struct shard *shard_of_queue(struct service_call *call, const char *queue)
{
    struct service *self = call->service;
    int shard = 0;

    if (check_queue_name(queue, "queue", &call->error) != STATUS_OK)
        return NULL;
    if (self->shard_count > 1)
        shard = directory_find(self->directory, slice_of_string(queue));
    if (shard < 0) {
        error_set(&call->error, STATUS_QUEUE_NOT_FOUND, "there is no queue \"%s\"", queue);
        return NULL;
    }
    return self->shards[shard];
}

void send_to_queue(struct service_call *call, const char *queue, struct call *base,
                   const struct verb *verb, reply_builder *build)
{
    struct shard *shard = shard_of_queue(call, queue);

    if (shard == NULL)
        refuse(call);
    else
        send_call(call, shard, base, verb, build);
}
