/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_random.c -- random stories on one queue, held against the model of shard_model.h:
 * publishers, workers with and without sessions, acks right, old and repeated, long polls, time,
 * crashes, and a store that refuses now and then.
 *
 * Several calls go into one batch; the model is told of them one by one. What a refusal of the
 * store takes back runs again, so that the answers must be the same.
 *
 *   I1  no task has two live leases, and fences only grow      I4  an ID makes one task
 *   I2  an ack with an old fence closes nothing but by salvage I5  the counters are the model's
 *   I3  what was acked is never handed out again               I6  bench_check, after every batch
 *
 * A failing seed is printed with the calls of its last batches; ACKD_TEST_SEED=N runs that one
 * alone, ACKD_TEST_SEEDS=N so many.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shard_bench.h"
#include "shard_model.h"
#include "support/check.h"

enum {
    SEEDS = 300,
    BATCHES = 60,  /* a story */
    OPS_MAX = 6,   /* a batch */
    ITEMS_MAX = 8, /* an op */
    TOKENS_MAX = 2000,
    WAITERS_MAX = 64,
    STORY_LINES = 12
};

struct token {
    struct lease_token token;
    int task;
    int incarnation;
};

struct waiter {
    struct lease_call *call;
    int64_t until_ms;
};

struct op;
struct story {
    struct bench *bench;
    struct model model;
    uint64_t random;
    unsigned next_bytes; /* seed of the next payload, checkpoint or result */
    struct token tokens[TOKENS_MAX];
    int token_count;
    struct waiter waiters[WAITERS_MAX];
    int waiter_count;
    char lines[STORY_LINES][512];
    int line;
};

struct item {
    struct token token;
    int task;
    bool flag; /* ack: committed; nack: permanent */
    bool unstarted;
    int64_t ms;
    unsigned bytes;
    int priority;
};

struct op {
    const struct op_kind *kind;
    struct call *call;
    struct item items[ITEMS_MAX];
    int count;
    int carried; /* of a lease: items that are acks */
    int session;
    int max;
    int64_t wait_ms;
    enum task_command_kind nack;
};

struct op_kind {
    const char *name;
    int weight;
    bool alone;                                      /* no other op in its batch */
    bool (*send)(struct story *self, struct op *op); /* false: nothing to do it with */
    void (*judge)(struct story *self, struct op *op);
};

static char task_names[MODEL_TASKS][8];

static uint64_t draw(struct story *self)
{
    self->random += UINT64_C(0x9e3779b97f4a7c15);
    return hash_u64(self->random);
}

static int below(struct story *self, int bound)
{
    return (int)(draw(self) % (uint64_t)bound);
}

static bool chance(struct story *self, int percent)
{
    return below(self, 100) < percent;
}

/* ---- bytes that can be told again from their seed ---- */

static size_t bytes_size(unsigned seed)
{
    static const size_t sizes[] = {1, 10, 100, 3600, 3601, 9000};

    return sizes[hash_u64(seed) % (sizeof sizes / sizeof sizes[0])];
}

static struct slice bytes_of(struct call *call, unsigned seed)
{
    return seed == 0 ? SLICE_EMPTY : bench_bytes(call, bytes_size(seed), seed);
}

static void assert_bytes(struct call *call, struct slice bytes, unsigned seed)
{
    struct slice expected = bytes_of(call, seed);

    assert_int_equal(bytes.size, expected.size);
    if (expected.size > 0)
        assert_memory_equal(bytes.data, expected.data, expected.size);
}

/* ---- leases, for calls and waiters ---- */

