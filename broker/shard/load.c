/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c -- reads the store at start: queues, datasets, sessions, and what is in flight.
 *
 * The backlog is not read: only `active` rows are. Each live lease and session gets at least
 * restart_grace_ms from now, whatever time the broker was away.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"
#include "shard/state.h"

#define ROWS 256

typedef enum status row_visitor(struct shard *shard, const struct store_row *row,
                                struct error *error);

static row_visitor load_queue, load_dataset, load_session, load_active;

static enum status load_meta(struct shard *shard, struct error *error)
{
    struct slice key = slice_of_string(META_KEY);
    struct slice value;
    enum status status = store_get(shard->batch.txn, STORE_META, key, &value);

    shard->meta = (struct meta_record){
        .format = 0, /* until it is written */
        .shard = (uint32_t)shard->options.index,
        .next_queue = 1,
        .next_session = 1,
    };
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = meta_record_read(key, value, &shard->meta);
    if (status != STATUS_OK)
        return error_set(error, status, "the store's own record can't be read");
    if (shard->meta.format > STORE_FORMAT || shard->meta.format < STORE_FORMAT_OLDEST)
        return error_set(error, STATUS_CORRUPT,
                         "the store has format %" PRIu32 ", of %s ackd, and this one reads formats "
                         "%d to %d: start the ackd that wrote it, or restore a backup made by this "
                         "one",
                         shard->meta.format,
                         shard->meta.format > STORE_FORMAT ? "a newer" : "an older",
                         STORE_FORMAT_OLDEST, STORE_FORMAT);
    if (shard->meta.shard != (uint32_t)shard->options.index)
        return error_set(error, STATUS_INVALID, "the store is of shard %" PRIu32 ", not %d",
                         shard->meta.shard, shard->options.index);
    return STATUS_OK;
}

static enum status each_row(struct shard *shard, enum store_table table, row_visitor *visit,
                            struct error *error)
{
    struct store_row rows[ROWS];
    struct key from = {.size = 0};
    size_t count = ROWS;

    while (count == ROWS) {
        enum status status =
            store_scan(shard->batch.txn, table, key_slice(&from), SLICE_EMPTY, rows, ROWS, &count);

        for (size_t i = 0; i < count && status == STATUS_OK; i++)
            status = visit(shard, &rows[i], error);
        if (status != STATUS_OK)
            return error->status != STATUS_OK
                       ? error->status
                       : error_set(error, status, "table %s: %s", store_table_name(table),
                                   status_sentence(status));
        if (count > 0)
            from = key_after(rows[count - 1].key);
    }
    return STATUS_OK;
}

/* The store says that an older ackd would misread it before it has a record that one would, and
 * where that one looks: not in the log. */
static enum status write_format(struct shard *shard, struct error *error)
{
    struct slice key = slice_of_string(META_KEY);
    uint8_t value[META_RECORD_SIZE];
    struct store_txn *txn;
    enum status status;

    if (shard->meta.format != 0)
        LOG_INFO("store_format", LOG_INT("shard", shard->options.index),
                 LOG_INT("from", shard->meta.format), LOG_INT("to", STORE_FORMAT));
    shard->meta.format = STORE_FORMAT;
    meta_record_write(&shard->meta, key, value);
    status = store_begin_write(shard->store, &txn);
    if (status == STATUS_OK) {
        status = store_put(txn, STORE_META, key, slice_of(value, sizeof value));
        if (status == STATUS_OK)
            status = store_commit(txn);
        else
            store_abort(txn);
    }
    if (status == STATUS_OK)
        status = store_checkpoint(shard->store);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(error, status, "the store's own record can't be written");
}

enum status shard_load(struct shard *shard, struct error *error)
{
    enum status status = store_begin_read(shard->store, &shard->batch.txn);

    if (status != STATUS_OK)
        return error_set(error, status, "the store can't be read");
    status = load_meta(shard, error);
    if (status == STATUS_OK)
        status = each_row(shard, STORE_QUEUE, load_queue, error);
    if (status == STATUS_OK)
        status = each_row(shard, STORE_DATASET, load_dataset, error);
    if (status == STATUS_OK)
        status = each_row(shard, STORE_SESSION, load_session, error);
    if (status == STATUS_OK)
        status = each_row(shard, STORE_ACTIVE, load_active, error);
    if (status == STATUS_OK && !index_sort_ages(shard))
        status = error_set(error, STATUS_UNAVAILABLE, "there is no memory for the leases");
    store_abort(shard->batch.txn);
    shard->batch.txn = NULL;
    if (status == STATUS_OK && shard->meta.format != STORE_FORMAT)
        status = write_format(shard, error);
    return status;
}

