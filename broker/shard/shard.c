/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard.c -- opening, the inbox, and the objects that a shard keeps.
 */
#include "shard/shard.h"

#include <stdlib.h>

#include "base/assert.h"
#include "shard/state.h"

static void init(struct shard *self, const struct shard_options *options)
{
    self->options = *options;
    self->store = options->store;
    pthread_mutex_init(&self->mutex, NULL);
    errand_init(&self->inspector);
    pthread_cond_init(&self->wake, NULL);
    list_init(&self->inbox);
    list_init(&self->cancels);
    map_init(&self->queues_by_name);
    map_init(&self->queues_by_number);
    list_init(&self->queues);
    list_init(&self->waiting);
    map_init(&self->leases);
    list_init(&self->leases_spare);
    heap_init(&self->lease_deadlines);
    map_init(&self->sessions);
    heap_init(&self->session_deadlines);
    heap_init(&self->wait_deadlines);
    list_init(&self->batch.dirty_queues);
    list_init(&self->batch.ran);
    list_init(&self->batch.done);
    list_init(&self->batch.again);
    list_init(&self->batch.served);
    list_init(&self->batch.dropped);
    self->due_next_ms = 0; /* the first batch looks */
    self->serve_again_ms = INT64_MAX;
    self->checkpoint_ms = INT64_MAX;
    self->sweep_next_ms = 0;
    self->ttl_next_ms = 0;
    self->random = options->seed | 1;
    self->wake_count = 1;
}

enum status shard_open(const struct shard_options *options, struct shard **ret_shard,
                       struct error *error)
{
    struct shard *self = calloc(1, sizeof *self);
    enum status status;

    ASSERT(options->index >= 0 && options->index < SHARDS_MAX);
    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for a shard");
    init(self, options);
    self->batch.now_ms = clock_now_ms(&options->clock);
    status = shard_load(self, error);
    if (status != STATUS_OK) {
        self->store = NULL; /* stays the caller's */
        shard_close(self);
        return status;
    }
    *ret_shard = self;
    return STATUS_OK;
}

void shard_close(struct shard *self)
{
    if (self == NULL)
        return;
    ASSERT(!self->has_thread);
    errand_stop(&self->inspector);
    index_free(self);
    LIST_EACH_SAFE (link, &self->queues)
        queue_free(self, CONTAINER_OF(link, struct queue, link));
    map_deinit(&self->queues_by_name);
    map_deinit(&self->queues_by_number);
    heap_deinit(&self->wait_deadlines);
    free(self->batch.effects);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->mutex);
    errand_deinit(&self->inspector);
    store_close(self->store);
    free(self);
}

void shard_each_queue(struct shard *self,
                      void (*visit)(void *context, struct slice name, int shard), void *context)
{
    LIST_EACH (link, &self->queues) {
        struct queue *queue = CONTAINER_OF(link, struct queue, link);

        if (!queue->now.deleting)
            visit(context, slice_of(queue->name, queue->name_size), self->options.index);
    }
}

void shard_send(struct shard *self, struct call *call)
{
    bool stopped;

    pthread_mutex_lock(&self->mutex);
    stopped = self->stopped;
    if (!stopped) {
        list_append(&self->inbox, &call->link);
        if (++self->inbox_count >= self->wake_count)
            pthread_cond_signal(&self->wake);
    }
    pthread_mutex_unlock(&self->mutex);
    if (!stopped)
        return;
    error_set(&call->error, STATUS_UNAVAILABLE, "the broker is stopping");
    mailbox_post(call->mailbox, &call->letter);
}

void shard_cancel(struct shard *self, struct call *call)
{
    pthread_mutex_lock(&self->mutex);
    if (!call->posted) {
        list_remove(&call->cancel_link);
        list_append(&self->cancels, &call->cancel_link);
        pthread_cond_signal(&self->wake);
    }
    pthread_mutex_unlock(&self->mutex);
}

void shard_drain(struct shard *self)
{
    atomic_store(&self->draining, true);
    pthread_mutex_lock(&self->mutex);
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->mutex);
}

bool shard_has_room(const struct shard *self)
{
    return self->batch.calls < BATCH_CALLS_MAX && self->batch.bytes < BATCH_BYTES_MAX;
}

