/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c -- reads every record of a snapshot: checksums, indexes both ways, counters.
 *
 *   C1  every record can be read
 *   C2  an active row belongs to a task row, unless it says DONE
 *   C3  READY with an active row <=> an entry in `returned`; DELAYED <=> in `due`; DEAD <=> in
 *       `dead`
 *   C4  an ID that is open leads to a task row with that ID; a task row with an ID is led to
 *   C5  the counters of each queue and dataset equal the scan
 *
 * Works on the store alone, so that it says the same of a copy. Needs memory for one tally a
 * queue and dataset.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shard/state.h"

#define PIECE 256

struct counted {
    struct map_node node;
    uint32_t queue;
    uint32_t dataset; /* UINT32_MAX: the queue itself */
    struct tally found;
    int64_t fresh[PRIORITY_COUNT];
    int64_t returned[PRIORITY_COUNT];
};

struct checker {
    struct store_txn *txn;
    struct inspect_call *call;
    struct map counts;
};

typedef void row_checker(struct checker *self, const struct store_row *row);

static row_checker check_task, check_active, check_returned, check_due, check_dead, check_id,
    check_blob_result, check_blob_checkpoint, check_chunk, check_queue, check_dataset,
    check_session;

static const struct {
    enum store_table table;
    row_checker *check;
} passes[] = {
    {STORE_ACTIVE, check_active},      {STORE_TASK, check_task},
    {STORE_RETURNED, check_returned},  {STORE_DUE, check_due},
    {STORE_DEAD, check_dead},          {STORE_ID, check_id},
    {STORE_RESULT, check_blob_result}, {STORE_CHECKPOINT, check_blob_checkpoint},
    {STORE_CHUNK, check_chunk},        {STORE_SESSION, check_session},
    {STORE_QUEUE, check_queue},        {STORE_DATASET, check_dataset}, /* last: they compare */
};

static void problem(struct checker *self, enum store_table table, struct slice key,
                    const char *sentence)
{
    char text[2 * STORE_KEY_MAX + 1] = "";
    size_t shown = key.size < 64 ? key.size : 64;

    for (size_t i = 0; i < shown; i++)
        snprintf(text + 2 * i, 3, "%02x", key.data[i]);
    if (self->call->problem_count < CHECK_PROBLEMS_MAX)
        self->call->problems[self->call->problem_count] =
            arena_printf(self->call->call.arena, "table %s, key %s: %s", store_table_name(table),
                         text, sentence);
    self->call->problem_count++;
}

static enum status check_table(struct checker *self, enum store_table table, row_checker *check)
{
    struct store_row rows[PIECE];
    struct key from = {.size = 0};
    size_t count = PIECE;

    while (count == PIECE) {
        enum status status =
            store_scan(self->txn, table, key_slice(&from), SLICE_EMPTY, rows, PIECE, &count);

        if (status != STATUS_OK)
            return status;
        for (size_t i = 0; i < count; i++)
            check(self, &rows[i]);
        self->call->records += (int64_t)count;
        if (count > 0)
            from = key_after(rows[count - 1].key);
    }
    return STATUS_OK;
}

static void free_counts(struct map *counts)
{
    struct map_node *node;

    while ((node = map_next(counts, NULL)) != NULL) {
        map_remove(counts, node);
        free(CONTAINER_OF(node, struct counted, node));
    }
    map_deinit(counts);
}

enum status check_run(struct store *store, struct inspect_call *call)
{
    struct checker self = {.call = call};
    enum status status = store_begin_read(store, &self.txn);

    if (status != STATUS_OK)
        return status;
    map_init(&self.counts);
    for (size_t i = 0; i < sizeof passes / sizeof passes[0] && status == STATUS_OK; i++)
        status = check_table(&self, passes[i].table, passes[i].check);
    store_abort(self.txn);
    free_counts(&self.counts);
    return status;
}

static struct counted *counted_of(struct checker *self, uint32_t queue, uint32_t dataset)
{
    uint64_t hash = hash_u64((uint64_t)queue << 32 | dataset);
    struct counted *counted;

