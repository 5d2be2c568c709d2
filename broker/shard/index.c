/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.c -- what is in flight: leases, sessions, and the tombstones of done leases.
 *
 * All of it can be built anew from the store (load.c); a commit changes it by applying the batch's
 * effects in their order. Applying can't fail: objects were made with the effect, and index_reserve
 * made room before the commit.
 *
 * A tombstone is the active record of a done task, kept so that an ack whose reply was lost can be
 * repeated. The ring says which to remove next; when it is full, the oldest goes early.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "shard/state.h"

#define LEASES_SPARE_MAX 10000

/* Neighbours have neighbouring chains: tasks are leased and acked in their order, and a thousand
 * chains that lie beside each other are 8 KiB of memory. Who chooses which leases to keep can make
 * a chain of n, but must publish n times as many tasks as there are chains. */
static uint64_t hash_place(struct place place)
{
    return hash_u64((uint64_t)place.queue << 8 | (uint64_t)place.priority) + place.seq;
}

struct lease *lease_find(struct shard *shard, struct place place)
{
    for (struct map_node *node = map_first_of(&shard->leases, hash_place(place)); node != NULL;
         node = map_next_of(node)) {
        struct lease *lease = CONTAINER_OF(node, struct lease, node);

        if (place_equal(lease->place, place))
            return lease;
    }
    return NULL;
}

/* Leases come and go with every task: a few are kept for the next. */
struct lease *lease_new(struct shard *shard, struct place place, const struct task *task)
{
    struct list *spare = list_take_first(&shard->leases_spare);
    struct lease *self =
        spare == NULL ? malloc(sizeof *self) : CONTAINER_OF(spare, struct lease, link);

    if (self == NULL)
        return NULL;
    shard->leases_spare_count -= spare != NULL;
    *self = (struct lease){.place = place,
                           .fence = task->fence,
                           .leased_ms = task->leased_ms,
                           .progress_ms = task->leased_ms};
    heap_node_init(&self->deadline);
    list_init(&self->link);
    list_init(&self->age_link);
    list_init(&self->progress_link);
    return self;
}

void lease_free(struct shard *shard, struct lease *lease)
{
    if (lease == NULL)
        return;
    if (shard->leases_spare_count >= LEASES_SPARE_MAX) {
        free(lease);
        return;
    }
    list_prepend(&shard->leases_spare, &lease->link);
    shard->leases_spare_count++;
}

static struct slice put_name(uint8_t **at, struct slice name)
{
    uint8_t *copy = *at;

    if (name.size > 0)
        memcpy(copy, name.data, name.size);
    *at += name.size;
    return slice_of(copy, name.size);
}

struct session *session_new(uint64_t id, const struct session_record *record)
{
    size_t size = sizeof(struct session);
    struct session *self;
    uint8_t *at;

#define X(name, bytes_max) size += record->names.name.size;
    WORKER_NAMES(X)
#undef X
    self = calloc(1, size);
    if (self == NULL)
        return NULL;
    at = (uint8_t *)(self + 1);
#define X(name, bytes_max) self->names.name = put_name(&at, record->names.name);
    WORKER_NAMES(X)
#undef X
    self->id = id;
    self->queue = record->queue;
    self->session_ms = record->session_ms;
    self->opened_ms = record->opened_ms;
    heap_node_init(&self->deadline);
    list_init(&self->leases);
    return self;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    free(session->stops);
    free(session);
}

struct session *session_find(struct shard *shard, uint64_t id)
{
    for (struct map_node *node = map_first_of(&shard->sessions, hash_u64(id)); node != NULL;
         node = map_next_of(node)) {
        struct session *session = CONTAINER_OF(node, struct session, node);

        if (session->id == id)
            return session;
    }
    return NULL;
}

static bool reserve_tombstones(struct shard *shard, size_t more)
{
    size_t capacity = shard->tombstone_capacity == 0 ? 1024 : shard->tombstone_capacity;
    struct tombstone *grown;

    if (more > TOMBSTONES_MAX)
        more = TOMBSTONES_MAX;
    while (capacity < shard->tombstone_count + more && capacity < TOMBSTONES_MAX)
        capacity *= 2;
    if (capacity == shard->tombstone_capacity)
        return true;
    grown = malloc(capacity * sizeof *grown);
    if (grown == NULL)
        return false;
    for (uint32_t i = 0; i < shard->tombstone_count; i++)
        grown[i] = shard->tombstones[(shard->tombstone_first + i) % shard->tombstone_capacity];
    free(shard->tombstones);
    shard->tombstones = grown;
    shard->tombstone_first = 0;
    shard->tombstone_capacity = (uint32_t)capacity;
    return true;
}

