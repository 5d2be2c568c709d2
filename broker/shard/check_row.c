/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_row.c -- one row of each table: whether it can be read, and whether those that belong to it
 * are there. The numbers are those of check.c.
 */
#include "shard/check.h"

static bool exists(struct checker *self, enum store_table table, struct key key)
{
    struct slice value;

    return checker_get(self, table, key_slice(&key), &value);
}

static bool read_active(struct checker *self, struct place place, struct active_record *ret)
{
    struct key key = key_of_place(place);
    struct slice value;

    return checker_get(self, STORE_ACTIVE, key_slice(&key), &value) &&
           active_record_read(key_slice(&key), value, ret) == STATUS_OK;
}

static bool read_task(struct checker *self, struct place place, struct task_record *ret)
{
    struct key key = key_of_place(place);
    struct slice value;

    return checker_get(self, STORE_TASK, key_slice(&key), &value) &&
           task_record_read(key_slice(&key), value, ret) == STATUS_OK;
}

static size_t chunk_count(size_t size)
{
    return (size + CHUNK_BYTES - 1) / CHUNK_BYTES;
}

/* Whether `size` bytes in chunks are all there. */
static bool has_chunks(struct checker *self, struct place place, enum chunk_kind kind, size_t size)
{
    for (uint32_t index = 0; size > 0; index++) {
        struct key key = key_of_chunk(place, kind, index);
        struct slice value;
        struct slice piece;

        if (!checker_get(self, STORE_CHUNK, key_slice(&key), &value) ||
            chunk_record_read(key_slice(&key), value, &piece) != STATUS_OK || piece.size == 0 ||
            piece.size > size)
            return false;
        size -= piece.size;
    }
    return true;
}

void check_active(struct checker *self, const struct store_row *row)
{
    struct active_record record;
    struct place place;
    struct key key;
    bool in_index = true;

    if (!key_read_place(row->key, &place) ||
        active_record_read(row->key, row->value, &record) != STATUS_OK) {
        checker_problem(self, STORE_ACTIVE, row->key, "the record can't be read (C1)");
        return;
    }
    if (record.task.state == TASK_DONE || checker_queue(self, place.queue)->going)
        return;
    key = key_of_place(place);
    if (!exists(self, STORE_TASK, key))
        checker_problem(self, STORE_ACTIVE, row->key, "there is no task for it (C2)");
    if (record.task.state == TASK_READY)
        in_index = exists(self, STORE_RETURNED, key);
    else if (record.task.state == TASK_DELAYED)
        in_index = exists(self, STORE_DUE, key_of_due(record.task.at_ms, place));
    else if (record.task.state == TASK_DEAD)
        in_index = exists(self, STORE_DEAD, key);
    if (!in_index)
        checker_problem(self, STORE_ACTIVE, row->key, "its state's index does not have it (C3)");
    if (record.task.has_checkpoint && !exists(self, STORE_CHECKPOINT, key))
        checker_problem(self, STORE_ACTIVE, row->key, "its checkpoint is not there (C7)");
    checker_count(self, place, record.dataset, record.task.state, false);
}

/* C4 */
static bool is_led_to(struct checker *self, struct place place, struct slice id)
{
    struct key key = key_of_name(place.queue, id);
    struct id_record record;
    struct slice value;

    return checker_get(self, STORE_ID, key_slice(&key), &value) &&
           id_record_read(key_slice(&key), value, &record) == STATUS_OK && !record.done &&
           record.priority == place.priority && record.seq == place.seq;
}

void check_task(struct checker *self, const struct store_row *row)
{
    struct task_record record;
    struct place place;
    const struct checked_queue *queue;

    if (!key_read_place(row->key, &place) ||
        task_record_read(row->key, row->value, &record) != STATUS_OK) {
        checker_problem(self, STORE_TASK, row->key, "the record can't be read (C1)");
        return;
    }
    queue = checker_queue(self, place.queue);
    if (queue->going)
        return;
    if (record.id.size > 0 && queue->dedup && !is_led_to(self, place, record.id))
        checker_problem(self, STORE_TASK, row->key, "its ID does not lead to it (C4)");
    if (!is_inline(record.body_size) && !has_chunks(self, place, CHUNK_BODY, record.body_size))
        checker_problem(self, STORE_TASK, row->key, "its chunks are not all there (C7)");
    if (exists(self, STORE_ACTIVE, key_of_place(place)))
        return;
    checker_count(self, place, record.dataset, TASK_READY, true);
    if (place.seq < queue->cursor[place.priority])
        checker_problem(self, STORE_TASK, row->key, "the cursor has passed it by (C6)");
}

/* Whether the active row of an index entry says what the index says. */
static void check_entry(struct checker *self, enum store_table table, struct slice key,
                        struct place place, enum task_state expected)
{
    struct active_record record;

    if (!checker_queue(self, place.queue)->going &&
        (!read_active(self, place, &record) || record.task.state != expected))
        checker_problem(self, table, key, "no task in that state belongs to it (C3)");
}