static void judge_tasks(struct story *self, struct lease_call *call, const int *tasks, int count)
{
    bench_assert_ok(&call->call);
    assert_int_equal(call->task_count, count);
    for (int i = 0; i < count; i++) {
        const struct model_task *expected = &self->model.tasks[tasks[i]];
        const struct leased_task *task = &call->tasks[i];

        assert_true(slice_equal(task->id, text(task_names[tasks[i]])));
        assert_int_equal(task->task.fence, expected->fence);
        assert_int_equal(task->task.deliveries, expected->deliveries);
        assert_int_equal(task->task.failures, expected->failures);
        assert_int_equal(task->task.losses, expected->losses);
        assert_int_equal(task->task.preemptions, expected->preemptions);
        assert_int_equal(task->place.priority, expected->priority);
        assert_int_equal(task->place.seq, expected->seq);
        assert_int_equal(task->task.at_ms, expected->due_ms);
        assert_bytes(&call->call, task->body, expected->payload);
        assert_int_equal(task->has_checkpoint, expected->checkpoint != 0);
        if (expected->checkpoint != 0)
            assert_bytes(&call->call, task->checkpoint, expected->checkpoint);
        assert_true(self->token_count < TOKENS_MAX);
        self->tokens[self->token_count++] =
            (struct token){bench_token(call, (size_t)i), tasks[i], expected->incarnation};
    }
}

static void forget_waiter(struct story *self, int index)
{
    self->waiter_count--;
    for (int i = index; i < self->waiter_count; i++)
        self->waiters[i] = self->waiters[i + 1];
}

/* First come, first served; the model hands out, the calls must have been answered so. */
static void judge_served(struct story *self)
{
    while (self->waiter_count > 0) {
        struct lease_call *call = self->waiters[0].call;
        int tasks[MODEL_TASKS];
        int count = model_lease(&self->model, (int)call->max_tasks, -1, call->lease_ms, tasks);

        if (count == 0)
            break;
        judge_tasks(self, call, tasks, count);
        forget_waiter(self, 0);
    }
}

static void judge_timeouts(struct story *self)
{
    for (int i = 0; i < self->waiter_count; i++) {
        if (self->waiters[i].until_ms > self->bench->now_ms)
            continue;
        judge_tasks(self, self->waiters[i].call, NULL, 0);
        forget_waiter(self, i--);
    }
}

/* ---- ops ---- */

/* `count` tokens of different tasks, rather the latest ones. */
static int pick_tokens(struct story *self, struct item *items, int count)
{
    int found = 0;

    for (int i = 0; i < count && self->token_count > 0; i++) {
        int window = self->token_count < 12 || chance(self, 15) ? self->token_count : 12;
        struct token token = self->tokens[self->token_count - 1 - below(self, window)];
        bool twice = false;

        for (int k = 0; k < found; k++)
            twice |= items[k].token.task == token.task;
        if (!twice)
            items[found++].token = token;
    }
    return found;
}

static unsigned maybe_bytes(struct story *self, int percent)
{
    return chance(self, percent) ? ++self->next_bytes : 0;
}

static bool send_publish(struct story *self, struct op *op)
{
    struct publish_call *call = BENCH_CALL(self->bench, publish_call, &verb_publish);

    op->call = &call->call;
    op->count = 1 + below(self, ITEMS_MAX);
    call->queue = text("q");
    call->item_count = (size_t)op->count;
    call->items = ARENA_ARRAY(call->call.arena, call->item_count, struct publish_item);
    for (int i = 0; i < op->count; i++) {
        struct item *item = &op->items[i];

        item->task = below(self, MODEL_TASKS);
        item->priority = chance(self, 30) ? below(self, PRIORITY_COUNT) : 0;
        item->ms = chance(self, 20) ? 1 + below(self, 8000) : 0;
        item->bytes = maybe_bytes(self, 90);
        call->items[i] = (struct publish_item){
            .id = text(task_names[item->task]),
            .body = bytes_of(op->call, item->bytes),
            .priority = (uint8_t)item->priority,
            .delay_ms = item->ms,
        };
    }
    return true;
}

static void judge_publish(struct story *self, struct op *op)
{
    struct publish_call *call = CONTAINER_OF(op->call, struct publish_call, call);

    for (int i = 0; i < op->count; i++) {
        const struct item *item = &op->items[i];
        enum status expected =
            model_publish(&self->model, item->task, item->priority, item->ms, item->bytes);

        assert_int_equal(call->items[i].status, expected);
        if (expected == STATUS_OK)
            assert_int_equal(call->items[i].place.seq, self->model.tasks[item->task].seq);
    }
}