    for (struct map_node *node = map_first_of(&self->counts, hash); node != NULL;
         node = map_next_of(node)) {
        counted = CONTAINER_OF(node, struct counted, node);
        if (counted->queue == queue && counted->dataset == dataset)
            return counted;
    }
    counted = calloc(1, sizeof *counted);
    if (counted == NULL || !map_reserve(&self->counts, 1)) {
        free(counted);
        return NULL;
    }
    counted->queue = queue;
    counted->dataset = dataset;
    map_insert(&self->counts, &counted->node, hash);
    return counted;
}

static void count_task(struct checker *self, struct place place, uint32_t dataset,
                       enum task_state state, bool fresh)
{
    struct counted *of_queue = counted_of(self, place.queue, UINT32_MAX);
    struct counted *of_dataset =
        dataset == UINT32_MAX ? NULL : counted_of(self, place.queue, dataset);

    if (of_queue != NULL) {
        ++*tally_of(&of_queue->found, state);
        if (state == TASK_READY)
            (fresh ? of_queue->fresh : of_queue->returned)[place.priority]++;
    }
    if (of_dataset != NULL)
        ++*tally_of(&of_dataset->found, state);
}

static bool exists(struct checker *self, enum store_table table, struct key key)
{
    struct slice value;

    return store_get(self->txn, table, key_slice(&key), &value) == STATUS_OK;
}

static bool is_deleting(struct checker *self, uint32_t number)
{
    struct key key = key_of_queue(number);
    struct queue_record record;
    struct slice value;

    return store_get(self->txn, STORE_QUEUE, key_slice(&key), &value) != STATUS_OK ||
           queue_record_read(key_slice(&key), value, &record) != STATUS_OK || record.deleting;
}

static void check_active(struct checker *self, const struct store_row *row)
{
    struct active_record record;
    struct place place;
    struct key key;
    bool in_index = true;

    if (!key_read_place(row->key, &place) ||
        active_record_read(row->key, row->value, &record) != STATUS_OK) {
        problem(self, STORE_ACTIVE, row->key, "the record can't be read (C1)");
        return;
    }
    if (record.task.state == TASK_DONE || is_deleting(self, place.queue))
        return;
    key = key_of_place(place);
    if (!exists(self, STORE_TASK, key))
        problem(self, STORE_ACTIVE, row->key, "there is no task for it (C2)");
    if (record.task.state == TASK_READY)
        in_index = exists(self, STORE_RETURNED, key);
    else if (record.task.state == TASK_DELAYED)
        in_index = exists(self, STORE_DUE, key_of_due(record.task.at_ms, place));
    else if (record.task.state == TASK_DEAD)
        in_index = exists(self, STORE_DEAD, key);
    if (!in_index)
        problem(self, STORE_ACTIVE, row->key, "its state's index does not have it (C3)");
    count_task(self, place, record.dataset, record.task.state, false);
}

static void check_task(struct checker *self, const struct store_row *row)
{
    struct task_record record;
    struct place place;

    if (!key_read_place(row->key, &place) ||
        task_record_read(row->key, row->value, &record) != STATUS_OK) {
        problem(self, STORE_TASK, row->key, "the record can't be read (C1)");
        return;
    }
    if (!exists(self, STORE_ACTIVE, key_of_place(place)) && !is_deleting(self, place.queue))
        count_task(self, place, record.dataset, TASK_READY, true);
}

/* Whether the active row of an index entry says what the index says. */
static void check_entry(struct checker *self, enum store_table table, struct slice key,
                        struct place place, enum task_state expected)
{
    struct key active = key_of_place(place);
    struct active_record record;
    struct slice value;

    if (is_deleting(self, place.queue))
        return;
    if (store_get(self->txn, STORE_ACTIVE, key_slice(&active), &value) != STATUS_OK ||
        active_record_read(key_slice(&active), value, &record) != STATUS_OK ||
        record.task.state != expected)
        problem(self, table, key, "no task in that state belongs to it (C3)");
}

static void check_returned(struct checker *self, const struct store_row *row)
{
    struct place place;

    if (key_read_place(row->key, &place))
        check_entry(self, STORE_RETURNED, row->key, place, TASK_READY);
    else
        problem(self, STORE_RETURNED, row->key, "the key can't be read (C1)");
}

static void check_due(struct checker *self, const struct store_row *row)
{
    struct place place;
    int64_t due_ms;

    if (key_read_due(row->key, &due_ms, &place))
        check_entry(self, STORE_DUE, row->key, place, TASK_DELAYED);
    else
        problem(self, STORE_DUE, row->key, "the key can't be read (C1)");
}

