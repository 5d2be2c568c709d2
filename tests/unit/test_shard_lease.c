/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_lease.c -- how many tasks a lease gets, which first, and what its reply may weigh.
 */
#include "shard_bench.h"
#include "support/check.h"

static struct publish_call *publish_sized(struct bench *bench, size_t count, size_t size,
                                          int64_t delay_ms)
{
    struct publish_call *call = BENCH_CALL(bench, publish_call, &verb_publish);

    call->queue = text("q");
    call->items = ARENA_ARRAY(call->call.arena, count, struct publish_item);
    call->item_count = count;
    for (size_t i = 0; i < count; i++) {
        call->items[i].body = bench_bytes(&call->call, size, (unsigned)i);
        call->items[i].delay_ms = delay_ms;
    }
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    return call;
}

static struct lease_call *lease_bytes(struct bench *bench, uint32_t max_tasks, int64_t max_bytes)
{
    struct lease_call *call = bench_lease_call(bench, "q", max_tasks);

    call->max_bytes = max_bytes;
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    return call;
}

static void test_returned_tasks_come_before_fresh_ones(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 6);
    lease = bench_lease(bench, "q", 4);
    bench_nack(bench, bench_token(lease, 3), TASK_NACK_PREEMPTED);
    bench_nack(bench, bench_token(lease, 1), TASK_NACK_PREEMPTED);
    lease = bench_lease(bench, "q", 3);
    assert_true(bench_is_task(lease, 0, "t1"));
    assert_true(bench_is_task(lease, 1, "t3"));
    assert_true(bench_is_task(lease, 2, "t4"));
    bench_free(bench);
}

static void test_a_queue_leases_no_more_than_its_cap(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct lease_call *waiter;

    (void)state;
    config.max_leased = 3;
    bench_queue_with(bench, "q", config);
    bench_publish_many(bench, "q", "t", 10);
    lease = bench_lease(bench, "q", 2);
    assert_int_equal(bench_lease(bench, "q", 5)->task_count, 1);
    assert_int_equal(bench_lease(bench, "q", 5)->task_count, 0);
    waiter = bench_lease_call(bench, "q", 5);
    waiter->wait_ms = 20000;
    bench_send(bench, &waiter->call);
    bench_run(bench);
    assert_false(bench_is_answered(&waiter->call));
    bench_ack(bench, bench_token(lease, 0), NULL); /* room for one: for the one who waits */
    bench_assert_ok(&waiter->call);
    assert_true(bench_is_task(waiter, 0, "t3"));
    assert_int_equal(waiter->task_count, 1);
    bench_free(bench);
}

static void test_a_reply_stops_before_its_bytes_but_gives_one_task(void **state)
{
    static const size_t sizes[] = {1000, 10000}; /* inline, and in chunks */

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bench *bench = bench_new();
        struct lease_call *lease;

        bench_queue(bench, "q");
        publish_sized(bench, 10, sizes[i], 0);
        lease = lease_bytes(bench, 10, (int64_t)(3 * sizes[i] + 5));
        assert_int_equal(lease->task_count, 3);
        assert_int_equal(lease->situation.ready, 7);
        assert_int_equal(lease_bytes(bench, 10, 1)->task_count, 1);
        for (size_t k = 0; k < 3; k++) /* and from `returned` */
            bench_nack(bench, bench_token(lease, k), TASK_NACK_RELEASED);
        assert_int_equal(lease_bytes(bench, 10, (int64_t)(2 * sizes[i]))->task_count, 2);
        assert_int_equal(lease_bytes(bench, 10, 1)->task_count, 1);
        assert_int_equal(lease_bytes(bench, 10, INT64_MAX)->task_count, 6);
        bench_free(bench);
    }
}

static void test_checkpoints_count_towards_the_replys_bytes(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    publish_sized(bench, 4, 100, 0);
    lease = bench_lease(bench, "q", 4);
    for (size_t i = 0; i < 4; i++) {
        struct checkpoint_call *save = BENCH_CALL(bench, checkpoint_call, &verb_checkpoint);

        save->token = bench_token(lease, i);
        save->data = bench_bytes(&save->call, 5000, (unsigned)i);
        bench_do(bench, &save->call);
        bench_assert_ok(&save->call);
        bench_nack(bench, bench_token(lease, i), TASK_NACK_PREEMPTED);
    }
    lease = lease_bytes(bench, 4, 11000);
    assert_int_equal(lease->task_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(lease->tasks[i].has_checkpoint);
        assert_true(
            slice_equal(lease->tasks[i].checkpoint, bench_bytes(&lease->call, 5000, (unsigned)i)));
    }
    bench_free(bench);
}

