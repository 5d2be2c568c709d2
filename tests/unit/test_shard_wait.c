/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_wait.c -- long polls: first come first served, in the publisher's own commit, and
 * never a task for a client that has gone.
 */
#include "shard_bench.h"
#include "support/check.h"

#define WAIT_MS 20000

static struct lease_call *send_waiter(struct bench *bench, uint32_t max_tasks)
{
    struct lease_call *call = bench_lease_call(bench, "q", max_tasks);

    call->wait_ms = WAIT_MS;
    bench_send(bench, &call->call);
    return call;
}

static void test_a_publish_serves_its_waiters_in_its_own_commit(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;
    struct publish_call *publish;
    int64_t commits;

    (void)state;
    bench_queue(bench, "q");
    waiter = send_waiter(bench, 5);
    bench_run(bench);
    assert_false(bench_is_answered(&waiter->call));
    assert_int_equal(bench_view(bench, "q").waiters, 1);
    commits = bench->shard->commits;
    publish = bench_publish_call(bench, "q", "a");
    bench_send(bench, &publish->call);
    bench_run(bench);
    assert_int_equal(bench->shard->commits, commits + 1);
    bench_assert_ok(&publish->call);
    bench_assert_ok(&waiter->call);
    assert_true(bench_is_task(waiter, 0, "a"));
    assert_int_equal(waiter->situation.leased, 1);
    assert_int_equal(bench_view(bench, "q").waiters, 0);
    assert_int_equal(bench_ack(bench, bench_token(waiter, 0), NULL), STATUS_OK);
    bench_free(bench);
}

static void test_waiters_are_served_in_the_order_they_came(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiters[4];
    struct lease_call *late;

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 4; i++)
        waiters[i] = send_waiter(bench, 2);
    bench_run(bench);
    bench_publish_many(bench, "q", "t", 3);
    assert_true(bench_is_task(waiters[0], 0, "t0") && bench_is_task(waiters[0], 1, "t1"));
    assert_true(bench_is_task(waiters[1], 0, "t2"));
    assert_int_equal(waiters[1]->task_count, 1);
    assert_false(bench_is_answered(&waiters[2]->call));
    late = bench_lease(bench, "q", 1); /* who does not wait can't jump the queue, but is answered */
    assert_int_equal(late->task_count, 0);
    bench_publish_many(bench, "q", "u", 3);
    assert_true(bench_is_task(waiters[2], 0, "u0") && bench_is_task(waiters[2], 1, "u1"));
    assert_true(bench_is_task(waiters[3], 0, "u2"));
    bench_free(bench);
}

static void test_what_the_waiters_leave_is_for_the_next_in_the_same_batch(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;
    struct lease_call *polls[2];
    struct publish_call *publish;

    (void)state;
    bench_queue(bench, "q");
    waiter = send_waiter(bench, 1);
    bench_run(bench);
    publish = BENCH_CALL(bench, publish_call, &verb_publish);
    publish->queue = text("q");
    publish->items = ARENA_ARRAY(publish->call.arena, 3, struct publish_item);
    publish->item_count = 3;
    bench_send(bench, &publish->call);
    for (int i = 0; i < 2; i++) {
        polls[i] = bench_lease_call(bench, "q", 1);
        bench_send(bench, &polls[i]->call);
    }
    assert_true(bench_step(bench));
    assert_int_equal(waiter->task_count, 1);
    assert_int_equal(waiter->tasks[0].place.seq, 1);
    assert_int_equal(polls[0]->task_count, 1);
    assert_int_equal(polls[1]->task_count, 1);
    bench_free(bench);
}

static void test_a_wait_ends_at_its_time_with_the_truth(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;
    struct publish_call *later;

    (void)state;
    bench_queue(bench, "q");
    later = bench_publish_call(bench, "q", "later");
    later->items[0].delay_ms = 60000;
    bench_do(bench, &later->call);
    bench_pass(bench, 1000); /* the first look at what is to be swept */
    waiter = send_waiter(bench, 1);
    bench_run(bench);
    assert_int_equal(shard_next_ms(bench->shard), bench->now_ms + WAIT_MS);
    bench_pass(bench, WAIT_MS - 1);
    assert_false(bench_is_answered(&waiter->call));
    bench_pass(bench, 1);
    bench_assert_ok(&waiter->call);
    assert_int_equal(waiter->task_count, 0);
    assert_int_equal(waiter->situation.delayed, 1);
    assert_int_equal(waiter->situation.next_change_ms, 60000 - 1000 - WAIT_MS);
    bench_free(bench);
}