void check_returned(struct checker *self, const struct store_row *row)
{
    struct place place;

    if (key_read_place(row->key, &place))
        check_entry(self, STORE_RETURNED, row->key, place, TASK_READY);
    else
        checker_problem(self, STORE_RETURNED, row->key, "the key can't be read (C1)");
}

void check_due(struct checker *self, const struct store_row *row)
{
    struct place place;
    int64_t due_ms;

    if (key_read_due(row->key, &due_ms, &place))
        check_entry(self, STORE_DUE, row->key, place, TASK_DELAYED);
    else
        checker_problem(self, STORE_DUE, row->key, "the key can't be read (C1)");
}

void check_dead(struct checker *self, const struct store_row *row)
{
    struct dead_record record;
    struct place place;

    if (!key_read_place(row->key, &place) ||
        dead_record_read(row->key, row->value, &record) != STATUS_OK)
        checker_problem(self, STORE_DEAD, row->key, "the record can't be read (C1)");
    else
        check_entry(self, STORE_DEAD, row->key, place, TASK_DEAD);
}

void check_id(struct checker *self, const struct store_row *row)
{
    struct id_record record;
    struct task_record task;
    uint32_t queue;

    if (!key_read_queue(row->key, &queue) ||
        id_record_read(row->key, row->value, &record) != STATUS_OK) {
        checker_problem(self, STORE_ID, row->key, "the record can't be read (C1)");
        return;
    }
    if (record.done || checker_queue(self, queue)->going)
        return;
    if (!read_task(self, (struct place){queue, record.priority, record.seq}, &task) ||
        !slice_equal(task.id, slice_of(row->key.data + 4, row->key.size - 4)))
        checker_problem(self, STORE_ID, row->key, "it leads to no task of that ID (C4)");
}

void check_result(struct checker *self, const struct store_row *row)
{
    struct blob_record record;
    struct place place;
    uint32_t queue;

    if (!key_read_queue(row->key, &queue) ||
        blob_record_read(row->key, row->value, RECORD_RESULT, &record) != STATUS_OK) {
        checker_problem(self, STORE_RESULT, row->key, "the record can't be read (C1)");
        return;
    }
    place = (struct place){queue, record.priority, record.seq};
    if (is_inline(record.size) || checker_queue(self, queue)->going)
        return;
    if (!has_chunks(self, place, CHUNK_RESULT, record.size))
        checker_problem(self, STORE_RESULT, row->key, "its chunks are not all there (C7)");
    checker_count_result_chunks(self, queue, -(int64_t)chunk_count(record.size));
}

void check_checkpoint(struct checker *self, const struct store_row *row)
{
    struct blob_record record;
    struct active_record active;
    struct place place;

    if (!key_read_place(row->key, &place) ||
        blob_record_read(row->key, row->value, RECORD_CHECKPOINT, &record) != STATUS_OK) {
        checker_problem(self, STORE_CHECKPOINT, row->key, "the record can't be read (C1)");
        return;
    }
    if (checker_queue(self, place.queue)->going)
        return;
    if (!read_active(self, place, &active) || !active.task.has_checkpoint)
        checker_problem(self, STORE_CHECKPOINT, row->key, "no task knows of it (C7)");
    if (!is_inline(record.size) && !has_chunks(self, place, CHUNK_CHECKPOINT, record.size))
        checker_problem(self, STORE_CHECKPOINT, row->key, "its chunks are not all there (C7)");
}

/* Whether the owner of a body's or checkpoint's chunk has it in chunks. Results lie under their
 * task ID, which a chunk's key does not tell: their chunks are counted instead. */
static bool is_owned(struct checker *self, struct place place, uint8_t kind)
{
    struct key key = key_of_place(place);
    struct task_record task;
    struct blob_record record;
    struct slice value;

    if (kind == CHUNK_BODY)
        return read_task(self, place, &task) && !is_inline(task.body_size);
    if (kind == CHUNK_CHECKPOINT)
        return checker_get(self, STORE_CHECKPOINT, key_slice(&key), &value) &&
               blob_record_read(key_slice(&key), value, RECORD_CHECKPOINT, &record) == STATUS_OK &&
               !is_inline(record.size);
    return kind == CHUNK_RESULT;
}

void check_chunk(struct checker *self, const struct store_row *row)
{
    struct slice data;
    struct place place;

    if (row->key.size <= PLACE_BYTES ||
        !key_read_place(slice_of(row->key.data, PLACE_BYTES), &place) ||
        chunk_record_read(row->key, row->value, &data) != STATUS_OK)
        checker_problem(self, STORE_CHUNK, row->key, "the record can't be read (C1)");
    else if (!checker_queue(self, place.queue)->going) {
        if (!is_owned(self, place, row->key.data[PLACE_BYTES]))
            checker_problem(self, STORE_CHUNK, row->key, "it belongs to nothing (C7)");
        if (row->key.data[PLACE_BYTES] == CHUNK_RESULT)
            checker_count_result_chunks(self, place.queue, 1);
    }
}

void check_session(struct checker *self, const struct store_row *row)
{
    struct session_record record;

    if (session_record_read(row->key, row->value, &record) != STATUS_OK)
        checker_problem(self, STORE_SESSION, row->key, "the record can't be read (C1)");
}
