/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_batch.c -- what a batch owes its calls when the store refuses in the middle: it is
 * taken back whole, its calls run again one by one, and only the one that does not fit is refused.
 */
#include "shard_bench.h"
#include "support/check.h"

#define SPARE_BYTES 50000 /* room left in a store that is told to be small */

/* Leaves room for a few small records. */
static void make_small(struct bench *bench)
{
    struct store_usage usage;

    assert_int_equal(store_usage(bench->store, &usage), STATUS_OK);
    store_mem_set_max(bench->store, usage.used_bytes + SPARE_BYTES);
}

static struct publish_call *publish_too_much(struct bench *bench, const char *id)
{
    struct publish_call *call = bench_publish_call(bench, "q", id);

    call->items[0].body = bench_bytes(&call->call, 2 * SPARE_BYTES, 1);
    return call;
}

static void test_only_the_call_that_does_not_fit_is_refused(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *before;
    struct publish_call *large;
    struct publish_call *after;

    (void)state;
    bench_queue(bench, "q");
    make_small(bench);
    before = bench_publish_call(bench, "q", "before");
    large = publish_too_much(bench, "large");
    after = bench_publish_call(bench, "q", "after");
    bench_send(bench, &before->call);
    bench_send(bench, &large->call);
    bench_send(bench, &after->call);
    bench_run(bench);
    bench_assert_ok(&before->call);
    bench_assert_ok(&after->call);
    assert_int_equal(before->items[0].status, STATUS_OK);
    assert_int_equal(after->items[0].status, STATUS_OK);
    assert_true(bench_is_answered(&large->call));
    assert_int_equal(large->call.error.status, STATUS_STORE_FULL);
    assert_int_equal(bench_tally(bench, "q").ready, 2);
    bench_free(bench);
}

static struct publish_call *late; /* comes while a batch is under way */
static struct bench *late_bench;

static bool take_late(struct shard *shard, struct list *calls)
{
    if (late == NULL)
        return false;
    bench_send(late_bench, &late->call);
    late = NULL;
    shard_take(shard, calls);
    return true;
}

static void expect_late(struct bench *bench, struct publish_call *call)
{
    late = call;
    late_bench = bench;
    bench->shard->take_more = take_late;
}

static void test_a_call_that_comes_in_time_shares_the_commit(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *calls[2];
    int64_t commits;

    (void)state;
    bench_queue(bench, "q");
    calls[0] = bench_publish_call(bench, "q", "first");
    calls[1] = bench_publish_call(bench, "q", "late");
    commits = bench->shard->commits;
    expect_late(bench, calls[1]);
    bench_send(bench, &calls[0]->call);
    assert_true(bench_step(bench));
    bench_assert_ok(&calls[0]->call);
    bench_assert_ok(&calls[1]->call);
    assert_int_equal(bench->shard->commits, commits + 1);
    assert_int_equal(bench_tally(bench, "q").ready, 2);
    bench_free(bench);
}

static void test_a_late_call_that_does_not_fit_is_refused_alone(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *before;
    struct publish_call *large;

    (void)state;
    bench_queue(bench, "q");
    make_small(bench);
    before = bench_publish_call(bench, "q", "before");
    large = publish_too_much(bench, "large");
    expect_late(bench, large);
    bench_send(bench, &before->call);
    bench_run(bench);
    bench_assert_ok(&before->call);
    assert_true(bench_is_answered(&large->call));
    assert_int_equal(large->call.error.status, STATUS_STORE_FULL);
    assert_int_equal(bench_tally(bench, "q").ready, 1);
    bench_free(bench);
}

/* Whatever order they run in again: what the second found in the batch that was taken back does not
 * count. */
