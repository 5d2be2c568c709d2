/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c -- hands out tasks: by priority, returned ones first, then from the cursor on.
 *
 * The rows are read and copied first and stepped through the rules after, since a write ends the
 * life of what was read. The cursor of a priority moves behind the last fresh row that was passed;
 * rows behind it that have an active record (delayed at publish, cancelled) are not fresh and are
 * skipped.
 */
#include "base/assert.h"
#include "shard/state.h"

#define PIECE 256

struct taker {
    struct shard *shard;
    struct queue *queue;
    struct lease_call *call;
    size_t max; /* tasks */
    int64_t bytes_left;
    bool full; /* no further task fits the reply */
};

static enum status settle_carried(struct shard *shard, struct queue *queue,
                                  struct lease_call *call);
static enum status take_priority(struct taker *self, int priority);
static enum status take_returned(struct taker *self, int priority);
static enum status take_fresh(struct taker *self, int priority);
static enum status take_one(struct taker *self, struct held *held, const struct task_record *record,
                            struct slice body);

static enum status check_session(struct shard *shard, struct queue *queue, uint64_t id,
                                 struct error *error)
{
    struct session *session = id == 0 ? NULL : session_find(shard, id);

    if (id == 0 || (session != NULL && !session->ended && session->queue == queue->number))
        return STATUS_OK;
    return error_set(error, STATUS_SESSION_NOT_FOUND, NULL);
}

static enum call_result run(struct shard *shard, struct call *base)
{
    struct lease_call *call = CONTAINER_OF(base, struct lease_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);
    bool carries = call->ack_count + call->nack_count > 0;

    call->task_count = 0;
    if (queue == NULL)
        return CALL_DONE;
    call->queue_created_ms = queue->created_ms;
    if (carries && settle_carried(shard, queue, call) != STATUS_OK)
        return CALL_DONE;
    if (check_session(shard, queue, call->session, &base->error) != STATUS_OK)
        return CALL_DONE;
    if (base->cancelled) {
        error_set(&base->error, STATUS_CANCELED, NULL);
        return CALL_DONE;
    }
    wait_serve_queue(shard, queue); /* first come, first served */
    if (shard->batch.failed == STATUS_OK && lease_take(shard, queue, call) == STATUS_UNAVAILABLE)
        error_set(&base->error, STATUS_UNAVAILABLE, "no memory for the reply");
    if (shard->batch.failed != STATUS_OK || base->error.status != STATUS_OK)
        return CALL_DONE;
    if (call->task_count == 0 && call->wait_ms > 0 && call->max_tasks > 0 && !carries &&
        !atomic_load(&shard->draining)) {
        return wait_park(shard, queue, call);
    }
    call->situation = lease_situation(shard, queue);
    return CALL_DONE;
}

const struct verb verb_lease = {"lease", true, false, run};

static enum status settle_carried(struct shard *shard, struct queue *queue, struct lease_call *call)
{
    settle_acks(shard, queue, NULL, call->acks, call->ack_count);
    settle_nacks(shard, queue, NULL, call->nacks, call->nack_count);
    return shard->batch.failed;
}

enum status lease_take(struct shard *shard, struct queue *queue, struct lease_call *call)
{
    const struct queue_state *now = &queue->now;
    struct taker self = {shard, queue, call, call->max_tasks, call->max_bytes, false};
    enum status status = STATUS_OK;

    call->task_count = 0; /* whatever a batch that was taken back gave it */
    if (now->paused || now->tally.ready == 0)
        return STATUS_OK;
    if (now->config.max_leased > 0) {
        int64_t room = now->config.max_leased - now->tally.leased;

        self.max = room <= 0 ? 0 : (size_t)room < self.max ? (size_t)room : self.max;
    }
    if (self.max > (size_t)now->tally.ready)
        self.max = (size_t)now->tally.ready;
    if (self.max == 0)
        return STATUS_OK;
    call->tasks = ARENA_ARRAY(call->call.arena, self.max, struct leased_task);
    if (call->tasks == NULL)
        return STATUS_UNAVAILABLE; /* nothing was changed: the batch goes on */
    for (int priority = PRIORITY_MAX; priority >= 0 && status == STATUS_OK; priority--)
        status = take_priority(&self, priority);
    return status;
}

static bool wants_more(const struct taker *self)
{
    return !self->full && self->call->task_count < self->max;
}

static enum status take_priority(struct taker *self, int priority)
{
    const struct queue_state *now = &self->queue->now;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && wants_more(self) && now->returned[priority] > 0) {
        int64_t before = now->returned[priority];

        status = take_returned(self, priority);
        if (now->returned[priority] == before)
            break; /* what is left can't be read */
    }
    while (status == STATUS_OK && wants_more(self) && now->fresh[priority] > 0) {
        uint64_t before = now->cursor[priority];

        status = take_fresh(self, priority);
        if (now->cursor[priority] == before)
            break;
    }
    return status;
}