bool index_reserve(struct shard *shard)
{
    size_t leases = 0;
    size_t sessions = 0;
    size_t tombstones = 0;

    for (size_t i = 0; i < shard->batch.effect_count; i++) {
        enum effect_kind kind = shard->batch.effects[i].kind;

        leases += kind == EFFECT_LEASE_BEGIN;
        sessions += kind == EFFECT_SESSION_BEGIN;
        tombstones += kind == EFFECT_TOMBSTONE;
    }
    return (leases == 0 || (map_reserve(&shard->leases, leases) &&
                            heap_reserve(&shard->lease_deadlines, leases))) &&
           (sessions == 0 || (map_reserve(&shard->sessions, sessions) &&
                              heap_reserve(&shard->session_deadlines, sessions))) &&
           (tombstones == 0 || reserve_tombstones(shard, tombstones));
}

static void lease_insert(struct shard *shard, struct queue *queue, struct lease *lease,
                         uint64_t session_id, int64_t deadline_ms)
{
    lease->session = session_id == 0 ? NULL : session_find(shard, session_id);
    map_insert(&shard->leases, &lease->node, hash_place(lease->place));
    list_append(&queue->leases, &lease->age_link);
    list_append(&queue->progress, &lease->progress_link);
    if (lease->session == NULL) {
        heap_push(&shard->lease_deadlines, &lease->deadline, deadline_ms);
        return;
    }
    list_append(&lease->session->leases, &lease->link);
    lease->session->lease_count++;
}

static void lease_drop(struct shard *shard, struct lease *lease, bool acked)
{
    if (lease->session != NULL) {
        lease->session->lease_count--;
        lease->session->acked += acked;
    }
    shard->graced_count -= lease->is_graced;
    list_remove(&lease->link);
    list_remove(&lease->age_link);
    list_remove(&lease->progress_link);
    heap_remove(&shard->lease_deadlines, &lease->deadline);
    map_remove(&shard->leases, &lease->node);
    lease_free(shard, lease);
}

/* Bounded; a notice that finds no room is left out: the ack will tell. */
static void session_note_stop(struct shard *shard, const struct effect *effect)
{
    struct session *session = session_find(shard, effect->session_id);
    struct queue *queue = shard_queue_of_number(shard, effect->place.queue);

    if (session == NULL || session->ended || queue == NULL || session->stop_count >= STOPS_MAX)
        return;
    if (session->stop_count == session->stop_capacity) {
        size_t capacity = session->stop_capacity == 0 ? 16 : session->stop_capacity * 2;
        struct stop_notice *grown = realloc(session->stops, capacity * sizeof *grown);

        if (grown == NULL)
            return;
        session->stops = grown;
        session->stop_capacity = capacity;
    }
    session->stops[session->stop_count++] = (struct stop_notice){
        .token = {effect->place, effect->fence, queue->seal},
        .reason = effect->reason,
    };
}

static void tombstone_push(struct shard *shard, struct place place, int64_t until_ms)
{
    uint32_t at;

    if (shard->tombstone_count == shard->tombstone_capacity) {
        /* Full: sweep_run keeps it from coming to this but for huge batches. The row that is
         * forgotten here stays in the store until the next start finds it. */
        shard->tombstone_first = (shard->tombstone_first + 1) % shard->tombstone_capacity;
        shard->tombstone_count--;
    }
    at = (shard->tombstone_first + shard->tombstone_count++) % shard->tombstone_capacity;
    shard->tombstones[at] = (struct tombstone){place, until_ms};
}

void index_drop_tombstones(struct shard *shard, uint32_t count)
{
    if (count == 0)
        return;
    ASSERT(count <= shard->tombstone_count);
    shard->tombstone_first = (shard->tombstone_first + count) % shard->tombstone_capacity;
    shard->tombstone_count -= count;
}