/* The arena is the last bound: what does not fit stays, whole. */
static void test_a_reply_without_room_leaves_the_rest_for_later(void **state)
{
    struct bench *bench = bench_new();
    size_t taken = 0;

    (void)state;
    bench_queue(bench, "q");
    publish_sized(bench, 60, 20000, 0);
    for (int i = 0; i < 60 && taken < 60; i++) {
        struct lease_call *lease = bench_lease_call(bench, "q", 60);

        arena_set_max(lease->call.arena, 150000);
        bench_do(bench, &lease->call);
        bench_assert_ok(&lease->call);
        assert_in_range(lease->task_count, 1, 7);
        for (size_t k = 0; k < lease->task_count; k++)
            assert_int_equal(lease->tasks[k].place.seq, taken + k + 1);
        taken += lease->task_count;
    }
    assert_int_equal(taken, 60);
    bench_free(bench);
}

static void test_a_lease_goes_past_any_number_of_delayed_tasks(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    publish_sized(bench, 700, 100000, 60000); /* far more bytes than a reply holds */
    bench_publish(bench, "q", "ready");
    lease = bench_lease(bench, "q", 5);
    assert_int_equal(lease->task_count, 1);
    assert_true(bench_is_task(lease, 0, "ready"));
    bench_free(bench);
}

static void test_old_tasks_become_dead_letters_and_the_rest_is_leased(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct lease_token held;

    (void)state;
    config.task_ttl_ms = 10000;
    config.lease_ms = 60000;
    bench_queue_with(bench, "q", config);
    bench_publish_many(bench, "q", "old", 400);
    held = bench_take(bench, "q", "old0");
    bench->now_ms += 9000;
    bench_publish_many(bench, "q", "new", 3);
    bench->now_ms += 1000; /* nothing has run since: the lease itself finds them old */
    lease = bench_lease(bench, "q", 5);
    assert_true(bench_is_task(lease, 0, "new0"));
    assert_int_equal(lease->task_count, 3);
    assert_int_equal(bench_tally(bench, "q").dead, 399);
    assert_int_equal(bench_dead(bench, "q")->views[0].reason, DEAD_EXPIRED);
    assert_int_equal(bench_ack(bench, held, NULL), STATUS_OK); /* a lease outlives the age */
    bench_nack(bench, bench_token(lease, 0), TASK_NACK_RELEASED);
    bench_pass(bench, 20000);
    assert_int_equal(bench_tally(bench, "q").ready, 0);
    assert_int_equal(bench_tally(bench, "q").dead, 400);
    assert_int_equal(bench_change_dead(bench, "q", &verb_dead_redrive, DEAD_EXPIRED), 400);
    assert_int_equal(bench_tally(bench, "q").ready, 400); /* they begin anew */
    bench_pass(bench, 5000);
    assert_int_equal(bench_tally(bench, "q").ready, 400);
    bench_free(bench);
}

/* A leased task, and others that came back, stand among the fresh ones: they stop nobody. */
static void test_the_sweep_of_old_tasks_goes_past_those_that_were_touched(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();
    struct publish_call *publish;
    uint64_t session;

    (void)state;
    config.task_ttl_ms = 30000;
    bench_queue_with(bench, "q", config);
    publish = bench_publish_call(bench, "q", "first");
    publish->items[0].delay_ms = 1000;
    bench_do(bench, &publish->call);
    bench_publish_many(bench, "q", "t", 5);
    bench_pass(bench, 1000);
    session = bench_session(bench, "q", 3600000);
    assert_true(bench_is_task(bench_lease_in(bench, "q", 1, session), 0, "first"));
    bench_pass(bench, 40000);
    assert_int_equal(bench_tally(bench, "q").ready, 0);
    assert_int_equal(bench_tally(bench, "q").dead, 5);
    assert_int_equal(bench_tally(bench, "q").leased, 1);
    bench_free(bench);
}