static size_t piece_size(const struct taker *self)
{
    size_t left = self->max - self->call->task_count;

    return left < PIECE ? left : PIECE;
}

static enum status set_aside(struct taker *self, struct place place, bool returned)
{
    struct held held = {.queue = self->queue, .place = place, .has_active = returned};

    held.task.state = TASK_READY;
    return held_quarantine(self->shard, &held);
}

static enum status lease_returned(struct taker *self, struct place place)
{
    struct held held;
    struct task_record record;
    enum status status = held_load(self->shard, self->queue, place, &held);

    if (status == STATUS_OK)
        status = held_read_row(self->shard, place, &record, self->call->call.arena, true);
    if (status == STATUS_OK)
        return take_one(self, &held, &record, record.body);
    if (status == STATUS_TOO_LARGE) {
        self->full = true;
        return STATUS_OK;
    }
    if (self->shard->batch.failed != STATUS_OK)
        return status;
    return set_aside(self, place, true);
}

static enum status take_returned(struct taker *self, int priority)
{
    struct key from = key_of_seq(self->queue->number, priority, 0);
    struct key to = key_of_seq(self->queue->number, priority, UINT64_MAX);
    struct store_row rows[PIECE];
    struct place places[PIECE];
    size_t count;
    enum status status = batch_scan(self->shard, STORE_RETURNED, key_slice(&from), key_slice(&to),
                                    rows, piece_size(self), &count);

    for (size_t i = 0; i < count; i++)
        if (!key_read_place(rows[i].key, &places[i]))
            count = i;
    for (size_t i = 0; i < count && status == STATUS_OK && wants_more(self); i++)
        status = lease_returned(self, places[i]);
    return status;
}

/* A row at or behind the cursor, copied out of the store if it may be leased. */
struct fresh_row {
    struct place place;
    struct task_record record;
    bool active; /* delayed or dead, or back from there: not for the cursor */
    bool corrupt;
};

/* STATUS_TOO_LARGE: the reply has no room for it. */
static enum status copy_row(struct taker *self, const struct store_row *from, int64_t *bytes,
                            struct fresh_row *row)
{
    struct arena *arena = self->call->call.arena;
    struct slice id;
    struct slice body;
    enum status status;

    row->corrupt = task_record_read(from->key, from->value, &row->record) != STATUS_OK;
    if (row->corrupt || task_is_expired(&self->queue->now.config, row->record.published_ms,
                                        self->shard->batch.now_ms))
        return STATUS_OK; /* not handed out */
    if (row->record.body_size > self->bytes_left - *bytes && self->call->task_count + *bytes > 0)
        return STATUS_TOO_LARGE;
    id = arena_copy(arena, row->record.id);
    if (id.data == NULL && row->record.id.size > 0)
        return STATUS_TOO_LARGE;
    status = body_copy(self->shard, row->place, &row->record, arena, &body);
    row->corrupt = status == STATUS_CORRUPT;
    if (status != STATUS_OK)
        return row->corrupt ? STATUS_OK : status;
    row->record.id = id;
    row->record.body = body;
    *bytes += row->record.body_size;
    return STATUS_OK;
}

/* Copies rows until one does not fit; says how many were read. */
static size_t copy_rows(struct taker *self, const struct store_row *rows, size_t count,
                        bool may_be_active, struct fresh_row *ret_rows)
{
    int64_t bytes = 0;
    struct slice ignored;

    for (size_t i = 0; i < count; i++) {
        struct fresh_row *row = &ret_rows[i];

        if (!key_read_place(rows[i].key, &row->place))
            return i;
        row->active = may_be_active &&
                      batch_get(self->shard, STORE_ACTIVE, rows[i].key, &ignored) == STATUS_OK;
        if (!row->active && copy_row(self, &rows[i], &bytes, row) != STATUS_OK)
            return i;
    }
    return count;
}

static enum status lease_fresh_row(struct taker *self, struct fresh_row *row)
{
    struct held held;

    if (row->active)
        return STATUS_OK;
    if (row->corrupt)
        return set_aside(self, row->place, false);
    held.queue = self->queue;
    held.place = row->place;
    held_set_row(&held, &row->record);
    return take_one(self, &held, &row->record, row->record.body);
}