static struct ack_item **make_acks(struct story *self, struct call *call, struct item *items,
                                   int count)
{
    struct ack_item **acks = ARENA_ARRAY(call->arena, (size_t)count, struct ack_item *);

    for (int i = 0; i < count; i++) {
        items[i].flag = chance(self, 20);
        items[i].bytes = maybe_bytes(self, 60);
        acks[i] = bench_ack_item(call, items[i].token.token, NULL);
        acks[i]->committed = items[i].flag;
        acks[i]->has_result = items[i].bytes != 0;
        acks[i]->result = bytes_of(call, items[i].bytes);
    }
    return acks;
}

static void judge_acks(struct story *self, struct ack_item **acks, struct item *items, int count)
{
    for (int i = 0; i < count; i++) {
        const struct token *token = &items[i].token;
        bool salvaged;
        bool repeated;
        enum status expected =
            model_ack(&self->model, token->task, token->incarnation, token->token.fence,
                      items[i].flag || items[i].bytes != 0, items[i].bytes, &salvaged, &repeated);

        assert_int_equal(acks[i]->status, expected); /* I2, I3 */
        if (expected == STATUS_OK) {
            assert_int_equal(acks[i]->salvaged, salvaged);
            assert_int_equal(acks[i]->repeated, repeated);
        }
    }
}

static bool send_ack(struct story *self, struct op *op)
{
    struct ack_call *call = BENCH_CALL(self->bench, ack_call, &verb_ack);

    op->call = &call->call;
    op->count = pick_tokens(self, op->items, 1 + below(self, 4));
    call->items = make_acks(self, op->call, op->items, op->count);
    call->item_count = (size_t)op->count;
    return op->count > 0;
}

static void judge_ack(struct story *self, struct op *op)
{
    judge_acks(self, CONTAINER_OF(op->call, struct ack_call, call)->items, op->items, op->count);
}

static bool send_nack(struct story *self, struct op *op)
{
    static const enum task_command_kind kinds[] = {TASK_NACK_FAILED, TASK_NACK_PREEMPTED,
                                                   TASK_NACK_RELEASED};
    struct nack_call *call;
    struct item *item = &op->items[0];

    if (pick_tokens(self, op->items, 1) == 0)
        return false;
    op->nack = kinds[below(self, 3)];
    call = bench_nack_call(self->bench, item->token.token, op->nack);
    op->call = &call->call;
    item->flag = op->nack == TASK_NACK_FAILED && chance(self, 10);
    item->unstarted = chance(self, 20);
    item->ms = chance(self, 40) ? below(self, 4000) : TASK_DELAY_BACKOFF;
    item->bytes = maybe_bytes(self, 30);
    call->items[0]->permanent = item->flag;
    call->items[0]->unstarted = item->unstarted;
    call->items[0]->delay_ms = item->ms;
    call->items[0]->has_checkpoint = item->bytes != 0;
    call->items[0]->checkpoint = bytes_of(op->call, item->bytes);
    call->items[0]->error = text("it failed");
    return true;
}

#define DUE_UNKNOWN (INT64_MAX / 4) /* until learn_backoffs has asked */

static void judge_nack(struct story *self, struct op *op)
{
    const struct item *item = &op->items[0];
    const struct token *token = &item->token;
    bool backs_off = item->ms == TASK_DELAY_BACKOFF && op->nack == TASK_NACK_FAILED;
    enum status expected = model_nack(&self->model, token->task, token->incarnation,
                                      token->token.fence, op->nack, item->flag, item->unstarted,
                                      backs_off      ? DUE_UNKNOWN
                                      : item->ms < 0 ? 0
                                                     : item->ms,
                                      item->bytes);

    assert_int_equal(CONTAINER_OF(op->call, struct nack_call, call)->items[0]->status, expected);
}

