/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c -- QueueService.
 */
#include <stdlib.h>

#include "service/internal.h"

/* The fields of the wire's config over `config`; `set` (may be NULL) says which were there. */
static void read_config(const PB(QueueConfig) *from, struct queue_config *config, bool *set)
{
    int row = 0;

    if (from == NULL)
        return;
#define X(name, min, max, fallback)                                                                \
    if (from->has_##name##_case != 0)                                                              \
        config->name = from->name;                                                                 \
    if (set != NULL)                                                                               \
        set[row] = from->has_##name##_case != 0;                                                   \
    row++;
    QUEUE_CONFIG_TABLE(X)
#undef X
}

static ProtobufCMessage *build_created(struct service_call *call, struct call *base)
{
    struct queue_call *done = CONTAINER_OF(base, struct queue_call, call);
    PB(CreateQueueResponse) *response =
        PB_NEW(call->arena, CreateQueueResponse, create_queue_response);

    if (response == NULL)
        return NULL;
    response->created = done->created;
    response->queue = wire_queue(call->arena, &done->view);
    return response->queue == NULL ? NULL : &response->base;
}

void service_queue_create(struct service *self, struct service_call *call)
{
    const PB(CreateQueueRequest) *request = (const void *)call->request;
    struct queue_call *base = ARENA_NEW(call->arena, struct queue_call);
    int shard = 0;

    call->service = self;
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    base->name = slice_of_string(request->name);
    base->config = queue_config_default();
    read_config(request->config, &base->config, NULL);
    if (check_queue_name(request->name, "name", &call->error) != STATUS_OK ||
        queue_config_check(&base->config, &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    if (self->shard_count > 1)
        shard = directory_place(self->directory, base->name, self->shard_count);
    if (shard < 0)
        refuse_memory(call);
    else
        send_call(call, self->shards[shard], &base->call, &verb_queue_create, build_created);
}

/* Get, Update, Pause and Resume answer with the queue; their responses have the same shape. */
#define QUEUE_REPLY(function, Response, response_name)                                             \
    static ProtobufCMessage *function(struct service_call *call, struct call *base)                \
    {                                                                                              \
        struct queue_call *done = CONTAINER_OF(base, struct queue_call, call);                     \
        PB(Response) *response = PB_NEW(call->arena, Response, response_name);                     \
                                                                                                   \
        if (response == NULL)                                                                      \
            return NULL;                                                                           \
        response->queue = wire_queue(call->arena, &done->view);                                    \
        return response->queue == NULL ? NULL : &response->base;                                   \
    }
QUEUE_REPLY(build_get, GetQueueResponse, get_queue_response)
QUEUE_REPLY(build_update, UpdateQueueResponse, update_queue_response)
QUEUE_REPLY(build_pause, PauseQueueResponse, pause_queue_response)
QUEUE_REPLY(build_resume, ResumeQueueResponse, resume_queue_response)

/* `config` may be NULL. */
static void send_queue_call(struct service *self, struct service_call *call, const char *name,
                            const PB(QueueConfig) *config, const struct verb *verb,
                            reply_builder *build)
{
    struct queue_call *base = ARENA_NEW(call->arena, struct queue_call);

    call->service = self;
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    base->name = slice_of_string(name);
    read_config(config, &base->config, base->set);
    send_to_queue(call, name, &base->call, verb, build);
}

void service_queue_get(struct service *self, struct service_call *call)
{
    const PB(GetQueueRequest) *request = (const void *)call->request;

    send_queue_call(self, call, request->name, NULL, &verb_queue_get, build_get);
}

void service_queue_update(struct service *self, struct service_call *call)
{
    const PB(UpdateQueueRequest) *request = (const void *)call->request;

    send_queue_call(self, call, request->name, request->config, &verb_queue_update, build_update);
}

void service_queue_pause(struct service *self, struct service_call *call)
{
    const PB(PauseQueueRequest) *request = (const void *)call->request;

    send_queue_call(self, call, request->name, NULL, &verb_queue_pause, build_pause);
}

void service_queue_resume(struct service *self, struct service_call *call)
{
    const PB(ResumeQueueRequest) *request = (const void *)call->request;

    send_queue_call(self, call, request->name, NULL, &verb_queue_resume, build_resume);
}

static ProtobufCMessage *build_deleted(struct service_call *call, struct call *base)
{
    struct queue_call *done = CONTAINER_OF(base, struct queue_call, call);

    directory_remove(call->service->directory, done->name, done->generation);
    return wire_new(call->arena, &ackd__v1__delete_queue_response__descriptor);
}

void service_queue_delete(struct service *self, struct service_call *call)
{
    const PB(DeleteQueueRequest) *request = (const void *)call->request;
    struct queue_call *base = ARENA_NEW(call->arena, struct queue_call);

    call->service = self;
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    base->name = slice_of_string(request->name);
    base->generation = directory_generation(self->directory, base->name);
    send_to_queue(call, request->name, &base->call, &verb_queue_delete, build_deleted);
}

static ProtobufCMessage *build_purged(struct service_call *call, struct call *base)
{
    PB(PurgeQueueResponse) *response =
        PB_NEW(call->arena, PurgeQueueResponse, purge_queue_response);

    if (response == NULL)
        return NULL;
    response->purged = base->progress.count;
    return &response->base;
}

void service_queue_purge(struct service *self, struct service_call *call)
{
    const PB(PurgeQueueRequest) *request = (const void *)call->request;
    struct queue_purge_call *base = ARENA_NEW(call->arena, struct queue_purge_call);

    call->service = self;
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    if (check_dataset_name(request->dataset, &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    base->name = slice_of_string(request->name);
    base->dataset = slice_of_string(request->dataset);
    base->any_dataset = request->dataset[0] == '\0';
    send_to_queue(call, request->name, &base->call, &verb_queue_purge, build_purged);
}

static int by_name(const void *a, const void *b)
{
    return slice_compare((*(const struct queue_view *const *)a)->name,
                         (*(const struct queue_view *const *)b)->name);
}

/* All shards' views, by name. */
static const struct queue_view **sorted_views(struct service_call *call, struct fan *fan,
                                              size_t *ret_count)
{
    const struct queue_view **views;
    size_t count = 0;

    for (int i = 0; i < fan->count; i++)
        count += CONTAINER_OF(fan->calls[i], struct queue_list_call, call)->view_count;
    views = ARENA_ARRAY(call->arena, count, const struct queue_view *);
    *ret_count = 0;
    for (int i = 0; i < fan->count && views != NULL; i++) {
        struct queue_list_call *part = CONTAINER_OF(fan->calls[i], struct queue_list_call, call);

        for (size_t k = 0; k < part->view_count; k++)
            views[(*ret_count)++] = &part->views[k];
    }
    if (views != NULL)
        qsort(views, count, sizeof views[0], by_name);
    return views;
}

static bool has_part(struct slice name, const char *part)
{
    return memmem(name.data, name.size, part, strlen(part)) != NULL;
}

static ProtobufCMessage *build_list(struct service_call *call, struct fan *fan)
{
    const PB(ListQueuesRequest) *request = (const void *)call->request;
    size_t page_size = request->page_size == 0 ? PAGE_SIZE_DEFAULT : (size_t)request->page_size;
    PB(ListQueuesResponse) *response =
        PB_NEW(call->arena, ListQueuesResponse, list_queues_response);
    size_t count;
    const struct queue_view **views = sorted_views(call, fan, &count);
    struct slice from;

    if (response == NULL || views == NULL ||
        read_page_token(call, request->page_token, &from) != STATUS_OK)
        return NULL;
    response->queues = ARENA_ARRAY(call->arena, page_size, PB(Queue) *);
    if (response->queues == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (slice_compare(views[i]->name, from) < 0 || !has_part(views[i]->name, request->contains))
            continue;
        if (response->n_queues == page_size) {
            response->next_page_token = write_page_token(call->arena, views[i]->name);
            return response->next_page_token == NULL ? NULL : &response->base;
        }
        response->queues[response->n_queues] = wire_queue(call->arena, views[i]);
        if (response->queues[response->n_queues++] == NULL)
            return NULL;
    }
    return &response->base;
}

void service_queue_list(struct service *self, struct service_call *call)
{
    const PB(ListQueuesRequest) *request = (const void *)call->request;
    int32_t page_size = request->page_size;
    struct slice from;

    call->service = self;
    if (check_page_size(&page_size, &call->error) != STATUS_OK ||
        read_page_token(call, request->page_token, &from) != STATUS_OK) {
        refuse(call);
        return;
    }
    fan_out(call, sizeof(struct queue_list_call), &verb_queue_list, NULL, shard_send, build_list);
}
