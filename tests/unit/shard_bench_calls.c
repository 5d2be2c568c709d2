/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_bench_calls.c -- one call of each kind: made, sent, run, its answer looked at.
 */
#include "shard_bench.h"
#include "support/check.h"

/* ---- queues ---- */

void bench_queue_with(struct bench *self, const char *name, struct queue_config config)
{
    struct queue_call *call = BENCH_CALL(self, queue_call, &verb_queue_create);

    call->name = text(name);
    call->config = config;
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
}

void bench_queue(struct bench *self, const char *name)
{
    bench_queue_with(self, name, queue_config_default());
}

enum status bench_queue_verb(struct bench *self, const char *name, const struct verb *verb)
{
    struct queue_call *call = BENCH_CALL(self, queue_call, verb);

    call->name = text(name);
    return bench_do(self, &call->call);
}

struct queue_view bench_view(struct bench *self, const char *name)
{
    struct queue_call *call = BENCH_CALL(self, queue_call, &verb_queue_get);

    call->name = text(name);
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call->view;
}

struct tally bench_tally(struct bench *self, const char *name)
{
    return bench_view(self, name).tally;
}

struct dataset_view bench_dataset(struct bench *self, const char *queue, const char *name)
{
    struct dataset_call *call = BENCH_CALL(self, dataset_call, &verb_dataset_list);

    call->queue = text(queue);
    call->name = text(name);
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    assert_int_equal(call->view_count, 1);
    return call->views[0];
}

/* ---- tasks ---- */

struct publish_call *bench_publish_call(struct bench *self, const char *queue, const char *id)
{
    struct publish_call *call = BENCH_CALL(self, publish_call, &verb_publish);

    call->queue = text(queue);
    call->items = ARENA_NEW(call->call.arena, struct publish_item);
    call->item_count = 1;
    call->items[0].id = text(id);
    call->items[0].body = text(id);
    return call;
}

enum status bench_publish(struct bench *self, const char *queue, const char *id)
{
    struct publish_call *call = bench_publish_call(self, queue, id);

    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call->items[0].status;
}

struct publish_call *bench_publish_many(struct bench *self, const char *queue, const char *prefix,
                                        size_t count)
{
    struct publish_call *call = BENCH_CALL(self, publish_call, &verb_publish);

    call->queue = text(queue);
    call->items = ARENA_ARRAY(call->call.arena, count, struct publish_item);
    call->item_count = count;
    for (size_t i = 0; i < count; i++) {
        call->items[i].id = text(arena_printf(call->call.arena, "%s%zu", prefix, i));
        call->items[i].body = call->items[i].id;
    }
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call;
}

struct lease_call *bench_lease_call(struct bench *self, const char *queue, uint32_t max_tasks)
{
    struct lease_call *call = BENCH_CALL(self, lease_call, &verb_lease);

    call->queue = text(queue);
    call->max_tasks = max_tasks;
    call->max_bytes = LEASE_REPLY_BYTES_DEFAULT;
    return call;
}

struct lease_call *bench_lease_in(struct bench *self, const char *queue, uint32_t max_tasks,
                                  uint64_t session)
{
    struct lease_call *call = bench_lease_call(self, queue, max_tasks);

    call->session = session;
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call;
}

struct lease_call *bench_lease(struct bench *self, const char *queue, uint32_t max_tasks)
{
    return bench_lease_in(self, queue, max_tasks, 0);
}

struct lease_token bench_token(const struct lease_call *call, size_t index)
{
    const struct leased_task *task;

    assert_true(index < call->task_count);
    task = &call->tasks[index];
    return (struct lease_token){task->place, task->task.fence,
                                token_seal(task->place.queue, call->queue_created_ms)};
}

bool bench_is_task(const struct lease_call *call, size_t index, const char *id)
{
    return index < call->task_count && slice_equal(call->tasks[index].id, text(id));
}

struct lease_token bench_take(struct bench *self, const char *queue, const char *id)
{
    struct lease_call *call = bench_lease(self, queue, 1);

    assert_true(bench_is_task(call, 0, id));
    return bench_token(call, 0);
}

struct ack_item *bench_ack_item(struct call *call, struct lease_token token, const char *result)
{
    struct ack_item *item = ARENA_NEW(call->arena, struct ack_item);

    item->token = token;
    item->has_result = result != NULL;
    if (result != NULL)
        item->result = text(result);
    return item;
}

struct ack_call *bench_ack_call(struct bench *self, struct lease_token token, const char *result)
{
    struct ack_call *call = BENCH_CALL(self, ack_call, &verb_ack);