static bool send_renew(struct story *self, struct op *op)
{
    struct renew_call *call = BENCH_CALL(self->bench, renew_call, &verb_renew);

    op->call = &call->call;
    if (pick_tokens(self, op->items, 1) == 0)
        return false;
    op->items[0].ms = 1000 + below(self, 20000);
    call->items = ARENA_NEW(call->call.arena, struct renew_item *);
    call->items[0] = ARENA_NEW(call->call.arena, struct renew_item);
    call->items[0]->token = op->items[0].token.token;
    call->items[0]->lease_ms = op->items[0].ms;
    call->item_count = 1;
    return true;
}

static void judge_renew(struct story *self, struct op *op)
{
    const struct token *token = &op->items[0].token;
    const struct renew_item *item = CONTAINER_OF(op->call, struct renew_call, call)->items[0];
    enum status expected = model_renew(&self->model, token->task, token->incarnation,
                                       token->token.fence, op->items[0].ms);

    assert_int_equal(item->status, expected);
    if (expected == STATUS_OK)
        assert_int_equal(item->deadline_ms, self->model.tasks[token->task].due_ms);
}

static bool send_checkpoint(struct story *self, struct op *op)
{
    struct checkpoint_call *call = BENCH_CALL(self->bench, checkpoint_call, &verb_checkpoint);

    op->call = &call->call;
    if (pick_tokens(self, op->items, 1) == 0)
        return false;
    op->items[0].bytes = maybe_bytes(self, 80);
    call->token = op->items[0].token.token;
    call->data = bytes_of(op->call, op->items[0].bytes);
    return true;
}

static void judge_checkpoint(struct story *self, struct op *op)
{
    const struct token *token = &op->items[0].token;

    assert_int_equal(op->call->error.status,
                     model_checkpoint(&self->model, token->task, token->incarnation,
                                      token->token.fence, op->items[0].bytes));
}

static int pick_session(struct story *self)
{
    int open[MODEL_SESSIONS];
    int count = 0;

    for (int i = 0; i < self->model.session_count; i++)
        if (self->model.sessions[i].open)
            open[count++] = i;
    return count == 0 ? -1 : open[below(self, count)];
}

static bool send_lease(struct story *self, struct op *op)
{
    struct lease_call *call;

    op->max = 1 + below(self, 6);
    op->session = chance(self, 50) ? pick_session(self) : -1;
    op->wait_ms = op->session < 0 && chance(self, 30) ? 1 + below(self, 20000) : 0;
    op->carried =
        op->wait_ms == 0 && chance(self, 50) ? pick_tokens(self, op->items, 1 + below(self, 3)) : 0;
    if (op->wait_ms > 0 && self->waiter_count + OPS_MAX >= WAITERS_MAX)
        return false;
    call = bench_lease_call(self->bench, "q", (uint32_t)op->max);
    op->call = &call->call;
    call->session = op->session < 0 ? 0 : self->model.sessions[op->session].id;
    call->lease_ms = chance(self, 50) ? 1000 + below(self, 20000) : 0;
    call->wait_ms = op->wait_ms;
    call->acks = make_acks(self, op->call, op->items, op->carried);
    call->ack_count = (size_t)op->carried;
    return true;
}

static void judge_lease(struct story *self, struct op *op)
{
    struct lease_call *call = CONTAINER_OF(op->call, struct lease_call, call);
    int tasks[MODEL_TASKS];
    int count;

    judge_acks(self, call->acks, op->items, op->carried);
    judge_served(self);
    count = model_lease(&self->model, op->max, op->session, call->lease_ms, tasks);
    if (count == 0 && op->wait_ms > 0)
        self->waiters[self->waiter_count++] =
            (struct waiter){call, self->bench->now_ms + op->wait_ms};
    else
        judge_tasks(self, call, tasks, count);
}

static bool send_cancel(struct story *self, struct op *op)
{
    struct task_cancel_call *call = BENCH_CALL(self->bench, task_cancel_call, &verb_task_cancel);

    op->call = &call->call;
    op->items[0].task = below(self, MODEL_TASKS);
    call->queue = text("q");
    call->ids = ARENA_NEW(call->call.arena, struct slice);
    call->statuses = ARENA_NEW(call->call.arena, enum status);
    call->ids[0] = text(task_names[op->items[0].task]);
    call->id_count = 1;
    return true;
}

