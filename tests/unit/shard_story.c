/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_story.c -- the ops of a story, one pair of functions each, and the table of them.
 */
#include "shard_story.h"

#include <stdio.h>

#include "support/check.h"

char story_task_names[MODEL_TASKS][8];

void story_name_tasks(void)
{
    for (int i = 0; i < MODEL_TASKS; i++)
        snprintf(story_task_names[i], sizeof story_task_names[i], "t%d", i);
}

static uint64_t draw(struct story *self)
{
    self->random += UINT64_C(0x9e3779b97f4a7c15);
    return hash_u64(self->random);
}

/* The end of the bytes goes on as zeros. */
static unsigned take_byte(struct story *self)
{
    unsigned byte = self->bytes.size == 0 ? 0 : self->bytes.data[0];

    if (self->bytes.size > 0)
        self->bytes = slice_of(self->bytes.data + 1, self->bytes.size - 1);
    return byte;
}

int story_below(struct story *self, int bound)
{
    unsigned number;

    if (self->bytes.data == NULL)
        return (int)(draw(self) % (uint64_t)bound);
    number = take_byte(self);
    if (bound > UINT8_MAX + 1)
        number = number << 8 | take_byte(self);
    return (int)(number % (unsigned)bound);
}

bool story_chance(struct story *self, int percent)
{
    return story_below(self, 100) < percent;
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

void story_assert_bytes(struct call *call, struct slice bytes, unsigned seed)
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

        assert_true(slice_equal(task->id, text(story_task_names[tasks[i]])));
        assert_int_equal(task->task.fence, expected->fence);
        assert_int_equal(task->task.deliveries, expected->deliveries);
        assert_int_equal(task->task.failures, expected->failures);
        assert_int_equal(task->task.losses, expected->losses);
        assert_int_equal(task->task.preemptions, expected->preemptions);
        assert_int_equal(task->place.priority, expected->priority);
        assert_int_equal(task->place.seq, expected->seq);
        assert_int_equal(task->task.at_ms, expected->due_ms);
        story_assert_bytes(&call->call, task->body, expected->payload);
        assert_int_equal(task->has_checkpoint, expected->checkpoint != 0);
        if (expected->checkpoint != 0)
            story_assert_bytes(&call->call, task->checkpoint, expected->checkpoint);
        assert_true(self->token_count < STORY_TOKENS_MAX);
        self->tokens[self->token_count++] =
            (struct story_token){bench_token(call, (size_t)i), tasks[i], expected->incarnation};
    }
}

static void forget_waiter(struct story *self, int index)
{
    self->waiter_count--;
    for (int i = index; i < self->waiter_count; i++)
        self->waiters[i] = self->waiters[i + 1];
}

void story_judge_served(struct story *self)
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
        int window = self->token_count < 12 || story_chance(self, 15) ? self->token_count : 12;
        struct story_token token = self->tokens[self->token_count - 1 - story_below(self, window)];
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
    return story_chance(self, percent) ? ++self->next_bytes : 0;
}