static enum status take_fresh(struct taker *self, int priority)
{
    struct queue_state *now = &self->queue->now;
    struct key from = key_of_seq(self->queue->number, priority, now->cursor[priority]);
    struct key to = key_of_seq(self->queue->number, priority, UINT64_MAX);
    struct store_row rows[PIECE];
    struct store_row active;
    struct fresh_row fresh[PIECE];
    size_t count;
    size_t copied;
    size_t active_count;
    enum status status = batch_scan(self->shard, STORE_ACTIVE, key_slice(&from), key_slice(&to),
                                    &active, 1, &active_count);

    if (status == STATUS_OK)
        status = batch_scan(self->shard, STORE_TASK, key_slice(&from), key_slice(&to), rows,
                            piece_size(self), &count);
    if (status != STATUS_OK)
        return status;
    copied = copy_rows(self, rows, count, active_count > 0, fresh);
    for (size_t i = 0; i < copied && wants_more(self); i++) {
        status = lease_fresh_row(self, &fresh[i]);
        if (status != STATUS_OK || self->full)
            return status;
        batch_touch_queue(self->shard, self->queue);
        now->cursor[priority] = fresh[i].place.seq + 1;
    }
    /* Where nothing was taken yet, the next piece has more room. */
    self->full |= copied < count && self->call->task_count > 0;
    return self->shard->batch.failed;
}

static enum status step(struct taker *self, struct held *held, enum task_command_kind kind)
{
    const struct lease_call *call = self->call;
    struct task_command command = {
        .kind = kind,
        .session = call->session,
        .lease_ms = call->lease_ms > 0 ? call->lease_ms : self->queue->now.config.lease_ms,
    };
    struct task_effects effects;
    enum status status = held_step(self->shard, held, &command, NULL, &effects);

    ASSERT(status != STATUS_WRONG_STATE);
    return status;
}

/* The reply's entry, but for what the lease itself makes. STATUS_TOO_LARGE: it has no room. */
static enum status prepare(struct taker *self, const struct held *held,
                           const struct task_record *record, struct slice body,
                           struct leased_task *out)
{
    struct arena *arena = self->call->call.arena;
    struct dataset *dataset = dataset_of_number(self->queue, held->dataset);
    enum status status;

    *out = (struct leased_task){
        .place = held->place,
        .id = record->id,
        .body = body,
        .attributes_size = record->attributes_size,
    };
    if (dataset != NULL &&
        !copy_slice(arena, slice_of(dataset->name, dataset->name_size), &out->dataset))
        return STATUS_TOO_LARGE;
    if (held->task.has_checkpoint) {
        status = checkpoint_copy(self->shard, held->place, arena, &out->checkpoint);
        if (status == STATUS_TOO_LARGE || self->shard->batch.failed != STATUS_OK)
            return status;
        out->has_checkpoint = status == STATUS_OK; /* one that can't be read is left out */
    }
    return STATUS_OK;
}

/* Leases a READY task into the reply, if it fits; one that has outlived its time goes to the dead
 * letters instead. */
static enum status take_one(struct taker *self, struct held *held, const struct task_record *record,
                            struct slice body)
{
    struct lease_call *call = self->call;
    struct leased_task *out = &call->tasks[call->task_count];
    int64_t bytes;
    enum status status;

    if (task_is_expired(&self->queue->now.config, held->task.published_ms,
                        self->shard->batch.now_ms))
        return step(self, held, TASK_EXPIRE);
    status = prepare(self, held, record, body, out);
    bytes = (int64_t)body.size + (int64_t)out->checkpoint.size;
    if (status == STATUS_TOO_LARGE || (bytes > self->bytes_left && call->task_count > 0)) {
        self->full = true;
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = step(self, held, TASK_LEASE);
    if (status != STATUS_OK)
        return status;
    out->task = held->task;
    out->task.published_ms = record->published_ms;
    self->bytes_left -= bytes;
    call->task_count++;
    return STATUS_OK;
}

struct situation lease_situation(struct shard *shard, struct queue *queue)
{
    const struct tally *tally = &queue->now.tally;
    struct heap_node *deadline = heap_first(&shard->lease_deadlines);
    struct heap_node *session = heap_first(&shard->session_deadlines);
    int64_t next_ms = INT64_MAX;

    if (tally->delayed > 0)
        next_ms = shard->due_next_ms;
    if (tally->leased > 0 && deadline != NULL && deadline->key < next_ms)
        next_ms = deadline->key;
    if (tally->leased > 0 && session != NULL && session->key < next_ms)
        next_ms = session->key; /* or at a heartbeat, later still */
    if (next_ms != INT64_MAX)
        next_ms = next_ms > shard->batch.now_ms ? next_ms - shard->batch.now_ms : 0;
    return (struct situation){
        .ready = tally->ready,
        .leased = tally->leased,
        .delayed = tally->delayed,
        .next_change_ms = next_ms == INT64_MAX ? -1 : next_ms,
        .paused = queue->now.paused,
    };
}