static void test_a_task_is_no_duplicate_of_one_that_was_not_stored_after_all(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *calls[3];

    (void)state;
    bench_queue(bench, "q");
    make_small(bench);
    for (int i = 0; i < 3; i++)
        calls[i] = bench_publish_call(bench, "q", i < 2 ? "x" : "y");
    calls[0]->items[0].body = bench_bytes(&calls[0]->call, SPARE_BYTES / 10 * 6, 1);
    calls[2]->items[0].body = bench_bytes(&calls[2]->call, SPARE_BYTES / 10 * 8, 2);
    for (int i = 0; i < 3; i++)
        bench_send(bench, &calls[i]->call);
    bench_run(bench);
    bench_assert_ok(&calls[1]->call);
    if (calls[0]->call.error.status == STATUS_OK)
        assert_int_equal(calls[1]->items[0].status, STATUS_DUPLICATE);
    else
        assert_int_equal(calls[1]->items[0].status, STATUS_OK);
    assert_int_equal(bench_get(bench, "q", "x")->call.error.status, STATUS_OK);
    bench_free(bench);
}

/* Three calls that do not fit together: something to refuse stands before both that are tried. */
static void test_a_call_that_was_refused_stays_refused_when_a_later_one_does_not_fit(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct publish_call *publishes[2];

    (void)state;
    bench_queue(bench, "q");
    make_small(bench);
    lease = bench_lease_call(bench, "nowhere", 1);
    bench_send(bench, &lease->call);
    for (int i = 0; i < 2; i++) {
        publishes[i] = bench_publish_call(bench, "q", i == 0 ? "a" : "b");
        publishes[i]->items[0].body = bench_bytes(&publishes[i]->call, SPARE_BYTES / 10 * 7, 1);
        bench_send(bench, &publishes[i]->call);
    }
    bench_run(bench);
    assert_true(bench_is_answered(&lease->call));
    assert_int_equal(lease->call.error.status, STATUS_QUEUE_NOT_FOUND);
    assert_int_equal(publishes[0]->call.error.status, STATUS_OK); /* in their order */
    assert_int_equal(publishes[1]->call.error.status, STATUS_STORE_FULL);
    bench_free(bench);
}

static void test_long_work_goes_on_where_it_was_when_a_batch_is_taken_back(void **state)
{
    struct bench *bench = bench_new();
    struct queue_purge_call *purge;
    struct publish_call *large;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 1000);
    make_small(bench);
    purge = BENCH_CALL(bench, queue_purge_call, &verb_queue_purge);
    purge->name = text("q");
    purge->any_dataset = true;
    bench_send(bench, &purge->call);
    assert_true(bench_step(bench)); /* the first piece is committed */
    assert_false(bench_is_answered(&purge->call));

    /* Published later, so it stays; and a call before the purge in the next batch spoils it. */
    large = publish_too_much(bench, "large");
    list_append(bench->shard->inbox.next, &large->call.link);
    bench_run(bench);
    bench_assert_ok(&purge->call);
    assert_int_equal(large->call.error.status, STATUS_STORE_FULL);
    assert_int_equal(purge->call.progress.count, 1000);
    assert_int_equal(bench_tally(bench, "q").purged, 1000);
    bench_free(bench);
}

static void test_long_work_is_finished_also_when_its_batch_runs_one_by_one(void **state)
{
    struct bench *bench = bench_new();
    struct queue_purge_call *purge;
    struct publish_call *publishes[2];

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 1000);
    make_small(bench);
    purge = BENCH_CALL(bench, queue_purge_call, &verb_queue_purge);
    purge->name = text("q");
    purge->any_dataset = true;
    bench_send(bench, &purge->call);
    for (int i = 0; i < 2; i++) {
        publishes[i] = publish_too_much(bench, i == 0 ? "a" : "b");
        bench_send(bench, &publishes[i]->call);
    }
    bench_run(bench);
    bench_assert_ok(&purge->call);
    assert_int_equal(purge->call.progress.count, 1000);
    assert_int_equal(bench_tally(bench, "q").ready, 0);
    bench_free(bench);
}

static void test_waiters_are_served_also_when_the_batch_ran_one_by_one(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;
    struct publish_call *small;
    struct publish_call *large;

    (void)state;
    bench_queue(bench, "q");
    make_small(bench);
    waiter = bench_lease_call(bench, "q", 1);
    waiter->wait_ms = 20000;
    bench_send(bench, &waiter->call);
    bench_run(bench);
    small = bench_publish_call(bench, "q", "small");
    large = publish_too_much(bench, "large");
    bench_send(bench, &small->call);
    bench_send(bench, &large->call);
    bench_run(bench);
    bench_assert_ok(&small->call);
    bench_assert_ok(&waiter->call);
    assert_true(bench_is_task(waiter, 0, "small"));
    bench_free(bench);
}