static enum status load_queue(struct shard *shard, const struct store_row *row, struct error *error)
{
    struct queue_record record;
    struct queue *queue;
    uint32_t number;

    (void)error;
    if (!key_read_queue(row->key, &number) ||
        queue_record_read(row->key, row->value, &record) != STATUS_OK || record.name.size == 0)
        return STATUS_CORRUPT;
    queue = queue_new(shard, record.name, number, record.created_ms);
    if (queue == NULL)
        return STATUS_UNAVAILABLE;
    queue->now = (struct queue_state){
        .config = record.config,
        .tally = record.tally,
        .paused = record.paused,
        .deleting = record.deleting,
        .next_seq = record.next_seq,
        .next_dataset = record.next_dataset,
    };
    memcpy(queue->now.cursor, record.cursor, sizeof record.cursor);
    memcpy(queue->now.fresh, record.fresh, sizeof record.fresh);
    memcpy(queue->now.returned, record.returned, sizeof record.returned);
    queue->kept = queue->now;
    shard->has_ttl |= record.config.task_ttl_ms > 0;
    if (record.deleting) {
        queue_unname(shard, queue);
        shard->deleting_count++;
    }
    return STATUS_OK;
}

static enum status load_dataset(struct shard *shard, const struct store_row *row,
                                struct error *error)
{
    struct dataset_record record;
    struct dataset *dataset;
    struct queue *queue;
    uint32_t number;

    (void)error;
    if (row->key.size != 8 || !key_read_queue(row->key, &number) ||
        dataset_record_read(row->key, row->value, &record) != STATUS_OK)
        return STATUS_CORRUPT;
    queue = shard_queue_of_number(shard, number);
    if (queue == NULL)
        return STATUS_CORRUPT;
    dataset = dataset_new(queue, record.name, be32_get(row->key.data + 4));
    if (dataset == NULL)
        return STATUS_UNAVAILABLE;
    dataset->now = record.tally;
    dataset->kept = record.tally;
    return STATUS_OK;
}

/* Nothing of a queue that is being deleted is in flight. */
static bool is_going(struct shard *shard, uint32_t number)
{
    struct queue *queue = shard_queue_of_number(shard, number);

    return queue == NULL || queue->now.deleting;
}

static enum status load_session(struct shard *shard, const struct store_row *row,
                                struct error *error)
{
    struct session_record record;
    struct effect effect = {.kind = EFFECT_SESSION_BEGIN};
    uint64_t id;
    int64_t life_ms;

    (void)error;
    if (!key_read_session(row->key, &id) ||
        session_record_read(row->key, row->value, &record) != STATUS_OK)
        return STATUS_CORRUPT;
    effect.session = session_new(id, &record);
    if (effect.session == NULL || !map_reserve(&shard->sessions, 1) ||
        !heap_reserve(&shard->session_deadlines, 1)) {
        session_free(effect.session);
        return STATUS_UNAVAILABLE;
    }
    /* Heartbeats are not stored, so the last one may have been just before the end. */
    life_ms = record.session_ms > shard->options.restart_grace_ms ? record.session_ms
                                                                  : shard->options.restart_grace_ms;
    effect.session->heartbeat_ms = shard->batch.now_ms;
    effect.session->ended = is_going(shard, record.queue); /* then expire.c removes it at once */
    effect.at_ms = effect.session->ended ? 0 : shard->batch.now_ms + life_ms;
    index_apply(shard, &effect);
    return STATUS_OK;
}

static int64_t graced_ms(const struct shard *shard, int64_t deadline_ms)
{
    int64_t least_ms = shard->batch.now_ms + shard->options.restart_grace_ms;

    return deadline_ms < least_ms ? least_ms : deadline_ms;
}

/* A row that can't be read is left alone: its task is not handed out, and whoever asks for it is
 * told. One bad record must not keep the others from being served. */
static enum status load_active(struct shard *shard, const struct store_row *row,
                               struct error *error)
{
    struct active_record record;
    struct place place;

    (void)error;
    if (!key_read_place(row->key, &place) ||
        active_record_read(row->key, row->value, &record) != STATUS_OK) {
        LOG_ERROR("record_corrupt", LOG_STRING("table", "active"));
        return STATUS_OK;
    }
    if (is_going(shard, place.queue))
        return STATUS_OK;
    if (record.task.state == TASK_DONE)
        return index_add_tombstone(shard, place, shard->batch.now_ms + TOMBSTONE_MS);
    if (record.task.state != TASK_LEASED)
        return STATUS_OK;
    return index_add_lease(shard, place, &record.task, graced_ms(shard, record.task.at_ms));
}