static void judge_cancel(struct story *self, struct op *op)
{
    assert_int_equal(CONTAINER_OF(op->call, struct task_cancel_call, call)->statuses[0],
                     model_cancel(&self->model, op->items[0].task));
}

static bool send_change(struct story *self, struct op *op, const struct verb *verb)
{
    struct dead_change_call *call = BENCH_CALL(self->bench, dead_change_call, verb);

    op->call = &call->call;
    call->queue = text("q");
    call->any_dataset = true;
    return true;
}

static bool send_redrive(struct story *self, struct op *op)
{
    return send_change(self, op, &verb_dead_redrive);
}

static void judge_redrive(struct story *self, struct op *op)
{
    assert_int_equal(op->call->progress.count, model_redrive(&self->model));
}

static bool send_delete_dead(struct story *self, struct op *op)
{
    return send_change(self, op, &verb_dead_delete);
}

static void judge_delete_dead(struct story *self, struct op *op)
{
    assert_int_equal(op->call->progress.count, model_delete_dead(&self->model));
}

static bool send_purge(struct story *self, struct op *op)
{
    struct queue_purge_call *call = BENCH_CALL(self->bench, queue_purge_call, &verb_queue_purge);

    op->call = &call->call;
    call->name = text("q");
    call->any_dataset = true;
    return true;
}

static void judge_purge(struct story *self, struct op *op)
{
    assert_int_equal(op->call->progress.count, model_purge(&self->model));
}

static bool send_open(struct story *self, struct op *op)
{
    struct session_call *call = BENCH_CALL(self->bench, session_call, &verb_session_open);

    op->call = &call->call;
    call->queue = text("q");
    call->session_ms = 2000 + below(self, 20000);
    return self->model.session_count + OPS_MAX < MODEL_SESSIONS;
}

static void judge_open(struct story *self, struct op *op)
{
    struct session_call *call = CONTAINER_OF(op->call, struct session_call, call);

    model_open(&self->model, call->session, call->session_ms);
}

static bool send_session(struct story *self, struct op *op, const struct verb *verb)
{
    struct session_call *call = BENCH_CALL(self->bench, session_call, verb);

    op->call = &call->call;
    op->session = chance(self, 80) || self->model.session_count == 0
                      ? pick_session(self)
                      : below(self, self->model.session_count); /* perhaps gone */
    if (op->session < 0)
        return false;
    call->session = self->model.sessions[op->session].id;
    return true;
}

static bool send_heartbeat(struct story *self, struct op *op)
{
    return send_session(self, op, &verb_session_heartbeat);
}

static void judge_heartbeat(struct story *self, struct op *op)
{
    struct session_call *call = CONTAINER_OF(op->call, struct session_call, call);
    int stops = model_heartbeat(&self->model, op->session);

    if (stops < 0)
        assert_int_equal(op->call->error.status, STATUS_SESSION_NOT_FOUND);
    else
        assert_int_equal(call->stop_count, stops);
}

static bool send_close(struct story *self, struct op *op)
{
    return send_session(self, op, &verb_session_close);
}

static void judge_close(struct story *self, struct op *op)
{
    int returned = model_close(&self->model, op->session);

    if (returned < 0)
        assert_int_equal(op->call->error.status, STATUS_SESSION_NOT_FOUND);
    else
        assert_int_equal(op->call->progress.count, returned);
}

static bool pass(struct story *self, struct op *op)
{
    if (chance(self, 10))
        store_mem_fault(self->bench->store, STORE_MEM_FAULT_COMMIT_FULL, 1);
    op->items[0].ms = chance(self, 3) ? 700000 : below(self, 9000);
    bench_pass(self->bench, op->items[0].ms);
    store_mem_fault(self->bench->store, STORE_MEM_FAULT_NONE, 0);
    judge_timeouts(self);
    if (self->bench->shard->chores_after_ms > self->bench->now_ms) {
        bench_pass(self->bench, self->bench->shard->chores_after_ms - self->bench->now_ms);
        judge_timeouts(self);
    }
    model_pass(&self->model, self->bench->now_ms);
    return true;
}