/* A queue goes: its leases and sessions are no longer in flight. */
static void drop_queue(struct shard *shard, struct queue *queue)
{
    struct map_node *node = map_next(&shard->leases, NULL);

    while (node != NULL) {
        struct lease *lease = CONTAINER_OF(node, struct lease, node);

        node = map_next(&shard->leases, node);
        if (lease->place.queue == queue->number)
            lease_drop(shard, lease, false);
    }
    node = map_next(&shard->sessions, NULL);
    while (node != NULL) {
        struct session *session = CONTAINER_OF(node, struct session, node);

        node = map_next(&shard->sessions, node);
        if (session->queue == queue->number) {
            session->ended = true;
            heap_move(&shard->session_deadlines, &session->deadline, 0); /* expire.c removes it */
        }
    }
}

static void apply_lease_begin(struct shard *shard, struct effect *effect)
{
    lease_insert(shard, effect->queue, effect->lease, effect->session_id, effect->at_ms);
}

static void apply_lease_move(struct shard *shard, struct effect *effect)
{
    struct lease *lease = lease_find(shard, effect->place);

    if (lease != NULL && lease->session == NULL)
        heap_move(&shard->lease_deadlines, &lease->deadline, effect->at_ms);
}

static void apply_lease_progress(struct shard *shard, struct effect *effect)
{
    struct lease *lease = lease_find(shard, effect->place);

    if (lease != NULL && lease->fence == effect->fence)
        progress_note(shard, lease);
}

static void apply_lease_end(struct shard *shard, struct effect *effect)
{
    struct lease *lease = lease_find(shard, effect->place);

    ASSERT(lease != NULL); /* M2 */
    lease_drop(shard, lease, effect->acked);
}

static void apply_lease_forget(struct shard *shard, struct effect *effect)
{
    struct lease *lease = lease_find(shard, effect->place);

    if (lease != NULL && lease->fence == effect->fence)
        lease_drop(shard, lease, false);
}

static void apply_stop(struct shard *shard, struct effect *effect)
{
    session_note_stop(shard, effect);
}

static void apply_tombstone(struct shard *shard, struct effect *effect)
{
    tombstone_push(shard, effect->place, effect->at_ms);
}

static void apply_session_begin(struct shard *shard, struct effect *effect)
{
    struct session *session = effect->session;
    struct queue *queue = shard_queue_of_number(shard, session->queue);

    map_insert(&shard->sessions, &session->node, hash_u64(session->id));
    heap_push(&shard->session_deadlines, &session->deadline, effect->at_ms);
    if (queue != NULL)
        queue->session_count++;
}

static void apply_session_close(struct shard *shard, struct effect *effect)
{
    struct session *session = session_find(shard, effect->session_id);

    if (session != NULL)
        session->ended = true;
}

static void apply_session_end(struct shard *shard, struct effect *effect)
{
    struct session *session = session_find(shard, effect->session_id);
    struct queue *queue;

    ASSERT(session != NULL && list_is_empty(&session->leases));
    queue = shard_queue_of_number(shard, session->queue);
    if (queue != NULL)
        queue->session_count--;
    heap_remove(&shard->session_deadlines, &session->deadline);
    map_remove(&shard->sessions, &session->node);
    session_free(session);
}

static void apply_queue_deleting(struct shard *shard, struct effect *effect)
{
    shard->deleting_count++;
    wait_drop_queue(shard, effect->queue);
    drop_queue(shard, effect->queue);
    queue_unname(shard, effect->queue);
}

static void apply_queue_gone(struct shard *shard, struct effect *effect)
{
    shard->deleting_count--;
    queue_free(shard, effect->queue);
}

void index_apply(struct shard *shard, struct effect *effect)
{
    static void (*const appliers[])(struct shard *, struct effect *) = {
        [EFFECT_LEASE_BEGIN] = apply_lease_begin,
        [EFFECT_LEASE_MOVE] = apply_lease_move,
        [EFFECT_LEASE_PROGRESS] = apply_lease_progress,
        [EFFECT_LEASE_END] = apply_lease_end,
        [EFFECT_LEASE_FORGET] = apply_lease_forget,
        [EFFECT_STOP] = apply_stop,
        [EFFECT_TOMBSTONE] = apply_tombstone,
        [EFFECT_SESSION_BEGIN] = apply_session_begin,
        [EFFECT_SESSION_CLOSE] = apply_session_close,
        [EFFECT_SESSION_END] = apply_session_end,
        [EFFECT_QUEUE_DELETING] = apply_queue_deleting,
        [EFFECT_QUEUE_GONE] = apply_queue_gone,
    };

    ASSERT((size_t)effect->kind < sizeof appliers / sizeof appliers[0]);
    appliers[effect->kind](shard, effect);
}