static void test_the_end_of_a_delay_or_a_lease_serves_a_waiter(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;
    struct publish_call *later;
    struct lease_token token;

    (void)state;
    bench_queue(bench, "q");
    later = bench_publish_call(bench, "q", "later");
    later->items[0].delay_ms = 5000;
    bench_do(bench, &later->call);
    waiter = send_waiter(bench, 1);
    bench_run(bench);
    bench_pass(bench, 5000);
    assert_true(bench_is_task(waiter, 0, "later"));

    bench_pass(bench, 50000);
    waiter = send_waiter(bench, 1);
    bench_run(bench);
    bench_pass(bench, 10000); /* the lease of a minute is over */
    assert_true(bench_is_task(waiter, 0, "later"));
    assert_int_equal(waiter->tasks[0].task.losses, 1);

    token = bench_token(waiter, 0);
    waiter = send_waiter(bench, 1);
    bench_run(bench);
    bench_nack(bench, token, TASK_NACK_PREEMPTED);
    assert_true(bench_is_task(waiter, 0, "later"));
    bench_free(bench);
}

static void test_a_waiter_that_is_cancelled_takes_no_task(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;
    struct publish_call *publish;

    (void)state;
    bench_queue(bench, "q");
    waiter = send_waiter(bench, 1);
    bench_run(bench);
    publish = bench_publish_call(bench, "q", "a");
    bench_send(bench, &publish->call);
    shard_cancel(bench->shard, &waiter->call);
    bench_run(bench);
    assert_true(bench_is_answered(&waiter->call));
    assert_int_equal(waiter->call.error.status, STATUS_CANCELED);
    assert_int_equal(bench_tally(bench, "q").ready, 1);
    bench_free(bench);
}

static void test_a_lease_cancelled_before_it_ran_takes_no_task(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;
    struct lease_call *poll;

    (void)state;
    bench_queue(bench, "q");
    waiter = send_waiter(bench, 1);
    shard_cancel(bench->shard, &waiter->call);
    bench_run(bench);
    assert_true(bench_is_answered(&waiter->call));
    assert_int_equal(waiter->call.error.status, STATUS_CANCELED);

    bench_publish(bench, "q", "a");
    poll = bench_lease_call(bench, "q", 1);
    bench_send(bench, &poll->call);
    shard_cancel(bench->shard, &poll->call);
    bench_run(bench);
    assert_int_equal(poll->call.error.status, STATUS_CANCELED);
    assert_int_equal(bench_tally(bench, "q").ready, 1);
    bench_free(bench);
}

static void test_cancelling_what_is_answered_does_nothing(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    waiter = send_waiter(bench, 1);
    assert_true(shard_step(bench->shard)); /* its letter is posted, not opened */
    shard_cancel(bench->shard, &waiter->call);
    bench_run(bench);
    bench_assert_ok(&waiter->call);
    assert_int_equal(waiter->task_count, 1);
    bench_free(bench);
}

static void test_draining_answers_all_and_lets_none_wait(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiters[3];

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 2; i++)
        waiters[i] = send_waiter(bench, 1);
    bench_run(bench);
    shard_drain(bench->shard);
    waiters[2] = send_waiter(bench, 1);
    bench_run(bench);
    for (int i = 0; i < 3; i++) {
        bench_assert_ok(&waiters[i]->call);
        assert_int_equal(waiters[i]->task_count, 0);
    }
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_OK); /* all else goes on */
    bench_take(bench, "q", "a");
    bench_free(bench);
}

static void test_waiters_of_a_deleted_queue_are_told(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;

    (void)state;
    bench_queue(bench, "q");
    waiter = send_waiter(bench, 1);
    bench_run(bench);
    assert_int_equal(bench_queue_verb(bench, "q", &verb_queue_delete), STATUS_OK);
    assert_true(bench_is_answered(&waiter->call));
    assert_int_equal(waiter->call.error.status, STATUS_QUEUE_NOT_FOUND);
    bench_free(bench);
}