static bool crash(struct story *self, struct op *op)
{
    (void)op;
    bench_crash(self->bench);
    self->waiter_count = 0;
    model_restart(&self->model, self->bench->restart_grace_ms);
    bench_run(self->bench);
    return true;
}

static const struct op_kind kinds[] = {
    {"publish", 14, false, send_publish, judge_publish},
    {"lease", 20, false, send_lease, judge_lease},
    {"ack", 14, false, send_ack, judge_ack},
    {"nack", 10, false, send_nack, judge_nack},
    {"renew", 4, false, send_renew, judge_renew},
    {"checkpoint", 4, false, send_checkpoint, judge_checkpoint},
    {"cancel", 3, false, send_cancel, judge_cancel},
    {"redrive", 2, true, send_redrive, judge_redrive},
    {"delete dead", 1, true, send_delete_dead, judge_delete_dead},
    {"purge", 1, true, send_purge, judge_purge},
    {"open", 4, false, send_open, judge_open},
    {"heartbeat", 6, true, send_heartbeat, judge_heartbeat},
    {"close", 3, true, send_close, judge_close},
    {"pass", 12, true, pass, NULL},
    {"crash", 2, true, crash, NULL},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static const struct op_kind *draw_kind(struct story *self, bool alone_too)
{
    int total = 0;
    int at;

    for (size_t i = 0; i < KINDS; i++)
        total += kinds[i].alone && !alone_too ? 0 : kinds[i].weight;
    at = below(self, total);
    for (size_t i = 0; i < KINDS; i++) {
        at -= kinds[i].alone && !alone_too ? 0 : kinds[i].weight;
        if (at < 0)
            return &kinds[i];
    }
    return &kinds[0];
}

/* ---- a story ---- */

/* The jitter is the shard's to choose, within bounds. */
static void learn_backoffs(struct story *self)
{
    for (int i = 0; i < MODEL_TASKS; i++) {
        struct model_task *task = &self->model.tasks[i];
        struct task_get_call *get;
        int64_t min_ms;
        int64_t max_ms;

        if (!task->exists || task->state != TASK_DELAYED || task->due_ms < DUE_UNKNOWN)
            continue;
        get = bench_get(self->bench, "q", task_names[i]);
        bench_assert_ok(&get->call);
        assert_int_equal(get->view.task.state, TASK_DELAYED);
        model_backoff(&self->model, task->failures, &min_ms, &max_ms);
        task->due_ms = get->view.task.at_ms;
        assert_in_range(task->due_ms - self->bench->now_ms, min_ms, max_ms);
    }
}

static void judge_counts(struct story *self)
{
    struct tally tally = bench_tally(self->bench, "q");
    struct model_counts counts = model_counts(&self->model);

#define SAME(name) assert_int_equal(tally.name, counts.name) /* I5 */
    SAME(ready);
    SAME(delayed);
    SAME(leased);
    SAME(done);
    SAME(dead);
    SAME(published);
    SAME(purged);
    SAME(deliveries);
    SAME(failures);
    SAME(preemptions);
    SAME(losses);
    SAME(salvaged);
    SAME(useful_ms);
    SAME(wasted_ms);
#undef SAME
}

static void arm_fault(struct story *self)
{
    if (chance(self, 80))
        return;
    if (chance(self, 30))
        store_mem_fault(self->bench->store, STORE_MEM_FAULT_COMMIT_FULL, 1);
    else
        store_mem_fault(self->bench->store, STORE_MEM_FAULT_WRITE_FULL,
                        1 + (uint64_t)below(self, 60));
}

static void note(struct story *self, const char *name)
{
    char *line = self->lines[self->line % STORY_LINES];
    size_t size = strlen(line);

    snprintf(line + size, sizeof self->lines[0] - size, "%s%s", size == 0 ? "" : ", ", name);
}

static void run_batch(struct story *self)
{
    struct op ops[OPS_MAX] = {0};
    int wanted = 1 + below(self, OPS_MAX);
    int count = 0;

    self->line++;
    self->lines[self->line % STORY_LINES][0] = '\0';
    for (int i = 0; i < wanted; i++) {
        struct op *op = &ops[count];

        *op = (struct op){.kind = draw_kind(self, count == 0), .session = -1};
        if (!op->kind->send(self, op))
            continue;
        note(self, op->kind->name);
        if (op->call != NULL)
            bench_send(self->bench, op->call);
        count++;
        if (op->kind->alone)
            break;
    }
    if (count > 0 && ops[0].call != NULL)
        arm_fault(self);
    bench_run(self->bench);
    store_mem_fault(self->bench->store, STORE_MEM_FAULT_NONE, 0);
    for (int i = 0; i < count; i++)
        if (ops[i].kind->judge != NULL)
            ops[i].kind->judge(self, &ops[i]);
    judge_served(self);
    for (int i = 0; i < self->waiter_count; i++)
        assert_false(bench_is_answered(&self->waiters[i].call->call));
    learn_backoffs(self);
    judge_counts(self);
    bench_check(self->bench); /* I6 */
}

static struct queue_config draw_config(struct story *self)
{
    struct queue_config config = queue_config_default();

    config.lease_ms = 1000 + below(self, 20000);
    config.max_failures = 1 + below(self, 4);
    config.max_losses = 1 + below(self, 4);
    config.backoff_min_ms = 500;
    config.backoff_max_ms = 500 + below(self, 8000);
    config.dedup_retention_ms = chance(self, 50) ? 0 : 30000;
    config.late_results = chance(self, 70) ? LATE_RESULTS_SALVAGE : LATE_RESULTS_REFUSE;
    config.max_leased = chance(self, 30) ? 1 + below(self, 10) : 0;
    return config;
}

static void judge_results(struct story *self)
{
    struct result_list_call *list = bench_results(self->bench, "q");
    size_t expected = 0;

    for (int i = 0; i < MODEL_TASKS; i++)
        expected += self->model.tasks[i].result != 0;
    assert_int_equal(list->view_count, expected);
    for (size_t k = 0; k < list->view_count; k++)
        for (int i = 0; i < MODEL_TASKS; i++)
            if (slice_equal(list->views[k].id, text(task_names[i])))
                assert_bytes(&list->call, list->views[k].data, self->model.tasks[i].result);
}

static struct story story; /* the one that runs, for the report of a failure */
static uint64_t story_seed;

static void tell_story(uint64_t seed)
{
    story_seed = seed;
    memset(&story, 0, sizeof story);
    story.random = seed;
    story.bench = bench_new();
    model_init(&story.model, draw_config(&story), story.bench->now_ms);
    bench_queue_with(story.bench, "q", story.model.config);
    for (int i = 0; i < BATCHES; i++)
        run_batch(&story);
    judge_results(&story);
    bench_free(story.bench);
    story.bench = NULL;
}

static int report_failure(void **state)
{
    (void)state;
    if (story.bench == NULL)
        return 0;
    print_message("ACKD_TEST_SEED=%" PRIu64 " fails; its last batches:\n", story_seed);
    for (int i = 1; i <= STORY_LINES; i++)
        print_message("  %s\n", story.lines[(story.line + i) % STORY_LINES]);
    return 0;
}

static void test_the_shard_does_what_the_model_does(void **state)
{
    const char *seed = getenv("ACKD_TEST_SEED");
    const char *seeds = getenv("ACKD_TEST_SEEDS");
    uint64_t count = seeds == NULL ? SEEDS : strtoull(seeds, NULL, 10);

    (void)state;
    for (int i = 0; i < MODEL_TASKS; i++)
        snprintf(task_names[i], sizeof task_names[i], "t%d", i);
    if (seed != NULL) {
        tell_story(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t i = 1; i <= count; i++)
        tell_story(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_shard_does_what_the_model_does, report_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