static void test_an_empty_reply_tells_when_something_changes(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_pass(bench, 1000);
    assert_int_equal(bench_lease(bench, "q", 1)->situation.next_change_ms, -1);
    bench_publish_many(bench, "q", "t", 2);
    session = bench_session(bench, "q", 15000);
    bench_lease_in(bench, "q", 1, session);
    lease = bench_lease(bench, "q", 0);
    assert_int_equal(lease->situation.ready, 1);
    assert_int_equal(lease->situation.leased, 1);
    assert_int_equal(lease->situation.next_change_ms, 15000); /* if its session dies */
    lease = bench_lease_call(bench, "q", 1);
    lease->lease_ms = 5000;
    bench_do(bench, &lease->call);
    assert_int_equal(lease->tasks[0].task.at_ms, bench->now_ms + 5000);
    assert_int_equal(bench_lease(bench, "q", 1)->situation.next_change_ms, 5000);
    bench_free(bench);
}

static void test_a_lease_settles_what_it_carries_first(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *first;
    struct lease_call *next;

    (void)state;
    bench_queue(bench, "q");
    bench_queue(bench, "other");
    bench_publish(bench, "other", "o");
    bench_publish_many(bench, "q", "t", 4);
    first = bench_lease(bench, "q", 3);
    next = bench_lease_call(bench, "q", 1);
    next->ack_count = 3;
    next->acks = ARENA_ARRAY(next->call.arena, 3, struct ack_item *);
    next->acks[0] = bench_ack_item(&next->call, bench_token(first, 0), "done");
    next->acks[1] = bench_ack_item(&next->call, bench_token(first, 0), "done");
    next->acks[2] = bench_ack_item(&next->call, bench_take(bench, "other", "o"), NULL);
    next->nack_count = 1;
    next->nacks = ARENA_NEW(next->call.arena, struct nack_item *);
    next->nacks[0] = bench_nack_call(bench, bench_token(first, 2), TASK_NACK_RELEASED)->items[0];
    next->wait_ms = 20000; /* who carries does not wait */
    bench_do(bench, &next->call);
    bench_assert_ok(&next->call);
    assert_int_equal(next->acks[0]->status, STATUS_OK);
    assert_int_equal(next->acks[1]->status, STATUS_OK);
    assert_true(next->acks[0]->repeated != next->acks[1]->repeated);
    assert_int_equal(next->acks[2]->status, STATUS_LEASE_LOST); /* of another queue */
    assert_int_equal(next->nacks[0]->status, STATUS_OK);
    assert_true(bench_is_task(next, 0, "t2"));
    assert_int_equal(bench_tally(bench, "q").done, 1);
    assert_int_equal(bench_tally(bench, "q").leased, 2);
    bench_free(bench);
}

/* Found without a walk, and neighbours in neighbouring memory. */
static void test_leases_of_neighbouring_tasks_have_neighbouring_chains(void **state)
{
    struct bench *bench = bench_new();
    const struct map *leases = &bench->shard->leases;
    struct lease_call *call;
    size_t before = 0;

    (void)state;
    bench_queue(bench, "q");
    publish_sized(bench, 1000, 10, 0);
    call = bench_lease(bench, "q", 1000);
    assert_int_equal(leases->count, 1000);
    for (size_t i = 0; i < call->task_count; i++) {
        struct lease *lease = lease_find(bench->shard, call->tasks[i].place);
        size_t chain = lease->node.hash % leases->chain_count;

        assert_null(lease->node.next);
        assert_true(i == 0 || chain == (before + 1) % leases->chain_count);
        before = chain;
    }
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_returned_tasks_come_before_fresh_ones),
        cmocka_unit_test(test_a_queue_leases_no_more_than_its_cap),
        cmocka_unit_test(test_a_reply_stops_before_its_bytes_but_gives_one_task),
        cmocka_unit_test(test_checkpoints_count_towards_the_replys_bytes),
        cmocka_unit_test(test_a_reply_without_room_leaves_the_rest_for_later),
        cmocka_unit_test(test_a_lease_goes_past_any_number_of_delayed_tasks),
        cmocka_unit_test(test_old_tasks_become_dead_letters_and_the_rest_is_leased),
        cmocka_unit_test(test_the_sweep_of_old_tasks_goes_past_those_that_were_touched),
        cmocka_unit_test(test_an_empty_reply_tells_when_something_changes),
        cmocka_unit_test(test_a_lease_settles_what_it_carries_first),
        cmocka_unit_test(test_leases_of_neighbouring_tasks_have_neighbouring_chains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