static void test_a_waiter_whose_session_is_gone_takes_no_task(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiters[2];
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    session = bench_session(bench, "q", 5000);
    waiters[0] = bench_lease_call(bench, "q", 1);
    waiters[0]->wait_ms = WAIT_MS;
    waiters[0]->session = session;
    bench_send(bench, &waiters[0]->call);
    waiters[1] = send_waiter(bench, 1);
    bench_run(bench);
    bench_pass(bench, 5000);
    bench_publish(bench, "q", "a");
    assert_int_equal(waiters[0]->call.error.status, STATUS_SESSION_NOT_FOUND);
    assert_true(bench_is_task(waiters[1], 0, "a"));
    bench_free(bench);
}

/* The queue has a task for it, and gives it nothing until it is resumed. */
static struct lease_call *send_waiter_to_paused(struct bench *bench)
{
    struct lease_call *waiter;

    bench_queue(bench, "q");
    bench_queue_verb(bench, "q", &verb_queue_pause);
    waiter = send_waiter(bench, 1);
    bench_run(bench);
    bench_publish(bench, "q", "a");
    return waiter;
}

static void test_a_paused_queue_keeps_its_waiters_until_it_is_resumed(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiter;

    (void)state;
    waiter = send_waiter_to_paused(bench);
    assert_false(bench_is_answered(&waiter->call));
    bench_queue_verb(bench, "q", &verb_queue_resume);
    assert_true(bench_is_task(waiter, 0, "a"));
    bench_free(bench);
}

static void test_waiters_are_limited(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *waiters[3];

    (void)state;
    bench->shard->options.limits.waiters_max = 2;
    bench_queue(bench, "q");
    for (int i = 0; i < 3; i++)
        waiters[i] = send_waiter(bench, 1);
    bench_run(bench);
    assert_false(bench_is_answered(&waiters[1]->call));
    assert_int_equal(waiters[2]->call.error.status, STATUS_LIMIT_REACHED);
    bench_free(bench);
}

static void test_waiters_that_found_no_room_are_served_once_there_is(void **state)
{
    struct bench *bench = bench_new();
    struct store_usage usage;
    struct lease_call *waiter;

    (void)state;
    waiter = send_waiter_to_paused(bench);
    assert_int_equal(store_usage(bench->store, &usage), STATUS_OK);
    store_mem_set_max(bench->store, usage.used_bytes + 8);
    bench_queue_verb(bench, "q", &verb_queue_resume);
    bench_pass(bench, 2000);
    assert_false(bench_is_answered(&waiter->call));
    store_mem_set_max(bench->store, 0);
    assert_in_range(shard_next_ms(bench->shard), bench->now_ms, bench->now_ms + 1000);
    bench_pass(bench, 1000); /* and nobody calls */
    assert_true(bench_is_answered(&waiter->call));
    assert_true(bench_is_task(waiter, 0, "a"));
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_publish_serves_its_waiters_in_its_own_commit),
        cmocka_unit_test(test_waiters_are_served_in_the_order_they_came),
        cmocka_unit_test(test_what_the_waiters_leave_is_for_the_next_in_the_same_batch),
        cmocka_unit_test(test_a_wait_ends_at_its_time_with_the_truth),
        cmocka_unit_test(test_the_end_of_a_delay_or_a_lease_serves_a_waiter),
        cmocka_unit_test(test_a_waiter_that_is_cancelled_takes_no_task),
        cmocka_unit_test(test_a_lease_cancelled_before_it_ran_takes_no_task),
        cmocka_unit_test(test_cancelling_what_is_answered_does_nothing),
        cmocka_unit_test(test_draining_answers_all_and_lets_none_wait),
        cmocka_unit_test(test_waiters_of_a_deleted_queue_are_told),
        cmocka_unit_test(test_a_waiter_whose_session_is_gone_takes_no_task),
        cmocka_unit_test(test_a_paused_queue_keeps_its_waiters_until_it_is_resumed),
        cmocka_unit_test(test_waiters_are_limited),
        cmocka_unit_test(test_waiters_that_found_no_room_are_served_once_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