static void test_a_waiter_is_first_again_when_the_commit_that_served_it_fails(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiters[3];

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 3; i++) {
        waiters[i] = bench_lease_call(bench, "q", 1);
        waiters[i]->wait_ms = 20000;
        bench_send(bench, &waiters[i]->call);
    }
    bench_run(bench);
    store_mem_fault(bench->store, STORE_MEM_FAULT_COMMIT_FULL, 1);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_OK);
    bench_assert_ok(&waiters[0]->call);
    assert_true(bench_is_task(waiters[0], 0, "a"));
    assert_int_equal(waiters[0]->tasks[0].task.fence, 1);
    assert_false(bench_is_answered(&waiters[1]->call));
    bench_publish(bench, "q", "b");
    bench_publish(bench, "q", "c");
    assert_true(bench_is_task(waiters[1], 0, "b"));
    assert_true(bench_is_task(waiters[2], 0, "c"));
    bench_free(bench);
}

/* The k-th write is refused, for every k: also while the waiter has got some of its tasks. */
static void test_a_waiter_gets_whole_tasks_wherever_the_store_refused(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 40; k++) {
        struct bench *bench = bench_new();
        struct lease_call *waiter;
        struct lease_call *poll;
        struct publish_call *publish;

        bench_queue(bench, "q");
        waiter = bench_lease_call(bench, "q", 3);
        waiter->wait_ms = 20000;
        bench_send(bench, &waiter->call);
        bench_run(bench);
        store_mem_fault(bench->store, STORE_MEM_FAULT_WRITE_FULL, k);
        publish = BENCH_CALL(bench, publish_call, &verb_publish);
        publish->queue = text("q");
        publish->items = ARENA_ARRAY(publish->call.arena, 4, struct publish_item);
        publish->item_count = 4;
        poll = bench_lease_call(bench, "q", 3);
        bench_send(bench, &publish->call);
        bench_send(bench, &poll->call);
        bench_run(bench);
        bench_assert_ok(&waiter->call);
        assert_int_equal(waiter->task_count, 3);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(waiter->tasks[i].place.seq, i + 1);
        assert_int_equal(poll->task_count, 1);
        assert_int_equal(poll->tasks[0].place.seq, 4);
        store_mem_fault(bench->store, STORE_MEM_FAULT_NONE, 0);
        bench_free(bench);
    }
}

/* A poll that found nothing and waits, in a batch that is taken back: it does not come before those
 * that were sent before it. */
static void test_who_began_to_wait_in_a_batch_taken_back_runs_again_in_its_place(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 12; k++) {
        struct bench *bench = bench_new();
        struct lease_call *first;
        struct lease_call *second;
        struct publish_call *publish;

        bench_queue(bench, "q");
        bench_publish(bench, "q", "a");
        first = bench_lease_call(bench, "q", 1);
        second = bench_lease_call(bench, "q", 1);
        second->wait_ms = 20000;
        publish = bench_publish_call(bench, "nowhere", "b");
        bench_send(bench, &first->call);
        bench_send(bench, &second->call);
        bench_send(bench, &publish->call);
        store_mem_fault(bench->store, STORE_MEM_FAULT_WRITE_FULL, k);
        bench_run(bench);
        assert_true(bench_is_task(first, 0, "a"));
        assert_false(bench_is_answered(&second->call));
        store_mem_fault(bench->store, STORE_MEM_FAULT_NONE, 0);
        bench_free(bench);
    }
}

static void test_delayed_tasks_wake_also_when_the_first_try_is_taken_back(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *call;

    (void)state;
    bench_queue(bench, "q");
    call = bench_publish_call(bench, "q", "later");
    call->items[0].delay_ms = 5000;
    bench_do(bench, &call->call);
    assert_int_equal(bench_tally(bench, "q").delayed, 1);
    store_mem_fault(bench->store, STORE_MEM_FAULT_COMMIT_FULL, 1);
    bench_pass(bench, 5000);
    bench_pass(bench, 5000);
    assert_int_equal(bench_tally(bench, "q").delayed, 0);
    bench_take(bench, "q", "later");
    bench_free(bench);
}

