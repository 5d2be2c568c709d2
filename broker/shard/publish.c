/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.c -- stores tasks, in order, each ID once.
 *
 * The IDs of a request are looked up together, piece by piece, before that piece is written; IDs
 * that occur twice within the request are found by a set of its own. A published task costs one
 * append to `task`, and one insert in `id` if it came with an ID; only a delayed one has an active
 * row already.
 */
#include "base/assert.h"
#include "shard/state.h"

#define PIECE 256

struct seen_id {
    struct map_node node;
    struct slice id;
};

struct publisher {
    struct shard *shard;
    struct queue *queue;
    struct dataset *dataset;
    struct publish_call *call;
    struct map seen;        /* IDs of this request; chains freed at the end */
    struct seen_id *places; /* in the arena, one an item */
};

static struct dataset *find_or_make_dataset(struct shard *shard, struct queue *queue,
                                            struct slice name, struct error *error);
static enum status publish_piece(struct publisher *self, size_t first, size_t count);
static enum status look_up_ids(struct publisher *self, size_t first, size_t count);
static enum status store_item(struct publisher *self, struct publish_item *item);

static enum call_result run(struct shard *shard, struct call *base)
{
    struct publish_call *call = CONTAINER_OF(base, struct publish_call, call);
    struct publisher self = {.shard = shard, .call = call};

    self.queue = shard_find_queue(shard, call->queue, &base->error);
    if (self.queue == NULL)
        return CALL_DONE;
    self.dataset = find_or_make_dataset(shard, self.queue, call->dataset, &base->error);
    if (self.dataset == NULL)
        return CALL_DONE;
    call->queue_created_ms = self.queue->created_ms;
    for (size_t i = 0; i < call->item_count; i++)
        if (!call->items[i].refused)
            call->items[i].status = STATUS_OK; /* whatever a batch that was taken back found */
    batch_touch_dataset(shard, self.queue, self.dataset);

    map_init(&self.seen);
    self.places = ARENA_ARRAY(base->arena, call->item_count, struct seen_id);
    if (self.places == NULL || !map_reserve(&self.seen, call->item_count)) {
        map_deinit(&self.seen);
        batch_fail(shard, STATUS_UNAVAILABLE);
        return CALL_DONE;
    }
    for (size_t first = 0; first < call->item_count; first += PIECE) {
        size_t left = call->item_count - first;

        if (publish_piece(&self, first, left < PIECE ? left : PIECE) != STATUS_OK)
            break;
    }
    map_deinit(&self.seen);
    return CALL_DONE;
}

const struct verb verb_publish = {"publish", true, true, run};

static struct dataset *find_or_make_dataset(struct shard *shard, struct queue *queue,
                                            struct slice name, struct error *error)
{
    struct dataset *dataset = dataset_find(queue, name);
    int64_t max = shard->options.limits.datasets_max;

    if (dataset != NULL)
        return dataset;
    if (queue->now.next_dataset >= max) {
        error_limit(error, STATUS_LIMIT_REACHED, "dataset", max, queue->now.next_dataset,
                    "the queue has its %d datasets already", (int)max);
        return NULL;
    }
    batch_touch_queue(shard, queue);
    dataset = dataset_new(queue, name, queue->now.next_dataset);
    if (dataset == NULL) {
        batch_fail(shard, STATUS_UNAVAILABLE);
        return NULL;
    }
    dataset->is_new = true;
    queue->now.next_dataset++;
    batch_touch_dataset(shard, queue, dataset);
    return dataset;
}

static enum status publish_piece(struct publisher *self, size_t first, size_t count)
{
    enum status status = look_up_ids(self, first, count);

    for (size_t i = first; i < first + count && status == STATUS_OK; i++) {
        if (self->call->items[i].status == STATUS_OK)
            status = store_item(self, &self->call->items[i]);
    }
    return status;
}

static bool is_in_request(struct publisher *self, size_t index)
{
    struct slice id = self->call->items[index].id;
    uint64_t hash = hash_bytes(id);

    for (struct map_node *node = map_first_of(&self->seen, hash); node != NULL;
         node = map_next_of(node)) {
        if (slice_equal(CONTAINER_OF(node, struct seen_id, node)->id, id))
            return true;
    }
    self->places[index].id = id;
    map_insert(&self->seen, &self->places[index].node, hash);
    return false;
}

/* Whether a record found under the ID still stands for a task. */
static enum status judge_found(struct publisher *self, const struct store_read *read,
                               enum status *ret_item)
{
    struct id_record record;
    enum status status = id_record_read(read->key, read->value, &record);

