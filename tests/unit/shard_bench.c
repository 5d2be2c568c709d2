/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_bench.c -- a store and a shard, calls and their memory, time, and crashes.
 */
#include "shard_bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "model/audit.h"
#include "store/lmdb.h"
#include "support/check.h"

#define STEPS_MAX 100000
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

/* ---- what the store holds ---- */

int64_t bench_problems(struct bench *self)
{
    return audit_problems(self->store);
}

void bench_check(struct bench *self)
{
    audit_shard(self->shard, self->store);
}

static void count_row(struct shard *shard, const struct store_row *row, size_t *count)
{
    (void)shard;
    (void)row;
    ++*count;
}

size_t bench_rows(struct bench *self, enum store_table table)
{
    return audit_each_row(self->shard, self->store, table, count_row);
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