void shard_take(struct shard *self, struct list *calls)
{
    size_t before = self->inbox_count;
    struct list *link;

    while (shard_has_room(self) && (link = list_take_first(&self->inbox)) != NULL) {
        self->inbox_count--;
        self->batch.calls++;
        self->batch.bytes += CONTAINER_OF(link, struct call, link)->arena->used_bytes;
        list_append(calls, link);
    }
    gather_take(&self->gather, before - self->inbox_count);
}

static struct inspection *begin_step(struct shard *self, struct list *calls, struct list *cancels)
{
    struct batch *batch = &self->batch;
    struct inspection *inspection;

    batch->calls = 0;
    batch->bytes = 0;
    batch->answered = 0;
    batch->gather_ns = 0;
    batch->commit_ns = 0;
    pthread_mutex_lock(&self->mutex);
    list_append_all(cancels, &self->cancels);
    inspection = self->inspection;
    self->inspection = NULL;
    shard_take(self, calls);
    pthread_mutex_unlock(&self->mutex);
    return inspection;
}

bool shard_step(struct shard *self)
{
    struct list calls;
    struct list cancels;
    struct inspection *inspection;
    struct list *link;
    bool cancelled = false;

    list_init(&calls);
    list_init(&cancels);
    inspection = begin_step(self, &calls, &cancels);
    while ((link = list_take_first(&cancels)) != NULL) {
        struct call *call = CONTAINER_OF(link, struct call, cancel_link);

        call->cancelled = true;
        if (call->verb == &verb_lease)
            wait_drop(self, CONTAINER_OF(call, struct lease_call, call), STATUS_CANCELED);
        cancelled = true;
    }
    if (atomic_load(&self->draining))
        wait_drain(self);
    if (list_is_empty(&calls) && list_is_empty(&self->batch.dropped) && !cancelled &&
        inspection == NULL && shard_next_ms(self) > clock_now_ms(&self->options.clock))
        return false;
    batch_run(self, &calls);
    if (inspection != NULL)
        inspect_start(self, inspection);
    else if (self->checkpoint_ms <= self->batch.now_ms)
        (void)batch_checkpoint(self);
    return true;
}

int64_t shard_next_ms(const struct shard *self)
{
    struct heap_node *wait = heap_first(&self->wait_deadlines);
    int64_t next_ms = batch_chores_next_ms(self);

    if (self->failed)
        return INT64_MAX;
    if (wait != NULL && wait->key < next_ms)
        next_ms = wait->key;
    return next_ms < self->checkpoint_ms ? next_ms : self->checkpoint_ms;
}

/* xorshift64: jitter needs no better. */
uint64_t shard_random(struct shard *self)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random;
}

struct queue *shard_find_queue(struct shard *self, struct slice name, struct error *error)
{
    uint64_t hash = hash_bytes(name);

    for (struct map_node *node = map_first_of(&self->queues_by_name, hash); node != NULL;
         node = map_next_of(node)) {
        struct queue *queue = CONTAINER_OF(node, struct queue, name_node);

        if (slice_equal(slice_of(queue->name, queue->name_size), name) && !queue->now.deleting)
            return queue;
    }
    error_set(error, STATUS_QUEUE_NOT_FOUND, "there is no queue \"%.*s\"", (int)name.size,
              (const char *)name.data);
    return NULL;
}

struct queue *shard_find_queue_again(struct shard *self, struct slice name, struct call *call)
{
    struct queue *queue = shard_find_queue(self, name, &call->error);

    if (queue == NULL)
        return NULL;
    if (call->progress.begun && call->progress.queue != queue->number) {
        error_set(&call->error, STATUS_QUEUE_NOT_FOUND, "queue \"%s\" was deleted meanwhile",
                  queue->name);
        return NULL;
    }
    call->progress.queue = queue->number;
    return queue;
}

struct queue *shard_queue_of_number(struct shard *self, uint32_t number)
{
    for (struct map_node *node = map_first_of(&self->queues_by_number, hash_u64(number));
         node != NULL; node = map_next_of(node)) {
        struct queue *queue = CONTAINER_OF(node, struct queue, number_node);

        if (queue->number == number)
            return queue;
    }
    return NULL;
}

