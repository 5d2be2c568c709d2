/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_bench.c -- calls and their memory, time, crashes, and the invariants of a whole shard.
 */
#include "shard_bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/lmdb.h"
#include "support/check.h"

#define STEPS_MAX 100000
#define ROWS 256
#define LMDB_MAP_BYTES (UINT64_C(1) << 28)

/* A call with its memory. */
struct ticket {
    struct list link;
    struct arena arena;
    bool sent;
    bool answered;
};

static int64_t now_ms(void *context)
{
    /* Its thread, if it has one, reads what the test's thread writes. */
    return __atomic_load_n(&((struct bench *)context)->now_ms, __ATOMIC_SEQ_CST);
}

static void on_failure(void *context)
{
    ((struct bench *)context)->failures++;
}

static void open_shard(struct bench *self)
{
    struct error error = ERROR_NONE;
    struct shard_options options = {
        .store = self->store,
        .clock = {now_ms, self},
        .limits = self->limits,
        .restart_grace_ms = self->restart_grace_ms,
        .seed = 7,
        .on_failure = on_failure,
        .context = self,
    };

    if (shard_open(&options, &self->shard, &error) != STATUS_OK)
        fail_msg("the shard does not open: %s", error.message);
}

static void open_lmdb(struct bench *self)
{
    struct error error = ERROR_NONE;

    if (store_lmdb_open(self->directory, LMDB_MAP_BYTES, &self->store, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

static void open_store(struct bench *self)
{
    const char *kind = getenv("ACKD_TEST_STORE");
    const char *parent = getenv("TMPDIR");

    if (kind == NULL || strcmp(kind, "lmdb") != 0) {
        assert_int_equal(store_mem_open(&self->store), STATUS_OK);
        return;
    }
    assert_true(
        asprintf(&self->directory, "%s/ackd-bench-XXXXXX", parent == NULL ? "/tmp" : parent) > 0);
    assert_non_null(mkdtemp(self->directory));
    open_lmdb(self);
}

static void remove_directory(struct bench *self)
{
    DIR *directory = self->directory == NULL ? NULL : opendir(self->directory);

    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        (void)unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory == NULL)
        return;
    closedir(directory);
    assert_int_equal(rmdir(self->directory), 0);
    free(self->directory);
}

struct bench *bench_new(void)
{
    struct bench *self = calloc(1, sizeof *self);

    assert_non_null(self);
    self->now_ms = BENCH_START_MS;
    self->limits = limits_default();
    self->restart_grace_ms = 10000;
    list_init(&self->tickets);
    mailbox_init(&self->mailbox, NULL, NULL);
    open_store(self);
    open_shard(self);
    return self;
}

/* Takes the shard from its store, as the end of a process does: nothing is finished. */
static void kill_shard(struct bench *self)
{
    struct list *link;

    self->shard->failed = true; /* no batch touches the store any more */
    wait_drain(self->shard);
    shard_step(self->shard);
    while ((link = list_take_first(&self->shard->inbox)) != NULL)
        ;
    while ((link = list_take_first(&self->mailbox.letters)) != NULL)
        ; /* nobody reads them */
    self->shard->store = NULL;
    shard_close(self->shard);
}

void bench_free(struct bench *self)
{
    if (!self->shard->failed)
        bench_check(self);
    kill_shard(self);
    store_close(self->store);
    remove_directory(self);
    mailbox_deinit(&self->mailbox);
    for (struct list *link; (link = list_take_first(&self->tickets)) != NULL;) {
        struct ticket *ticket = CONTAINER_OF(link, struct ticket, link);

        arena_deinit(&ticket->arena);
        free(ticket);
    }
    free(self);
}

void bench_crash(struct bench *self)
{
    kill_shard(self);
    if (self->directory == NULL) {
        store_mem_crash(self->store);
    } else {
        store_close(self->store);
        open_lmdb(self);
    }
    open_shard(self);
}

void bench_fault(struct bench *self, enum store_mem_fault fault, uint64_t k)
{
    if (self->directory == NULL)
        store_mem_fault(self->store, fault, k);
}

bool bench_step(struct bench *self)
{
    bool busy = shard_step(self->shard);

    mailbox_drain(&self->mailbox);
    return busy;
}

void bench_run(struct bench *self)
{
    for (int i = 0; bench_step(self); i++)
        if (i == STEPS_MAX)
            fail_msg("the shard is never idle");
}

void bench_pass(struct bench *self, int64_t ms)
{
    self->now_ms += ms;
    bench_run(self);
}

/* ---- invariants ---- */

int64_t bench_problems(struct bench *self)
{
    struct inspect_call *call = BENCH_CALL(self, inspect_call, &verb_stats);

    assert_int_equal(check_run(self->store, call), STATUS_OK);
    for (int64_t i = 0; i < call->problem_count && i < CHECK_PROBLEMS_MAX; i++)
        print_message("  problem: %s\n", call->problems[i]);
    return call->problem_count;
}

typedef void row_visitor(struct bench *self, const struct store_row *row, void *context);

static void each_row(struct bench *self, enum store_table table, row_visitor *visit, void *context)
{
    struct store_row rows[ROWS];
    struct key from = {.size = 0};
    struct store_txn *txn;
    size_t count = ROWS;

    assert_int_equal(store_begin_read(self->store, &txn), STATUS_OK);
    while (count == ROWS) {
        assert_int_equal(store_scan(txn, table, key_slice(&from), SLICE_EMPTY, rows, ROWS, &count),
                         STATUS_OK);
        for (size_t i = 0; i < count; i++)
            visit(self, &rows[i], context);
        if (count > 0)
            from = key_after(rows[count - 1].key);
    }
    store_abort(txn);
}

static void count_row(struct bench *self, const struct store_row *row, void *context)
{
    (void)self;
    (void)row;
    ++*(size_t *)context;
}

size_t bench_rows(struct bench *self, enum store_table table)
{
    size_t count = 0;

    each_row(self, table, count_row, &count);
    return count;
}

static struct lease *find_lease(struct shard *shard, struct place place)
{
    for (struct map_node *node = map_next(&shard->leases, NULL); node != NULL;
         node = map_next(&shard->leases, node)) {
        struct lease *lease = CONTAINER_OF(node, struct lease, node);

        if (place_equal(lease->place, place))
            return lease;
    }
    return NULL;
}

/* M2, from the store's side. */
static void check_active(struct bench *self, const struct store_row *row, void *context)
{
    struct active_record record;
    struct place place;
    struct queue *queue;
    struct lease *lease;

    if (!key_read_place(row->key, &place) ||
        active_record_read(row->key, row->value, &record) != STATUS_OK ||
        record.task.state != TASK_LEASED)
        return;
    queue = shard_queue_of_number(self->shard, place.queue);
    if (queue == NULL || queue->now.deleting)
        return;
    lease = find_lease(self->shard, place);
    if (lease == NULL) {
        fail_msg("a LEASED task has no lease in memory (M2)");
        return;
    }
    assert_int_equal(lease->fence, record.task.fence);
    if (lease->session != NULL)
        assert_int_equal(lease->session->id, record.task.session);
    else
        assert_true(lease->deadline.key >= record.task.at_ms);
    ++*(size_t *)context;
}

/* M2, from memory's side: as many, each in exactly one of the two places. */
static void check_leases(struct bench *self)
{
    struct shard *shard = self->shard;
    size_t leased = 0;
    size_t kept_by_sessions = 0;

    each_row(self, STORE_ACTIVE, check_active, &leased);
    assert_int_equal(shard->leases.count, leased);
    for (struct map_node *node = map_next(&shard->sessions, NULL); node != NULL;
         node = map_next(&shard->sessions, node)) {
        struct session *session = CONTAINER_OF(node, struct session, node);
        int64_t count = 0;

        LIST_EACH (link, &session->leases)
            count++;
        assert_int_equal(session->lease_count, count);
        kept_by_sessions += (size_t)count;
    }
    assert_int_equal(shard->lease_deadlines.count, leased - kept_by_sessions);
}

static void check_session_row(struct bench *self, const struct store_row *row, void *context)
{
    uint64_t id;

    assert_true(key_read_session(row->key, &id));
    assert_non_null(session_find(self->shard, id));
    ++*(size_t *)context;
}

/* M1: what a start would read of the queue. */
static void check_queue_row(struct bench *self, const struct store_row *row, void *context)
{
    struct queue_record record;
    struct queue *queue;
    uint32_t number;

    assert_true(key_read_queue(row->key, &number));
    assert_int_equal(queue_record_read(row->key, row->value, &record), STATUS_OK);
    queue = shard_queue_of_number(self->shard, number);
    assert_non_null(queue);
    assert_false(queue->dirty);
    assert_memory_equal(&queue->now.tally, &queue->kept.tally, sizeof queue->now.tally);
    assert_memory_equal(&queue->now.tally, &record.tally, sizeof record.tally);
    assert_memory_equal(&queue->now.config, &record.config, sizeof record.config);
    assert_memory_equal(queue->now.cursor, record.cursor, sizeof record.cursor);
    assert_memory_equal(queue->now.fresh, record.fresh, sizeof record.fresh);
    assert_memory_equal(queue->now.returned, record.returned, sizeof record.returned);
    assert_int_equal(queue->now.next_seq, record.next_seq);
    assert_int_equal(queue->now.next_dataset, record.next_dataset);
    assert_int_equal(queue->now.paused, record.paused);
    assert_int_equal(queue->now.deleting, record.deleting);
    ++*(size_t *)context;
}

static void check_dataset_row(struct bench *self, const struct store_row *row, void *context)
{
    struct dataset_record record;
    struct dataset *dataset;
    struct queue *queue;
    uint32_t number;

    (void)context;
    assert_true(key_read_queue(row->key, &number));
    assert_int_equal(dataset_record_read(row->key, row->value, &record), STATUS_OK);
    queue = shard_queue_of_number(self->shard, number);
    assert_non_null(queue);
    if (queue->now.deleting)
        return;
    dataset = dataset_of_number(queue, be32_get(row->key.data + 4));
    assert_non_null(dataset);
    assert_memory_equal(&dataset->now, &dataset->kept, sizeof dataset->now);
    assert_memory_equal(&dataset->now, &record.tally, sizeof record.tally);
}

static void check_due_row(struct bench *self, const struct store_row *row, void *context)
{
    struct place place;
    int64_t due_ms;

    (void)context;
    if (key_read_due(row->key, &due_ms, &place))
        assert_true(self->shard->due_next_ms <= due_ms);
}

static void check_meta_row(struct bench *self, const struct store_row *row, void *context)
{
    struct meta_record record;

    (void)context;
    assert_int_equal(meta_record_read(row->key, row->value, &record), STATUS_OK);
    assert_int_equal(self->shard->meta.next_queue, record.next_queue);
    assert_int_equal(self->shard->meta.next_session, record.next_session);
}

void bench_check(struct bench *self)
{
    struct shard *shard = self->shard;
    size_t queues = 0;
    size_t sessions = 0;

    assert_null(shard->batch.txn);
    assert_int_equal(bench_problems(self), 0);
    each_row(self, STORE_QUEUE, check_queue_row, &queues);
    assert_int_equal(shard->queue_count, queues);
    each_row(self, STORE_DATASET, check_dataset_row, NULL);
    each_row(self, STORE_SESSION, check_session_row, &sessions);
    assert_int_equal(shard->sessions.count, sessions);
    check_leases(self);
    each_row(self, STORE_DUE, check_due_row, NULL);
    each_row(self, STORE_META, check_meta_row, NULL);
}

void bench_rot(struct bench *self, enum store_table table, struct slice key)
{
    struct store_txn *txn;
    struct slice value;
    uint8_t copy[65536];

    assert_int_equal(store_begin_write(self->store, &txn), STATUS_OK);
    assert_int_equal(store_get(txn, table, key, &value), STATUS_OK);
    assert_true(value.size > 0 && value.size <= sizeof copy);
    memcpy(copy, value.data, value.size);
    copy[value.size / 2] ^= 0x10;
    assert_int_equal(store_put(txn, table, key, slice_of(copy, value.size)), STATUS_OK);
    assert_int_equal(store_commit(txn), STATUS_OK);
}

/* ---- calls ---- */

static void finished(struct call *call)
{
    struct ticket *ticket = call->owner;

    assert_false(ticket->answered); /* each call is answered once */
    ticket->answered = true;
}

void *bench_call(struct bench *self, size_t size, const struct verb *verb)
{
    struct ticket *ticket = calloc(1, sizeof *ticket);
    struct call *call;

    assert_non_null(ticket);
    arena_init(&ticket->arena, BENCH_ARENA_BYTES);
    list_append(&self->tickets, &ticket->link);
    call = arena_alloc(&ticket->arena, size);
    assert_non_null(call);
    call_init(call, verb, &ticket->arena, &self->mailbox, finished, ticket);
    return call;
}

void bench_send(struct bench *self, struct call *call)
{
    ((struct ticket *)call->owner)->sent = true;
    shard_send(self->shard, call);
}

bool bench_is_answered(const struct call *call)
{
    return ((const struct ticket *)call->owner)->answered;
}

enum status bench_do(struct bench *self, struct call *call)
{
    bench_send(self, call);
    bench_run(self);
    assert_true(bench_is_answered(call));
    return call->error.status;
}

bool bench_ticket_is_settled(const struct list *link)
{
    const struct ticket *ticket = CONTAINER_OF((struct list *)(uintptr_t)link, struct ticket, link);

    return ticket->answered || !ticket->sent;
}

void bench_assert_ok(const struct call *call)
{
    assert_true(bench_is_answered(call));
    if (call->error.status != STATUS_OK)
        fail_msg("%s: %s (%s)", call->verb->name, status_name(call->error.status),
                 call->error.message);
}

struct slice text(const char *string)
{
    return slice_of_string(string);
}

struct slice bench_bytes(struct call *call, size_t size, unsigned seed)
{
    uint8_t *bytes = arena_alloc(call->arena, size);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(hash_u64(i / 8 + ((uint64_t)seed << 32)) >> i % 8 * 8);
    return slice_of(bytes, size);
}
