/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.c -- shards' structs as protobuf messages in the call's arena.
 *
 * Every function answers NULL where the arena has no room.
 */
#include "auth/principal.h"
#include "base/digits.h"
#include "service/internal.h"

void *wire_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = arena_alloc_raw(arena, descriptor->sizeof_message);

    if (message != NULL)
        protobuf_c_message_init(descriptor, message);
    return message;
}

void **wire_new_array(struct arena *arena, size_t count,
                      const ProtobufCMessageDescriptor *descriptor)
{
    void **messages = arena_alloc_array_raw(arena, count, sizeof *messages);
    char *memory = arena_alloc_array_raw(arena, count, descriptor->sizeof_message);

    if (messages == NULL || memory == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        messages[i] = memory + i * descriptor->sizeof_message;
        protobuf_c_message_init(descriptor, messages[i]);
    }
    return messages;
}

/* Borrows: the bytes are in the arena already. */
ProtobufCBinaryData wire_bytes(struct slice data)
{
    return (ProtobufCBinaryData){data.size, (uint8_t *)(uintptr_t)data.data};
}

char *wire_string(struct arena *arena, struct slice text)
{
    return text.size == 0 ? (char *)(uintptr_t)protobuf_c_empty_string : arena_string(arena, text);
}

PB(ErrorDetail) *wire_error(struct arena *arena, const struct error *error)
{
    PB(ErrorDetail) *detail = PB_NEW(arena, ErrorDetail, error_detail);

    if (detail == NULL)
        return NULL;
    detail->status = (PB(Status))error->status;
    detail->message = arena_string(arena, slice_of_string(error->message));
    detail->field = arena_string(arena, slice_of_string(error->field));
    detail->limit = error->limit;
    detail->value = error->value;
    return detail->message == NULL || detail->field == NULL ? NULL : detail;
}

PB(ErrorDetail) *wire_status(struct arena *arena, enum status status)
{
    PB(ErrorDetail) *detail = PB_NEW(arena, ErrorDetail, error_detail);

    if (detail == NULL)
        return NULL;
    detail->status = (PB(Status))status;
    detail->message = (char *)(uintptr_t)status_sentence(status);
    return detail;
}

bool wire_outcome_error(struct arena *arena, enum status status, const struct error *error,
                        PB(ErrorDetail) **ret_error)
{
    if (status == STATUS_OK)
        return true;
    *ret_error = error != NULL ? wire_error(arena, error) : wire_status(arena, status);
    return *ret_error != NULL;
}

PB(Counts) *wire_counts(struct arena *arena, const struct tally *tally)
{
    PB(Counts) *counts = PB_NEW(arena, Counts, counts);

    if (counts == NULL)
        return NULL;
    counts->ready = tally->ready;
    counts->delayed = tally->delayed;
    counts->leased = tally->leased;
    counts->done = tally->done;
    counts->dead = tally->dead;
    counts->published = tally->published;
    counts->purged = tally->purged;
    return counts;
}

PB(Situation) *wire_situation(struct arena *arena, const struct situation *situation)
{
    PB(Situation) *message = PB_NEW(arena, Situation, situation);

    if (message == NULL)
        return NULL;
    message->ready = situation->ready;
    message->leased = situation->leased;
    message->delayed = situation->delayed;
    message->next_change_ms = situation->next_change_ms;
    message->paused = situation->paused;
    return message;
}

static PB(QueueConfig) *wire_config(struct arena *arena, const struct queue_config *config)
{
    PB(QueueConfig) *message = PB_NEW(arena, QueueConfig, queue_config);

    if (message == NULL)
        return NULL;
#define SET(name, NAME, type)                                                                      \
    message->has_##name##_case = ACKD__V1__QUEUE_CONFIG__HAS_##NAME##_##NAME;                      \
    message->name = (type)config->name;
    SET(lease_ms, LEASE_MS, int64_t)
    SET(max_failures, MAX_FAILURES, int32_t)
    SET(max_losses, MAX_LOSSES, int32_t)
    SET(backoff_min_ms, BACKOFF_MIN_MS, int64_t)
    SET(backoff_max_ms, BACKOFF_MAX_MS, int64_t)
    SET(dedup, DEDUP, protobuf_c_boolean)
    SET(dedup_retention_ms, DEDUP_RETENTION_MS, int64_t)
    SET(result_retention_ms, RESULT_RETENTION_MS, int64_t)
    SET(task_ttl_ms, TASK_TTL_MS, int64_t)
    SET(max_leased, MAX_LEASED, int64_t)
    SET(late_results, LATE_RESULTS, PB(LateResults))
#undef SET
    return message;
}

PB(Queue) *wire_queue(struct arena *arena, const struct queue_view *view)
{
    PB(Queue) *queue = PB_NEW(arena, Queue, queue);

    if (queue == NULL)
        return NULL;
    queue->name = arena_string(arena, view->name);
    queue->config = wire_config(arena, &view->config);
    queue->counts = wire_counts(arena, &view->tally);
    queue->paused = view->paused;
    queue->created_unix_ms = view->created_ms;
    queue->useful_lease_ms = view->tally.useful_ms;
    queue->wasted_lease_ms = view->tally.wasted_ms;
    queue->deliveries = view->tally.deliveries;
    queue->failures = view->tally.failures;
    queue->preemptions = view->tally.preemptions;
    queue->losses = view->tally.losses;
    queue->salvaged = view->tally.salvaged;
    queue->waiters = view->waiters;
    queue->sessions = view->sessions;
    queue->oldest_ready_ms = view->oldest_ready_age_ms;
    queue->oldest_lease_ms = view->oldest_lease_age_ms;
    return queue->name == NULL || queue->config == NULL || queue->counts == NULL ? NULL : queue;
}

