/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob.c -- bytes that may be too large for one record: bodies, results, checkpoints.
 *
 * Up to RECORD_INLINE_MAX bytes lie in their record; more lie in chunks under the task's place.
 */
#include "base/assert.h"
#include "shard/state.h"

enum status chunks_write(struct shard *shard, struct place place, enum chunk_kind kind,
                         struct slice data)
{
    for (uint32_t index = 0; data.size > 0; index++) {
        struct slice piece = slice_of(data.data, data.size < CHUNK_BYTES ? data.size : CHUNK_BYTES);
        struct key key = key_of_chunk(place, kind, index);
        uint8_t *value;
        enum status status =
            batch_reserve(shard, STORE_CHUNK, key_slice(&key), chunk_record_size(piece), &value);

        if (status != STATUS_OK)
            return status;
        chunk_record_write(piece, key_slice(&key), value);
        data = slice_of(data.data + piece.size, data.size - piece.size);
    }
    return STATUS_OK;
}

enum status chunks_copy(struct shard *shard, struct place place, enum chunk_kind kind, size_t size,
                        struct arena *arena, struct slice *ret_data)
{
    uint8_t *data = arena_alloc_raw(arena, size);
    size_t at = 0;

    if (data == NULL)
        return STATUS_TOO_LARGE;
    for (uint32_t index = 0; at < size; index++) {
        struct key key = key_of_chunk(place, kind, index);
        struct slice value;
        struct slice piece;
        enum status status = batch_get(shard, STORE_CHUNK, key_slice(&key), &value);

        if (status != STATUS_OK)
            return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
        status = chunk_record_read(key_slice(&key), value, &piece);
        if (status != STATUS_OK)
            return status;
        if (piece.size == 0 || piece.size > size - at)
            return STATUS_CORRUPT;
        memcpy(data + at, piece.data, piece.size);
        at += piece.size;
    }
    *ret_data = slice_of(data, size);
    return STATUS_OK;
}

enum status chunks_remove(struct shard *shard, struct place place, enum chunk_kind kind,
                          size_t size)
{
    uint32_t count = (uint32_t)((size + CHUNK_BYTES - 1) / CHUNK_BYTES);

    for (uint32_t index = 0; index < count; index++) {
        struct key key = key_of_chunk(place, kind, index);
        enum status status = batch_remove(shard, STORE_CHUNK, key_slice(&key));

        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

enum status body_copy(struct shard *shard, struct place place, const struct task_record *record,
                      struct arena *arena, struct slice *ret_body)
{
    if (!is_inline(record->body_size))
        return chunks_copy(shard, place, CHUNK_BODY, record->body_size, arena, ret_body);
    *ret_body = arena_copy(arena, record->body);
    return ret_body->data == NULL && record->body_size > 0 ? STATUS_TOO_LARGE : STATUS_OK;
}

enum status blob_put(struct shard *shard, enum store_table table, struct key key,
                     enum chunk_kind kind, struct blob_record *record, struct slice data)
{
    struct place place = {be32_get(key.data), record->priority, record->seq};
    enum status status = STATUS_OK;
    uint8_t *value;

    record->size = (uint32_t)data.size;
    record->data = is_inline(data.size) ? data : SLICE_EMPTY;
    if (!is_inline(data.size))
        status = chunks_write(shard, place, kind, data);
    if (status == STATUS_OK)
        status = batch_reserve(shard, table, key_slice(&key), blob_record_size(record), &value);
    if (status == STATUS_OK)
        blob_record_write(record, key_slice(&key), value);
    return status;
}

enum status blob_remove(struct shard *shard, enum store_table table, struct key key,
                        enum chunk_kind kind, enum record_type type)
{
    struct blob_record record;
    struct slice value;
    enum status status = batch_get(shard, table, key_slice(&key), &value);

    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (blob_record_read(key_slice(&key), value, type, &record) == STATUS_OK &&
        !is_inline(record.size)) {
        struct place place = {be32_get(key.data), record.priority, record.seq};

        status = chunks_remove(shard, place, kind, record.size);
    }
    return status == STATUS_OK ? batch_remove(shard, table, key_slice(&key)) : status;
}

enum status blob_copy(struct shard *shard, struct key key, enum chunk_kind kind,
                      const struct blob_record *record, struct arena *arena, struct slice *ret_data)
{
    struct place place = {be32_get(key.data), record->priority, record->seq};

    if (!is_inline(record->size))
        return chunks_copy(shard, place, kind, record->size, arena, ret_data);
    *ret_data = arena_copy(arena, record->data);
    return ret_data->data == NULL && record->size > 0 ? STATUS_TOO_LARGE : STATUS_OK;
}

/* Replaces the checkpoint; empty data removes it. */
enum status checkpoint_write(struct shard *shard, struct held *held, struct slice data)
{
    struct key key = key_of_place(held->place);
    struct blob_record record = {
        .type = RECORD_CHECKPOINT,
        .stored_ms = shard->batch.now_ms,
        .dataset = held->dataset,
        .fence = held->task.fence,
        .priority = held->place.priority,
        .seq = held->place.seq,
    };
    enum status status =
        blob_remove(shard, STORE_CHECKPOINT, key, CHUNK_CHECKPOINT, RECORD_CHECKPOINT);

    if (status != STATUS_OK || data.size == 0)
        return status;
    return blob_put(shard, STORE_CHECKPOINT, key, CHUNK_CHECKPOINT, &record, data);
}

enum status checkpoint_copy(struct shard *shard, struct place place, struct arena *arena,
                            struct slice *ret_data)
{
    struct key key = key_of_place(place);
    struct blob_record record;
    struct slice value;
    enum status status = batch_get(shard, STORE_CHECKPOINT, key_slice(&key), &value);

    if (status != STATUS_OK)
        return status;
    status = blob_record_read(key_slice(&key), value, RECORD_CHECKPOINT, &record);
    if (status != STATUS_OK)
        return status;
    return blob_copy(shard, key, CHUNK_CHECKPOINT, &record, arena, ret_data);
}