static void test_a_waiter_of_a_queue_that_was_not_made_after_all_is_answered(void **state)
{
    struct bench *bench = bench_new();
    struct queue_call *create;
    struct lease_call *waiter;
    struct publish_call *large;

    (void)state;
    bench_queue(bench, "q");
    make_small(bench);
    create = BENCH_CALL(bench, queue_call, &verb_queue_create);
    create->name = text("new");
    create->config = queue_config_default();
    waiter = bench_lease_call(bench, "new", 1);
    waiter->wait_ms = 20000;
    large = publish_too_much(bench, "large");
    bench_send(bench, &create->call);
    bench_send(bench, &waiter->call);
    bench_send(bench, &large->call);
    bench_run(bench);
    bench_assert_ok(&create->call);
    assert_false(bench_is_answered(&waiter->call));
    bench_publish(bench, "new", "task");
    bench_assert_ok(&waiter->call);
    assert_true(bench_is_task(waiter, 0, "task"));
    bench_free(bench);
}

static void test_what_is_refused_at_last_leaves_no_trace(void **state)
{
    struct bench *bench = bench_new();
    struct queue_call *create;
    struct session_call *open;
    struct publish_call *publish;
    struct store_usage usage;

    (void)state;
    bench_queue(bench, "q");
    assert_int_equal(store_usage(bench->store, &usage), STATUS_OK);
    store_mem_set_max(bench->store, usage.used_bytes + 20);
    create = BENCH_CALL(bench, queue_call, &verb_queue_create);
    create->name = text("new");
    create->config = queue_config_default();
    assert_int_equal(bench_do(bench, &create->call), STATUS_STORE_FULL);
    open = BENCH_CALL(bench, session_call, &verb_session_open);
    open->queue = text("q");
    open->session_ms = 15000;
    assert_int_equal(bench_do(bench, &open->call), STATUS_STORE_FULL);
    publish = bench_publish_call(bench, "q", "a");
    publish->dataset = text("set");
    assert_int_equal(bench_do(bench, &publish->call), STATUS_STORE_FULL);
    assert_int_equal(bench_queue_verb(bench, "new", &verb_queue_get), STATUS_QUEUE_NOT_FOUND);
    bench_free(bench); /* checks it */
}

static void test_a_full_store_neither_stops_the_shard_nor_makes_it_spin(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *call;
    struct store_usage usage;

    (void)state;
    bench_queue(bench, "q");
    call = bench_publish_call(bench, "q", "later");
    call->items[0].delay_ms = 5000;
    bench_do(bench, &call->call);
    assert_int_equal(store_usage(bench->store, &usage), STATUS_OK);
    store_mem_set_max(bench->store, usage.used_bytes / 2); /* nothing fits any more */
    bench_pass(bench, 6000);
    assert_int_equal(bench_tally(bench, "q").delayed, 1);
    assert_true(shard_next_ms(bench->shard) > bench->now_ms);
    bench_run(bench);

    store_mem_set_max(bench->store, 0);
    bench_pass(bench, 2000);
    assert_int_equal(bench_tally(bench, "q").ready, 1);
    bench_free(bench);
}

static void test_an_idle_shard_sleeps(void **state)
{
    struct bench *bench = bench_new();
    int64_t commits;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 10);
    bench_lease(bench, "q", 3);
    bench_session(bench, "q", 15000);
    bench_run(bench);
    commits = bench->shard->commits;
    for (int i = 0; i < 100; i++)
        assert_false(bench_step(bench));
    assert_int_equal(bench->shard->commits, commits);
    assert_true(shard_next_ms(bench->shard) > bench->now_ms);
    bench_free(bench);
}

static void test_stop_notices_are_told_also_when_the_batch_is_taken_back(void **state)
{
    struct bench *bench = bench_new();
    struct session_call *beat;
    struct publish_call *publish;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    session = bench_session(bench, "q", 15000);
    assert_int_equal(bench_lease_in(bench, "q", 1, session)->task_count, 1);
    assert_int_equal(bench_cancel(bench, "q", "a"), STATUS_OK);
    beat = BENCH_CALL(bench, session_call, &verb_session_heartbeat);
    beat->session = session;
    publish = bench_publish_call(bench, "q", "b");
    bench_send(bench, &beat->call);
    bench_send(bench, &publish->call);
    store_mem_fault(bench->store, STORE_MEM_FAULT_COMMIT_FULL, 1);
    bench_run(bench);
    bench_assert_ok(&beat->call);
    assert_int_equal(beat->stop_count, 1);
    assert_int_equal(beat->stops[0].reason, STOP_CANCELLED);
    bench_free(bench);
}