struct queue *queue_new(struct shard *shard, struct slice name, uint32_t number, int64_t created_ms)
{
    struct queue *self = calloc(1, sizeof *self);

    ASSERT(name.size > 0 && name.size <= QUEUE_NAME_BYTES_MAX);
    if (self == NULL || !map_reserve(&shard->queues_by_name, 1) ||
        !map_reserve(&shard->queues_by_number, 1)) {
        free(self);
        return NULL;
    }
    self->number = number;
    self->created_ms = created_ms;
    self->seal = token_seal(number, created_ms);
    self->name_size = name.size;
    memcpy(self->name, name.data, name.size);
    list_init(&self->dirty_link);
    list_init(&self->dataset_list);
    list_init(&self->dirty_datasets);
    list_init(&self->leases);
    list_init(&self->progress);
    list_init(&self->waiters);
    list_init(&self->waiting_link);
    map_init(&self->datasets);
    map_insert(&shard->queues_by_name, &self->name_node, hash_bytes(name));
    self->is_named = true;
    map_insert(&shard->queues_by_number, &self->number_node, hash_u64(number));
    list_append(&shard->queues, &self->link);
    shard->queue_count++;
    return self;
}

void queue_unname(struct shard *shard, struct queue *queue)
{
    if (!queue->is_named)
        return;
    map_remove(&shard->queues_by_name, &queue->name_node);
    queue->is_named = false;
}

void queue_free(struct shard *shard, struct queue *queue)
{
    ASSERT(list_is_empty(&queue->waiters) && list_is_empty(&queue->leases));
    queue_unname(shard, queue);
    map_remove(&shard->queues_by_number, &queue->number_node);
    list_remove(&queue->link);
    list_remove(&queue->dirty_link);
    list_remove(&queue->waiting_link);
    LIST_EACH_SAFE (link, &queue->dataset_list)
        dataset_free(queue, CONTAINER_OF(link, struct dataset, link));
    map_deinit(&queue->datasets);
    free(queue->numbered);
    shard->queue_count--;
    free(queue);
}

static bool reserve_number(struct queue *queue, uint32_t number)
{
    uint32_t count = queue->numbered_count == 0 ? 4 : queue->numbered_count;
    struct dataset **grown;

    if (number < queue->numbered_count)
        return true;
    while (count <= number)
        count *= 2;
    grown = realloc(queue->numbered, count * sizeof(struct dataset *));
    if (grown == NULL)
        return false;
    memset(grown + queue->numbered_count, 0,
           (count - queue->numbered_count) * sizeof(struct dataset *));
    queue->numbered = grown;
    queue->numbered_count = count;
    return true;
}

struct dataset *dataset_new(struct queue *queue, struct slice name, uint32_t number)
{
    struct dataset *self = calloc(1, sizeof *self);

    ASSERT(name.size <= DATASET_NAME_BYTES_MAX);
    if (self == NULL || !map_reserve(&queue->datasets, 1) || !reserve_number(queue, number)) {
        free(self);
        return NULL;
    }
    self->number = number;
    self->name_size = name.size;
    if (name.size > 0)
        memcpy(self->name, name.data, name.size);
    list_init(&self->dirty_link);
    map_insert(&queue->datasets, &self->node, hash_bytes(name));
    list_append(&queue->dataset_list, &self->link);
    queue->numbered[number] = self;
    return self;
}

void dataset_free(struct queue *queue, struct dataset *dataset)
{
    map_remove(&queue->datasets, &dataset->node);
    list_remove(&dataset->link);
    list_remove(&dataset->dirty_link);
    queue->numbered[dataset->number] = NULL;
    free(dataset);
}

struct dataset *dataset_of_number(const struct queue *queue, uint32_t number)
{
    return number < queue->numbered_count ? queue->numbered[number] : NULL;
}

struct dataset *dataset_find(const struct queue *queue, struct slice name)
{
    for (struct map_node *node = map_first_of(&queue->datasets, hash_bytes(name)); node != NULL;
         node = map_next_of(node)) {
        struct dataset *dataset = CONTAINER_OF(node, struct dataset, node);

        if (slice_equal(slice_of(dataset->name, dataset->name_size), name))
            return dataset;
    }
    return NULL;
}
