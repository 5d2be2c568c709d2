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
 *   C6  a task without an active row is at or behind the cursor: else nobody would lease it
 *   C7  chunks and checkpoints belong to a record that knows of them, and all of them are there
 *
 * Works on the store alone, so that it says the same of a copy. Needs memory for one tally a
 * queue and dataset.
 */
#include "shard/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE 256
#define LOOK_ROWS 16384 /* between two looks at what the store has grown by */

struct counted {
    struct map_node node;
    uint32_t queue;
    uint32_t dataset; /* UINT32_MAX: the queue itself */
    struct tally found;
    int64_t fresh[PRIORITY_COUNT];
    int64_t returned[PRIORITY_COUNT];
    int64_t result_chunks; /* more than the results have */
};

static row_checker check_meta, check_queue, check_dataset;

static const struct {
    enum store_table table;
    row_checker *check;
} passes[] = {
    {STORE_META, check_meta},
    {STORE_ACTIVE, check_active},
    {STORE_TASK, check_task},
    {STORE_RETURNED, check_returned},
    {STORE_DUE, check_due},
    {STORE_DEAD, check_dead},
    {STORE_ID, check_id},
    {STORE_RESULT, check_result},
    {STORE_CHECKPOINT, check_checkpoint},
    {STORE_CHUNK, check_chunk},
    {STORE_SESSION, check_session},
    {STORE_QUEUE, check_queue},
    {STORE_DATASET, check_dataset}, /* last: they compare */
};

void checker_problem(struct checker *self, enum store_table table, struct slice key,
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

bool checker_get(struct checker *self, enum store_table table, struct slice key,
                 struct slice *ret_value)
{
    enum status status;

    if (self->failed != STATUS_OK)
        return false; /* nothing may follow a refusal of the store */
    status = store_get(self->txn, table, key, ret_value);
    if (status != STATUS_NOT_FOUND)
        self->failed = status;
    return status == STATUS_OK;
}

/* The snapshot keeps every page that is freed meanwhile, so that the store grows: by no more than a
 * quarter of the room that it had. */
static enum status look_at_growth(struct checker *self, struct store *store)
{
    struct store_usage usage;
    enum status status;

    if (self->call->copy.stop != NULL && atomic_load(self->call->copy.stop))
        return STATUS_UNAVAILABLE;
    if (self->call->records < self->look_at)
        return STATUS_OK;
    self->look_at = self->call->records + LOOK_ROWS;
    status = store_usage(store, &usage);
    if (status == STATUS_OK && self->file_bytes_max == 0)
        self->file_bytes_max = usage.file_bytes + (usage.max_bytes - usage.file_bytes) / 4;
    if (status == STATUS_OK && usage.file_bytes > self->file_bytes_max)
        status = error_set(&self->call->call.error, STATUS_STORE_FULL,
                           "the check was given up: the store grew too much meanwhile; try again "
                           "when it has less to do, or check a backup");
    return status;
}

static enum status check_table(struct checker *self, struct store *store, enum store_table table,
                               row_checker *check)
{
    struct store_row rows[PIECE];
    struct key from = {.size = 0};
    size_t count = PIECE;

    while (count == PIECE) {
        enum status status = look_at_growth(self, store);

        if (status == STATUS_OK)
            status =
                store_scan(self->txn, table, key_slice(&from), SLICE_EMPTY, rows, PIECE, &count);
        if (status != STATUS_OK)
            return status;
        for (size_t i = 0; i < count; i++)
            check(self, &rows[i]);
        if (self->failed != STATUS_OK)
            return self->failed;
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
        status = check_table(&self, store, passes[i].table, passes[i].check);
    store_abort(self.txn);
    free_counts(&self.counts);
    return status;
}

/* A running shard has read it at its start; a copy may be of any age. */
static void check_meta(struct checker *self, const struct store_row *row)
{
    struct meta_record record;

    if (meta_record_read(row->key, row->value, &record) != STATUS_OK)
        checker_problem(self, STORE_META, row->key, "the record can't be read (C1)");
    else if (record.format > STORE_FORMAT || record.format < STORE_FORMAT_OLDEST)
        checker_problem(self, STORE_META, row->key, "the store has a format that is not read (C1)");
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
        self->failed = error_set(&self->call->call.error, STATUS_UNAVAILABLE,
                                 "there is no memory for the counts of a check");
        return NULL;
    }
    counted->queue = queue;
    counted->dataset = dataset;
    map_insert(&self->counts, &counted->node, hash);
    return counted;
}

void checker_count(struct checker *self, struct place place, uint32_t dataset,
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

void checker_count_result_chunks(struct checker *self, uint32_t queue, int64_t more)
{
    struct counted *of_queue = counted_of(self, queue, UINT32_MAX);

    if (of_queue != NULL)
        of_queue->result_chunks += more;
}

const struct checked_queue *checker_queue(struct checker *self, uint32_t number)
{
    struct checked_queue *queue = &self->queue;
    struct key key = key_of_queue(number);
    struct queue_record record;
    struct slice value;

    if (queue->known && queue->number == number)
        return queue;
    *queue = (struct checked_queue){.known = true, .number = number, .going = true};
    if (!checker_get(self, STORE_QUEUE, key_slice(&key), &value) ||
        queue_record_read(key_slice(&key), value, &record) != STATUS_OK)
        return queue;
    queue->going = record.deleting;
    queue->dedup = record.config.dedup != 0;
    memcpy(queue->cursor, record.cursor, sizeof queue->cursor);
    return queue;
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
        checker_problem(self, STORE_QUEUE, row->key, "the record can't be read (C1)");
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
        checker_problem(self, STORE_QUEUE, row->key, "its counters do not equal a scan (C5)");
    if (found->result_chunks != 0)
        checker_problem(self, STORE_QUEUE, row->key, "it has chunks that no result has (C7)");
}

static void check_dataset(struct checker *self, const struct store_row *row)
{
    struct dataset_record record;
    const struct counted *found;
    uint32_t number;

    if (row->key.size != 8 || !key_read_queue(row->key, &number) ||
        dataset_record_read(row->key, row->value, &record) != STATUS_OK) {
        checker_problem(self, STORE_DATASET, row->key, "the record can't be read (C1)");
        return;
    }
    if (checker_queue(self, number)->going)
        return;
    found = counted_of(self, number, be32_get(row->key.data + 4));
    if (found != NULL && !tallies_agree(&record.tally, &found->found))
        checker_problem(self, STORE_DATASET, row->key, "its counters do not equal a scan (C5)");
}