/* The ring of tombstones grows in the same batch that takes some out, and the batch is taken
 * back. */
static void test_tombstones_survive_a_batch_that_is_taken_back(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *old;
    struct lease_call *lease;
    struct ack_call *ack;

    (void)state;
    bench_queue(bench, "q");
    for (int round = 0; round < 2; round++) { /* the ring's first entry is not its place 0 */
        bench_publish_many(bench, "q", round == 0 ? "a" : "b", 600);
        old = bench_lease(bench, "q", 600);
        for (size_t i = 0; i < old->task_count; i++)
            assert_int_equal(bench_ack(bench, bench_token(old, i), NULL), STATUS_OK);
        if (round == 0)
            bench_pass(bench, TOMBSTONE_MS);
    }
    bench_publish_many(bench, "q", "c", 900);
    bench->now_ms += TOMBSTONE_MS - 1000;
    bench_run(bench);
    lease = bench_lease(bench, "q", 900);
    ack = bench_ack_call(bench, bench_token(lease, 0), NULL);
    ack->items = ARENA_ARRAY(ack->call.arena, 900, struct ack_item *);
    ack->item_count = 900;
    for (size_t i = 0; i < 900; i++)
        ack->items[i] = bench_ack_item(&ack->call, bench_token(lease, i), NULL);
    bench->now_ms += 1000; /* those of round two are due for removal now */
    bench_send(bench, &ack->call);
    store_mem_fault(bench->store, STORE_MEM_FAULT_COMMIT_FULL, 1);
    bench_run(bench);
    bench_assert_ok(&ack->call);
    for (size_t i = 0; i < 900; i++)
        assert_int_equal(ack->items[i]->status, STATUS_OK);
    bench_pass(bench, 1000); /* what is due by itself was left alone for a second */
    assert_int_equal(bench_rows(bench, STORE_ACTIVE), 900);
    bench_pass(bench, TOMBSTONE_MS);
    assert_int_equal(bench_rows(bench, STORE_ACTIVE), 0);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_call_that_does_not_fit_is_refused),
        cmocka_unit_test(test_a_call_that_comes_in_time_shares_the_commit),
        cmocka_unit_test(test_a_late_call_that_does_not_fit_is_refused_alone),
        cmocka_unit_test(test_a_task_is_no_duplicate_of_one_that_was_not_stored_after_all),
        cmocka_unit_test(test_a_call_that_was_refused_stays_refused_when_a_later_one_does_not_fit),
        cmocka_unit_test(test_long_work_goes_on_where_it_was_when_a_batch_is_taken_back),
        cmocka_unit_test(test_long_work_is_finished_also_when_its_batch_runs_one_by_one),
        cmocka_unit_test(test_waiters_are_served_also_when_the_batch_ran_one_by_one),
        cmocka_unit_test(test_a_waiter_is_first_again_when_the_commit_that_served_it_fails),
        cmocka_unit_test(test_a_waiter_gets_whole_tasks_wherever_the_store_refused),
        cmocka_unit_test(test_who_began_to_wait_in_a_batch_taken_back_runs_again_in_its_place),
        cmocka_unit_test(test_delayed_tasks_wake_also_when_the_first_try_is_taken_back),
        cmocka_unit_test(test_a_waiter_of_a_queue_that_was_not_made_after_all_is_answered),
        cmocka_unit_test(test_what_is_refused_at_last_leaves_no_trace),
        cmocka_unit_test(test_a_full_store_neither_stops_the_shard_nor_makes_it_spin),
        cmocka_unit_test(test_an_idle_shard_sleeps),
        cmocka_unit_test(test_stop_notices_are_told_also_when_the_batch_is_taken_back),
        cmocka_unit_test(test_tombstones_survive_a_batch_that_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