    call->items = ARENA_NEW(call->call.arena, struct ack_item *);
    call->items[0] = bench_ack_item(&call->call, token, result);
    call->item_count = 1;
    return call;
}

enum status bench_ack(struct bench *self, struct lease_token token, const char *result)
{
    struct ack_call *call = bench_ack_call(self, token, result);

    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call->items[0]->status;
}

struct nack_call *bench_nack_call(struct bench *self, struct lease_token token,
                                  enum task_command_kind kind)
{
    struct nack_call *call = BENCH_CALL(self, nack_call, &verb_nack);

    call->items = ARENA_NEW(call->call.arena, struct nack_item *);
    call->items[0] = ARENA_NEW(call->call.arena, struct nack_item);
    call->items[0]->token = token;
    call->items[0]->kind = kind;
    call->items[0]->delay_ms = TASK_DELAY_BACKOFF;
    call->item_count = 1;
    return call;
}

enum status bench_nack(struct bench *self, struct lease_token token, enum task_command_kind kind)
{
    struct nack_call *call = bench_nack_call(self, token, kind);

    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call->items[0]->status;
}

enum status bench_renew(struct bench *self, struct lease_token token, int64_t lease_ms)
{
    struct renew_call *call = BENCH_CALL(self, renew_call, &verb_renew);

    call->items = ARENA_NEW(call->call.arena, struct renew_item *);
    call->items[0] = ARENA_NEW(call->call.arena, struct renew_item);
    call->items[0]->token = token;
    call->items[0]->lease_ms = lease_ms;
    call->item_count = 1;
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call->items[0]->status;
}

enum status bench_checkpoint(struct bench *self, struct lease_token token, const char *data)
{
    struct checkpoint_call *call = BENCH_CALL(self, checkpoint_call, &verb_checkpoint);

    call->token = token;
    call->data = text(data);
    return bench_do(self, &call->call);
}

enum status bench_cancel(struct bench *self, const char *queue, const char *id)
{
    struct task_cancel_call *call = BENCH_CALL(self, task_cancel_call, &verb_task_cancel);

    call->queue = text(queue);
    call->ids = ARENA_NEW(call->call.arena, struct slice);
    call->statuses = ARENA_NEW(call->call.arena, enum status);
    call->ids[0] = text(id);
    call->id_count = 1;
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call->statuses[0];
}

struct task_get_call *bench_get(struct bench *self, const char *queue, const char *id)
{
    struct task_get_call *call = BENCH_CALL(self, task_get_call, &verb_task_get);

    call->queue = text(queue);
    call->id = text(id);
    bench_do(self, &call->call);
    return call;
}

/* ---- sessions ---- */

uint64_t bench_session(struct bench *self, const char *queue, int64_t session_ms)
{
    struct session_call *call = BENCH_CALL(self, session_call, &verb_session_open);

    call->queue = text(queue);
    call->names.worker = text("worker");
    call->session_ms = session_ms;
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call->session;
}

struct session_call *bench_heartbeat(struct bench *self, uint64_t session)
{
    struct session_call *call = BENCH_CALL(self, session_call, &verb_session_heartbeat);

    call->session = session;
    bench_do(self, &call->call);
    return call;
}

struct session_call *bench_close(struct bench *self, uint64_t session)
{
    struct session_call *call = BENCH_CALL(self, session_call, &verb_session_close);

    call->session = session;
    bench_do(self, &call->call);
    return call;
}

/* ---- dead letters and results ---- */

struct dead_list_call *bench_dead(struct bench *self, const char *queue)
{
    struct dead_list_call *call = BENCH_CALL(self, dead_list_call, &verb_dead_list);

    call->queue = text(queue);
    call->any_dataset = true;
    call->page_size = PAGE_SIZE_MAX;
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call;
}

int64_t bench_change_dead(struct bench *self, const char *queue, const struct verb *verb,
                          enum dead_reason reason)
{
    struct dead_change_call *call = BENCH_CALL(self, dead_change_call, verb);

    call->queue = text(queue);
    call->any_dataset = true;
    call->reason = reason;
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call->call.progress.count;
}

struct result_list_call *bench_results(struct bench *self, const char *queue)
{
    struct result_list_call *call = BENCH_CALL(self, result_list_call, &verb_result_list);

    call->queue = text(queue);
    call->any_dataset = true;
    call->page_size = PAGE_SIZE_MAX;
    bench_do(self, &call->call);
    bench_assert_ok(&call->call);
    return call;
}