static void check_dead(struct checker *self, const struct store_row *row)
{
    struct dead_record record;
    struct place place;

    if (!key_read_place(row->key, &place) ||
        dead_record_read(row->key, row->value, &record) != STATUS_OK)
        problem(self, STORE_DEAD, row->key, "the record can't be read (C1)");
    else
        check_entry(self, STORE_DEAD, row->key, place, TASK_DEAD);
}

static void check_id(struct checker *self, const struct store_row *row)
{
    struct id_record record;
    struct task_record task;
    struct slice value;
    struct key key;
    uint32_t queue;

    if (!key_read_queue(row->key, &queue) ||
        id_record_read(row->key, row->value, &record) != STATUS_OK) {
        problem(self, STORE_ID, row->key, "the record can't be read (C1)");
        return;
    }
    if (record.done || is_deleting(self, queue))
        return;
    key = key_of_place((struct place){queue, record.priority, record.seq});
    if (store_get(self->txn, STORE_TASK, key_slice(&key), &value) != STATUS_OK ||
        task_record_read(key_slice(&key), value, &task) != STATUS_OK ||
        !slice_equal(task.id, slice_of(row->key.data + 4, row->key.size - 4)))
        problem(self, STORE_ID, row->key, "it leads to no task of that ID (C4)");
}

static void check_blob(struct checker *self, const struct store_row *row, enum store_table table,
                       enum record_type type)
{
    struct blob_record record;

    if (blob_record_read(row->key, row->value, type, &record) != STATUS_OK)
        problem(self, table, row->key, "the record can't be read (C1)");
}

static void check_blob_result(struct checker *self, const struct store_row *row)
{
    check_blob(self, row, STORE_RESULT, RECORD_RESULT);
}

static void check_blob_checkpoint(struct checker *self, const struct store_row *row)
{
    check_blob(self, row, STORE_CHECKPOINT, RECORD_CHECKPOINT);
}

static void check_chunk(struct checker *self, const struct store_row *row)
{
    struct slice data;

    if (chunk_record_read(row->key, row->value, &data) != STATUS_OK)
        problem(self, STORE_CHUNK, row->key, "the record can't be read (C1)");
}

static void check_session(struct checker *self, const struct store_row *row)
{
    struct session_record record;

    if (session_record_read(row->key, row->value, &record) != STATUS_OK)
        problem(self, STORE_SESSION, row->key, "the record can't be read (C1)");
}

static bool tallies_agree(const struct tally *kept, const struct tally *found)
{
    return kept->ready == found->ready && kept->delayed == found->delayed &&
           kept->leased == found->leased && kept->dead == found->dead &&
           kept->published ==
               kept->ready + kept->delayed + kept->leased + kept->dead + kept->done + kept->purged;
}

static void check_queue(struct checker *self, const struct store_row *row)
{
    static const struct counted none;
    struct queue_record record;
    const struct counted *found;
    uint32_t number;

    if (!key_read_queue(row->key, &number) ||
        queue_record_read(row->key, row->value, &record) != STATUS_OK) {
        problem(self, STORE_QUEUE, row->key, "the record can't be read (C1)");
        return;
    }
    if (record.deleting)
        return;
    found = counted_of(self, number, UINT32_MAX);
    if (found == NULL)
        found = &none;
    if (!tallies_agree(&record.tally, &found->found) ||
        memcmp(record.fresh, found->fresh, sizeof record.fresh) != 0 ||
        memcmp(record.returned, found->returned, sizeof record.returned) != 0)
        problem(self, STORE_QUEUE, row->key, "its counters do not equal a scan (C5)");
}

static void check_dataset(struct checker *self, const struct store_row *row)
{
    struct dataset_record record;
    const struct counted *found;
    uint32_t number;

    if (row->key.size != 8 || !key_read_queue(row->key, &number) ||
        dataset_record_read(row->key, row->value, &record) != STATUS_OK) {
        problem(self, STORE_DATASET, row->key, "the record can't be read (C1)");
        return;
    }
    if (is_deleting(self, number))
        return;
    found = counted_of(self, number, be32_get(row->key.data + 4));
    if (found != NULL && !tallies_agree(&record.tally, &found->found))
        problem(self, STORE_DATASET, row->key, "its counters do not equal a scan (C5)");
}