    if (status != STATUS_OK) {
        *ret_item = STATUS_CORRUPT; /* nobody can say whether it was there: don't store it twice */
        return STATUS_OK;
    }
    if (!record.done ||
        record.done_ms + self->queue->now.config.dedup_retention_ms > self->shard->batch.now_ms)
        *ret_item = STATUS_DUPLICATE;
    return STATUS_OK;
}

static enum status look_up_ids(struct publisher *self, size_t first, size_t count)
{
    struct store_read reads[PIECE];
    struct key keys[PIECE];
    size_t indexes[PIECE];
    size_t read_count = 0;
    enum status status;

    if (!self->queue->now.config.dedup)
        return STATUS_OK;
    for (size_t i = first; i < first + count; i++) {
        struct publish_item *item = &self->call->items[i];

        if (item->status != STATUS_OK || item->id.size == 0)
            continue;
        if (is_in_request(self, i)) {
            item->status = STATUS_DUPLICATE;
            continue;
        }
        keys[read_count] = key_of_name(self->queue->number, item->id);
        reads[read_count] =
            (struct store_read){STORE_ID, key_slice(&keys[read_count]), SLICE_EMPTY, false};
        indexes[read_count++] = i;
    }
    if (read_count == 0)
        return STATUS_OK;
    status = store_get_many(self->shard->batch.txn, reads, read_count);
    if (status != STATUS_OK)
        return batch_fail(self->shard, status);
    for (size_t i = 0; i < read_count; i++) {
        if (reads[i].found)
            judge_found(self, &reads[i], &self->call->items[indexes[i]].status);
    }
    return STATUS_OK;
}

static enum status write_row(struct publisher *self, const struct publish_item *item)
{
    struct key key = key_of_place(item->place);
    struct task_record record = {
        .published_ms = self->shard->batch.now_ms,
        .dataset = self->dataset->number,
        .attributes_size = item->attributes_size,
        .body_size = (uint32_t)item->body.size,
        .id = item->id,
        .body = is_inline(item->body.size) ? item->body : SLICE_EMPTY,
    };
    uint8_t *value;
    enum status status =
        batch_reserve(self->shard, STORE_TASK, key_slice(&key), task_record_size(&record), &value);

    if (status != STATUS_OK)
        return status;
    task_record_write(&record, key_slice(&key), value);
    if (is_inline(item->body.size))
        return STATUS_OK;
    return chunks_write(self->shard, item->place, CHUNK_BODY, item->body);
}

static enum status write_id(struct publisher *self, const struct publish_item *item)
{
    struct key key = key_of_name(self->queue->number, item->id);
    struct id_record record = {.priority = item->place.priority, .seq = item->place.seq};
    uint8_t *value;
    enum status status =
        batch_reserve(self->shard, STORE_ID, key_slice(&key), ID_RECORD_SIZE, &value);

    if (status == STATUS_OK)
        id_record_write(&record, key_slice(&key), value);
    return status;
}

static void count_published(struct tally *tally, int64_t now_ms)
{
    tally->ready++;
    tally->published++;
    if (tally->first_published_ms == 0)
        tally->first_published_ms = now_ms;
    tally->last_published_ms = now_ms;
}

/* A delayed task is touched from the start: its active row keeps the cursor from taking it. */
static enum status delay_item(struct publisher *self, const struct publish_item *item)
{
    struct held held = {
        .queue = self->queue,
        .place = item->place,
        .dataset = self->dataset->number,
        .has_active = true,
        .has_id = item->id.size > 0,
        .has_chunks = !is_inline(item->body.size),
    };
    struct task_command command = {.kind = TASK_PUBLISH, .delay_ms = item->delay_ms};
    struct task_effects effects;
    enum status status = held_step(self->shard, &held, &command, NULL, &effects);

    ASSERT(status != STATUS_WRONG_STATE);
    return status;
}

static enum status store_item(struct publisher *self, struct publish_item *item)
{
    struct queue_state *now = &self->queue->now;
    int64_t now_ms = self->shard->batch.now_ms;
    enum status status;

    item->place = (struct place){self->queue->number, item->priority, now->next_seq};
    status = write_row(self, item);
    if (status == STATUS_OK && item->id.size > 0 && now->config.dedup)
        status = write_id(self, item);
    if (status != STATUS_OK)
        return status;
    now->next_seq++;
    count_published(&now->tally, now_ms);
    count_published(&self->dataset->now, now_ms);
    if (item->delay_ms == 0) {
        now->fresh[item->priority]++;
        return STATUS_OK;
    }
    now->tally.ready--; /* delay_item counts it where it belongs */
    self->dataset->now.ready--;
    return delay_item(self, item);
}