static bool send_publish(struct story *self, struct op *op)
{
    struct publish_call *call = BENCH_CALL(self->bench, publish_call, &verb_publish);

    op->call = &call->call;
    op->count = 1 + story_below(self, STORY_ITEMS_MAX);
    call->queue = text("q");
    call->item_count = (size_t)op->count;
    call->items = ARENA_ARRAY(call->call.arena, call->item_count, struct publish_item);
    for (int i = 0; i < op->count; i++) {
        struct item *item = &op->items[i];

        item->task = story_below(self, MODEL_TASKS);
        item->priority = story_chance(self, 30) ? story_below(self, PRIORITY_COUNT) : 0;
        item->ms = story_chance(self, 20) ? 1 + story_below(self, 8000) : 0;
        item->bytes = maybe_bytes(self, 90);
        call->items[i] = (struct publish_item){
            .id = text(story_task_names[item->task]),
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
        items[i].flag = story_chance(self, 20);
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
        const struct story_token *token = &items[i].token;
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
    op->count = pick_tokens(self, op->items, 1 + story_below(self, 4));
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
    op->nack = kinds[story_below(self, 3)];
    call = bench_nack_call(self->bench, item->token.token, op->nack);
    op->call = &call->call;
    item->flag = op->nack == TASK_NACK_FAILED && story_chance(self, 10);
    item->unstarted = story_chance(self, 20);
    item->ms = story_chance(self, 40) ? story_below(self, 4000) : TASK_DELAY_BACKOFF;
    item->bytes = maybe_bytes(self, 30);
    call->items[0]->permanent = item->flag;
    call->items[0]->unstarted = item->unstarted;
    call->items[0]->delay_ms = item->ms;
    call->items[0]->has_checkpoint = item->bytes != 0;
    call->items[0]->checkpoint = bytes_of(op->call, item->bytes);
    call->items[0]->error = text("it failed");
    return true;
}

static void judge_nack(struct story *self, struct op *op)
{
    const struct item *item = &op->items[0];
    const struct story_token *token = &item->token;
    bool backs_off = item->ms == TASK_DELAY_BACKOFF && op->nack == TASK_NACK_FAILED;
    enum status expected = model_nack(&self->model, token->task, token->incarnation,
                                      token->token.fence, op->nack, item->flag, item->unstarted,
                                      backs_off      ? MODEL_DUE_UNKNOWN
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
    op->items[0].ms = 1000 + story_below(self, 20000);
    call->items = ARENA_NEW(call->call.arena, struct renew_item *);
    call->items[0] = ARENA_NEW(call->call.arena, struct renew_item);
    call->items[0]->token = op->items[0].token.token;
    call->items[0]->lease_ms = op->items[0].ms;
    call->item_count = 1;
    return true;
}

static void judge_renew(struct story *self, struct op *op)
{
    const struct story_token *token = &op->items[0].token;
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
    const struct story_token *token = &op->items[0].token;

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
    return count == 0 ? -1 : open[story_below(self, count)];
}

static bool send_lease(struct story *self, struct op *op)
{
    struct lease_call *call;

    op->max = 1 + story_below(self, 6);
    op->session = story_chance(self, 50) ? pick_session(self) : -1;
    op->wait_ms = op->session < 0 && story_chance(self, 30) ? 1 + story_below(self, 20000) : 0;
    op->carried = op->wait_ms == 0 && story_chance(self, 50)
                      ? pick_tokens(self, op->items, 1 + story_below(self, 3))
                      : 0;
    if (op->wait_ms > 0 && self->waiter_count + STORY_OPS_MAX >= STORY_WAITERS_MAX)
        return false;
    call = bench_lease_call(self->bench, "q", (uint32_t)op->max);
    op->call = &call->call;
    call->session = op->session < 0 ? 0 : self->model.sessions[op->session].id;
    call->lease_ms = story_chance(self, 50) ? 1000 + story_below(self, 20000) : 0;
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
    story_judge_served(self);
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
    op->items[0].task = story_below(self, MODEL_TASKS);
    call->queue = text("q");
    call->ids = ARENA_NEW(call->call.arena, struct slice);
    call->statuses = ARENA_NEW(call->call.arena, enum status);
    call->ids[0] = text(story_task_names[op->items[0].task]);
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
    struct model_walk walk = {0};

    while (model_redrive(&self->model, &walk))
        ;
    assert_int_equal(op->call->progress.count, walk.changed);
}

static bool send_delete_dead(struct story *self, struct op *op)
{
    return send_change(self, op, &verb_dead_delete);
}

static void judge_delete_dead(struct story *self, struct op *op)
{
    struct model_walk walk = {0};

    while (model_delete_dead(&self->model, &walk))
        ;
    assert_int_equal(op->call->progress.count, walk.changed);
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
    struct model_walk walk = {0};

    while (model_purge(&self->model, &walk))
        ;
    assert_int_equal(op->call->progress.count, walk.changed);
}

static bool send_open(struct story *self, struct op *op)
{
    struct session_call *call = BENCH_CALL(self->bench, session_call, &verb_session_open);

    op->call = &call->call;
    call->queue = text("q");
    call->session_ms = 2000 + story_below(self, 20000);
    return self->model.session_count + STORY_OPS_MAX < MODEL_SESSIONS;
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
    op->session = story_chance(self, 80) || self->model.session_count == 0
                      ? pick_session(self)
                      : story_below(self, self->model.session_count); /* perhaps gone */
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
    if (!model_begin_close(&self->model, op->session))
        assert_int_equal(op->call->error.status, STATUS_SESSION_NOT_FOUND);
    else
        assert_int_equal(op->call->progress.count, model_end_close(&self->model, op->session));
}

static bool pass(struct story *self, struct op *op)
{
    if (story_chance(self, 10))
        bench_fault(self->bench, STORE_MEM_FAULT_COMMIT_FULL, 1);
    op->items[0].ms = story_chance(self, 3) ? 700000 : story_below(self, 9000);
    bench_pass(self->bench, op->items[0].ms);
    bench_fault(self->bench, STORE_MEM_FAULT_NONE, 0);
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

const struct op_kind story_kinds[] = {
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
const size_t story_kind_count = sizeof story_kinds / sizeof story_kinds[0];
