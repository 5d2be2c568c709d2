/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.c -- TaskService.Publish.
 *
 * A bad task is refused alone, with its reason; a bad queue, dataset or count refuses the request.
 */
#include <inttypes.h>

#include "base/traceparent.h"
#include "service/internal.h"

struct publishing {
    struct publish_call base;
    struct error **errors; /* one an item, NULL where the service found nothing wrong */
};

static enum status check_attributes(const PB(NewTask) *task, const struct limits *limits,
                                    size_t index, struct error *error)
{
    if (task->n_attributes > (size_t)limits->attributes_max)
        return error_limit(error, STATUS_TOO_LARGE, field_of("tasks", index, "attributes").text,
                           limits->attributes_max, (int64_t)task->n_attributes,
                           "the task has %zu attributes; the limit is %" PRId64, task->n_attributes,
                           limits->attributes_max);
    for (size_t i = 0; i < task->n_attributes; i++) {
        size_t key_size = strlen(task->attributes[i]->key);
        size_t value_size = strlen(task->attributes[i]->value);

        if (key_size == 0 || key_size > ATTRIBUTE_KEY_BYTES_MAX)
            return error_limit(error, STATUS_INVALID, field_of("tasks", index, "attributes").text,
                               ATTRIBUTE_KEY_BYTES_MAX, (int64_t)key_size,
                               "an attribute's key has %zu bytes; it must have "
                               "1 to %d",
                               key_size, ATTRIBUTE_KEY_BYTES_MAX);
        if (value_size > ATTRIBUTE_VALUE_BYTES_MAX)
            return error_limit(error, STATUS_TOO_LARGE, field_of("tasks", index, "attributes").text,
                               ATTRIBUTE_VALUE_BYTES_MAX, (int64_t)value_size,
                               "attribute \"%.64s\" has %zu bytes; the limit is %d",
                               task->attributes[i]->key, value_size, ATTRIBUTE_VALUE_BYTES_MAX);
    }
    return STATUS_OK;
}

static enum status check_payload(const PB(NewTask) *task, const struct limits *limits, size_t index,
                                 struct error *error)
{
    if (task->payload.len <= (size_t)limits->payload_bytes_max)
        return STATUS_OK;
    return error_limit(error, STATUS_TOO_LARGE, field_of("tasks", index, "payload").text,
                       limits->payload_bytes_max, (int64_t)task->payload.len,
                       "the payload has %zu bytes; the limit is %" PRId64
                       ": publish a reference to it instead",
                       task->payload.len, limits->payload_bytes_max);
}

static enum status check_id(const PB(NewTask) *task, size_t index, struct error *error)
{
    size_t size = strlen(task->task_id);

    if (size == 0)
        return STATUS_OK;
    if (task->task_id[0] == '@')
        return error_limit(error, STATUS_INVALID, field_of("tasks", index, "task_id").text, 0, 0,
                           "task IDs that begin with @ are the broker's own");
    if (size <= TASK_ID_BYTES_MAX && utf8_is_printable(slice_of(task->task_id, size)))
        return STATUS_OK;
    return check_task_id(task->task_id, field_of("tasks", index, "task_id").text, error);
}

static enum status check_task(const PB(NewTask) *task, const struct limits *limits, size_t index,
                              struct error *error)
{
    if (check_id(task, index, error) != STATUS_OK ||
        check_payload(task, limits, index, error) != STATUS_OK ||
        check_attributes(task, limits, index, error) != STATUS_OK)
        return error->status;
    if (task->priority < 0 || task->priority > PRIORITY_MAX)
        return check_range(task->priority, 0, PRIORITY_MAX,
                           field_of("tasks", index, "priority").text, "", error);
    if (task->delay_ms < 0 || task->delay_ms > DELAY_MS_MAX)
        return check_range(task->delay_ms, 0, DELAY_MS_MAX,
                           field_of("tasks", index, "delay_ms").text, "ms", error);
    return STATUS_OK;
}

static bool has_attribute(const PB(NewTask) *task, const char *key)
{
    for (size_t i = 0; i < task->n_attributes; i++) {
        if (strcmp(task->attributes[i]->key, key) == 0)
            return true;
    }
    return false;
}

static struct attribute attribute_of(const PB(NewTask) *task, size_t index)
{
    return (struct attribute){slice_of_string(task->attributes[index]->key),
                              slice_of_string(task->attributes[index]->value)};
}

/* The request's trace is that of its tasks, but for those that say otherwise or have no room. */
static struct attribute trace_of(const struct service_call *call, const PB(NewTask) *task)
{
    struct attribute trace = {slice_of_string(TRACEPARENT_KEY), call->traceparent};

    if (trace.value.size > 0 &&
        (task->n_attributes >= (size_t)service_limits(call->service)->attributes_max ||
         has_attribute(task, TRACEPARENT_KEY)))
        trace.value = SLICE_EMPTY;
    return trace;
}