char *wire_task_id(struct arena *arena, struct slice id, struct place place,
                   const struct made_id_stem *stem)
{
    char *made;

    if (id.size > 0)
        return arena_string(arena, id);
    made = arena_alloc_raw(arena, MADE_ID_BYTES_MAX);
    if (made != NULL)
        made_id_write_on(stem, place, made);
    return made;
}

char *wire_token(struct arena *arena, const struct lease_token *token)
{
    char *text = arena_alloc_raw(arena, TOKEN_BYTES_MAX);

    if (text != NULL)
        token_write(token, text);
    return text;
}

char *wire_session_id(struct arena *arena, uint64_t session)
{
    char text[DIGITS_16];

    if (session == 0)
        return arena_string(arena, SLICE_EMPTY);
    digits_write_16(session, text);
    return arena_string(arena, slice_of(text, sizeof text));
}

/* A map's entry, whichever message it belongs to: protobuf-c makes a type of each, all alike. */
struct map_entry {
    ProtobufCMessage base;
    char *key;
    char *value;
};
_Static_assert(
    offsetof(struct map_entry, key) == offsetof(PB(Task__AttributesEntry), key) &&
        offsetof(struct map_entry, value) == offsetof(PB(Task__AttributesEntry), value) &&
        offsetof(struct map_entry, key) == offsetof(PB(LeasedTask__AttributesEntry), key) &&
        offsetof(struct map_entry, value) == offsetof(PB(LeasedTask__AttributesEntry), value),
    "the entries of attribute maps have one shape");

bool wire_attributes(struct arena *arena, struct slice attributes,
                     const ProtobufCMessageDescriptor *entry_type, void *ret_entries,
                     size_t *ret_count)
{
    struct map_entry **entries;
    struct attribute attribute;
    size_t count = 0;

    *ret_count = 0;
    if (attributes.size == 0)
        return true;
    for (struct slice left = attributes; attribute_read(&left, &attribute);)
        count++;
    entries = ARENA_ARRAY(arena, count, struct map_entry *);
    if (entries == NULL)
        return false;
    while (attribute_read(&attributes, &attribute)) {
        struct map_entry *entry = wire_new(arena, entry_type);

        if (entry == NULL)
            return false;
        entry->key = arena_string(arena, attribute.key);
        entry->value = arena_string(arena, attribute.value);
        if (entry->key == NULL || entry->value == NULL)
            return false;
        entries[(*ret_count)++] = entry;
    }
    memcpy(ret_entries, &entries, sizeof entries);
    return true;
}

static void fill_task(struct arena *arena, const struct task_view *view, PB(Task) *task)
{
    const struct task *t = &view->task;

    task->state = (PB(TaskState))t->state; /* the numbers are the same */
    task->dataset = arena_string(arena, view->dataset);
    task->last_error = arena_string(arena, view->error);
    task->priority = view->place.priority;
    task->published_unix_ms = view->published_ms;
    task->fence = t->fence;
    task->failures = (int32_t)t->failures;
    task->preemptions = (int32_t)t->preemptions;
    task->losses = (int32_t)t->losses;
    task->deliveries = (int32_t)t->deliveries;
    task->due_unix_ms = t->state == TASK_DELAYED || t->state == TASK_LEASED ? t->at_ms : 0;
    task->done_unix_ms = t->state == TASK_DONE ? t->at_ms : 0;
    task->leased_unix_ms = t->leased_ms;
    task->session_id = wire_session_id(arena, t->session);
    task->dead_reason = (PB(DeadReason))t->dead_reason;
    task->has_checkpoint = t->has_checkpoint;
    task->has_result = view->has_result;
    task->payload_bytes = view->payload_size;
    task->progress_unix_ms = t->state == TASK_LEASED ? view->progress_ms : 0;
    task->dead_unix_ms = t->state == TASK_DEAD ? t->at_ms : 0;
}

PB(Task) *wire_task(struct arena *arena, const struct task_view *view, int64_t created_ms)
{
    PB(Task) *task = PB_NEW(arena, Task, task);
    struct slice attributes = slice_of(view->body.data, view->attributes_size);
    struct made_id_stem stem = made_id_stem(created_ms);

    if (task == NULL ||
        !wire_attributes(arena, attributes, &ackd__v1__task__attributes_entry__descriptor,
                         &task->attributes, &task->n_attributes))
        return NULL;
    fill_task(arena, view, task);
    task->task_id = wire_task_id(arena, view->id, view->place, &stem);
    task->payload = wire_bytes(
        slice_of(view->body.data + view->attributes_size, view->body.size - view->attributes_size));
    return task->task_id == NULL || task->dataset == NULL || task->last_error == NULL ||
                   task->session_id == NULL
               ? NULL
               : task;
}

char **wire_grants(struct arena *arena, const struct principal *principal, size_t *ret_count)
{
    char **texts = ARENA_ARRAY(arena, principal->grant_count, char *);

    for (size_t i = 0; i < principal->grant_count && texts != NULL; i++) {
        char text[GRANT_TEXT_BYTES_MAX];

        grant_write(&principal->grants[i], text);
        texts[i] = arena_string(arena, slice_of_string(text));
        if (texts[i] == NULL)
            return NULL;
    }
    *ret_count = texts == NULL ? 0 : principal->grant_count;
    return texts;
}