void index_forget(struct shard *shard, struct effect *effect)
{
    struct session *session;

    if (effect->kind == EFFECT_SESSION_END) {
        session = session_find(shard, effect->session_id);
        if (session != NULL)
            session->ending = false;
    }
    lease_free(shard, effect->lease);
    session_free(effect->session);
}

void index_forget_lease(struct shard *shard, const struct lease *lease)
{
    struct effect *effect = batch_effect(shard, EFFECT_LEASE_FORGET);

    if (effect == NULL)
        return;
    effect->place = lease->place;
    effect->fence = lease->fence;
}

enum status index_add_lease(struct shard *shard, struct place place, const struct task *task,
                            int64_t deadline_ms)
{
    struct lease *lease = lease_new(shard, place, task);
    struct queue *queue = shard_queue_of_number(shard, place.queue);

    ASSERT(queue != NULL);
    if (lease == NULL || !map_reserve(&shard->leases, 1) ||
        !heap_reserve(&shard->lease_deadlines, 1)) {
        lease_free(shard, lease);
        return STATUS_UNAVAILABLE;
    }
    lease->is_graced = true;
    lease->progress_ms = shard->batch.now_ms;
    shard->graced_count++;
    lease_insert(shard, queue, lease, task->session, deadline_ms);
    return STATUS_OK;
}

static int by_age(const void *a, const void *b)
{
    const struct lease *left = *(const struct lease *const *)a;
    const struct lease *right = *(const struct lease *const *)b;

    return left->leased_ms < right->leased_ms ? -1 : left->leased_ms > right->leased_ms;
}

bool index_sort_ages(struct shard *shard)
{
    struct lease **leases = malloc((shard->leases.count + 1) * sizeof *leases);
    size_t count = 0;

    if (leases == NULL)
        return false;
    for (struct map_node *node = map_next(&shard->leases, NULL); node != NULL;
         node = map_next(&shard->leases, node))
        leases[count++] = CONTAINER_OF(node, struct lease, node);
    qsort(leases, count, sizeof *leases, by_age);
    for (size_t i = 0; i < count; i++) {
        struct queue *queue = shard_queue_of_number(shard, leases[i]->place.queue);

        list_remove(&leases[i]->age_link);
        list_append(&queue->leases, &leases[i]->age_link);
    }
    free(leases);
    return true;
}

int64_t index_deadline_ms(struct shard *shard, struct place place, const struct task *recorded)
{
    struct lease *lease = shard->graced_count == 0 ? NULL : lease_find(shard, place);

    /* With another fence it is the lease of before: this batch gave the task out anew. */
    if (lease == NULL || lease->fence != recorded->fence || lease->session != NULL ||
        lease->deadline.key < recorded->at_ms)
        return recorded->at_ms;
    return lease->deadline.key;
}

enum status index_add_tombstone(struct shard *shard, struct place place, int64_t until_ms)
{
    if (!reserve_tombstones(shard, 1))
        return STATUS_UNAVAILABLE;
    tombstone_push(shard, place, until_ms);
    return STATUS_OK;
}

void index_free(struct shard *shard)
{
    struct map_node *node;
    struct list *spare;

    while ((node = map_next(&shard->leases, NULL)) != NULL)
        lease_drop(shard, CONTAINER_OF(node, struct lease, node), false);
    while ((node = map_next(&shard->sessions, NULL)) != NULL) {
        struct session *session = CONTAINER_OF(node, struct session, node);

        heap_remove(&shard->session_deadlines, &session->deadline);
        map_remove(&shard->sessions, node);
        session_free(session);
    }
    map_deinit(&shard->leases);
    map_deinit(&shard->sessions);
    heap_deinit(&shard->lease_deadlines);
    heap_deinit(&shard->session_deadlines);
    free(shard->tombstones);
    while ((spare = list_take_first(&shard->leases_spare)) != NULL)
        free(CONTAINER_OF(spare, struct lease, link));
}