/* Attributes and payload as one run of bytes; a task without attributes needs no copy. */
static bool make_body(struct service_call *call, const PB(NewTask) *task, struct publish_item *item)
{
    struct attribute trace = trace_of(call, task);
    struct attribute attribute;
    size_t attributes_size = trace.value.size > 0 ? attribute_size(&trace) : 0;
    uint8_t *body;
    uint8_t *at;

    if (task->n_attributes == 0 && attributes_size == 0) {
        item->body = slice_of(task->payload.data, task->payload.len);
        return true;
    }
    for (size_t i = 0; i < task->n_attributes; i++) {
        attribute = attribute_of(task, i);
        attributes_size += attribute_size(&attribute);
    }
    body = arena_alloc_raw(call->arena, attributes_size + task->payload.len);
    if (body == NULL)
        return false;
    at = body;
    for (size_t i = 0; i < task->n_attributes; i++) {
        attribute = attribute_of(task, i);
        at = attribute_write(&attribute, at);
    }
    if (trace.value.size > 0)
        at = attribute_write(&trace, at);
    if (task->payload.len > 0)
        memcpy(at, task->payload.data, task->payload.len);
    item->attributes_size = (uint32_t)attributes_size;
    item->body = slice_of(body, attributes_size + task->payload.len);
    return true;
}

static bool make_items(struct service_call *call, struct publishing *self)
{
    const PB(PublishRequest) *request = (const void *)call->request;
    const struct limits *limits = service_limits(call->service);
    struct error error; /* of an item that has one */

    self->base.item_count = request->n_tasks;
    self->base.items = ARENA_ARRAY(call->arena, request->n_tasks, struct publish_item);
    self->errors = ARENA_ARRAY(call->arena, request->n_tasks, struct error *);
    if (self->base.items == NULL || self->errors == NULL)
        return false;
    for (size_t i = 0; i < request->n_tasks; i++) {
        const PB(NewTask) *task = request->tasks[i];
        struct publish_item *item = &self->base.items[i];

        item->status = check_task(task, limits, i, &error);
        item->refused = item->status != STATUS_OK;
        if (item->status != STATUS_OK) {
            self->errors[i] = ARENA_NEW(call->arena, struct error);
            if (self->errors[i] == NULL)
                return false;
            *self->errors[i] = error;
            continue;
        }
        item->id = slice_of_string(task->task_id);
        item->priority = (uint8_t)task->priority;
        item->delay_ms = task->delay_ms;
        if (!make_body(call, task, item))
            return false;
    }
    return true;
}

/* False: no room. */
static bool fill_outcome(struct arena *arena, const struct publishing *self, size_t index,
                         const struct made_id_stem *stem, PB(PublishOutcome) *outcome)
{
    const struct publish_item *item = &self->base.items[index];

    outcome->index = (int32_t)index;
    if (item->status == STATUS_OK)
        outcome->task_id = wire_task_id(arena, item->id, item->place, stem);
    else
        outcome->task_id = wire_string(arena, item->id);
    return outcome->task_id != NULL &&
           wire_outcome_error(arena, item->status, self->errors[index], &outcome->error);
}

static void count_outcomes(const struct publishing *self, PB(PublishResponse) *response)
{
    for (size_t i = 0; i < self->base.item_count; i++) {
        enum status status = self->base.items[i].status;

        response->stored += status == STATUS_OK;
        response->duplicates += status == STATUS_DUPLICATE;
        response->refused += status != STATUS_OK && status != STATUS_DUPLICATE;
    }
}

static ProtobufCMessage *build(struct service_call *call, struct call *base)
{
    bool brief = ((const PB(PublishRequest) *)(const void *)call->request)->brief;
    struct publishing *self =
        CONTAINER_OF(CONTAINER_OF(base, struct publish_call, call), struct publishing, base);
    PB(PublishResponse) *response = PB_NEW(call->arena, PublishResponse, publish_response);
    struct made_id_stem stem = made_id_stem(self->base.queue_created_ms);
    size_t count = self->base.item_count;

    if (response == NULL)
        return NULL;
    count_outcomes(self, response);
    response->outcomes = PB_ARRAY(call->arena, brief ? count - (size_t)response->stored : count,
                                  PublishOutcome, publish_outcome);
    if (response->outcomes == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (brief && self->base.items[i].status == STATUS_OK)
            continue;
        if (!fill_outcome(call->arena, self, i, &stem, response->outcomes[response->n_outcomes++]))
            return NULL;
    }
    return &response->base;
}

void service_publish(struct service *self, struct service_call *call)
{
    const PB(PublishRequest) *request = (const void *)call->request;
    struct publishing *publishing;

    call->service = self;
    if (check_count(request->n_tasks, 1, service_limits(self), "tasks", &call->error) !=
            STATUS_OK ||
        check_dataset_name(request->dataset, &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    /* Copies of bodies with attributes, and the outcomes: as much again as the request, and a
     * little for each task. */
    allow_reply(call, (size_t)service_limits(self)->batch_bytes_max + request->n_tasks * 1024);
    publishing = ARENA_NEW(call->arena, struct publishing);
    if (publishing == NULL || !make_items(call, publishing)) {
        refuse_memory(call);
        return;
    }
    publishing->base.queue = slice_of_string(request->queue);
    publishing->base.dataset = slice_of_string(request->dataset);
    send_to_queue(call, request->queue, &publishing->base.call, &verb_publish, build);
}
