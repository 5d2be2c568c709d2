/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_history.c -- what TaskService.Get tells of a task's deliveries.
 */
#include "shard_bench.h"
#include "support/check.h"

/* Its attempts, oldest first, in `ret`; says how many. */
static size_t attempts_of(struct bench *bench, const char *id,
                          struct attempt ret[HISTORY_ATTEMPTS_MAX])
{
    struct task_get_call *get = bench_get(bench, "q", id);
    struct slice rest;
    size_t count = 0;

    assert_int_equal(history_begin(get->view.history, &rest), 0);
    while (count < HISTORY_ATTEMPTS_MAX && history_next(&rest, &ret[count]))
        count++;
    assert_int_equal(rest.size, 0);
    return count;
}

static uint64_t open_session(struct bench *bench, const char *worker, const char *pod,
                             const char *node)
{
    struct session_call *call = BENCH_CALL(bench, session_call, &verb_session_open);

    call->queue = text("q");
    call->session_ms = 15000;
    call->names = (struct worker_names){
        .worker = text(worker), .node = text(node), .pod = text(pod), .pod_namespace = text("ocr")};
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    return call->session;
}

static void test_a_task_done_at_its_first_delivery_has_none(void **state)
{
    struct attempt attempts[HISTORY_ATTEMPTS_MAX];
    struct bench *bench = bench_new();

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    assert_int_equal(attempts_of(bench, "a", attempts), 0);
    assert_int_equal(bench_ack(bench, bench_take(bench, "q", "a"), NULL), STATUS_OK);
    assert_int_equal(attempts_of(bench, "a", attempts), 0);
    bench_free(bench);
}

static void test_each_end_is_told_with_who_where_when_and_why(void **state)
{
    struct attempt attempts[HISTORY_ATTEMPTS_MAX];
    struct bench *bench = bench_new();
    struct queue_config config = queue_config_default();
    struct lease_call *lease;
    struct nack_call *nack;
    uint64_t session;

    (void)state;
    config.backoff_min_ms = config.backoff_max_ms = 0;
    bench_queue_with(bench, "q", config);
    bench_publish(bench, "q", "a");
    session = open_session(bench, "host-1", "pod-1", "node-1");
    lease = bench_lease_in(bench, "q", 1, session);
    bench->now_ms += 500;
    nack = bench_nack_call(bench, bench_token(lease, 0), TASK_NACK_FAILED);
    nack->items[0]->error = text("out of memory");
    bench_do(bench, &nack->call);
    assert_int_equal(bench_checkpoint(bench, bench_take(bench, "q", "a"), "page 7"), STATUS_OK);
    bench_pass(bench, 60000); /* its deadline */
    lease = bench_lease_in(bench, "q", 1, open_session(bench, "pod-2", "pod-2", "node-2"));
    bench_pass(bench, 15000); /* its session */

    assert_int_equal(attempts_of(bench, "a", attempts), 3);
    assert_int_equal(attempts[0].end, ATTEMPT_FAILED);
    assert_int_equal(attempts[0].fence, 1);
    assert_true(attempts[0].session == session);
    assert_int_equal(attempts[0].ended_ms - attempts[0].leased_ms, 500);
    assert_true(slice_equal(attempts[0].worker, text("host-1")));
    assert_true(slice_equal(attempts[0].pod, text("pod-1")));
    assert_true(slice_equal(attempts[0].node, text("node-1")));
    assert_true(slice_equal(attempts[0].error, text("out of memory")));
    assert_false(attempts[0].has_checkpoint);
    assert_int_equal(attempts[1].end, ATTEMPT_EXPIRED);
    assert_int_equal(attempts[1].session, 0);
    assert_int_equal(attempts[1].worker.size, 0);
    assert_true(attempts[1].has_checkpoint);
    assert_int_equal(attempts[1].error.size, 0);
    assert_int_equal(attempts[2].end, ATTEMPT_LOST);
    assert_int_equal(attempts[2].pod.size, 0); /* it is the worker's name */
    assert_true(slice_equal(attempts[2].node, text("node-2")));
    bench_free(bench);
}

static void test_who_holds_it_is_told(void **state)
{
    struct bench *bench = bench_new();
    struct task_get_call *get;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    bench_lease_in(bench, "q", 1, open_session(bench, "host-1", "pod-1", "node-1"));
    get = bench_get(bench, "q", "a");
    assert_true(slice_equal(get->view.worker, text("host-1")));
    assert_true(slice_equal(get->view.pod, text("pod-1")));
    assert_true(slice_equal(get->view.node, text("node-1")));
    bench_free(bench);
}

static void test_it_stays_with_the_dead_letter_and_goes_on_after_the_redrive(void **state)
{
    struct attempt attempts[HISTORY_ATTEMPTS_MAX];
    struct bench *bench = bench_new();
    struct nack_call *nack;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    nack = bench_nack_call(bench, bench_take(bench, "q", "a"), TASK_NACK_FAILED);
    nack->items[0]->permanent = true;
    bench_do(bench, &nack->call);
    bench_crash(bench);
    assert_int_equal(attempts_of(bench, "a", attempts), 1);
    assert_int_equal(attempts[0].dead_reason, DEAD_FAILURES);
    bench_change_dead(bench, "q", &verb_dead_redrive, DEAD_NOT);
    bench_nack(bench, bench_take(bench, "q", "a"), TASK_NACK_RELEASED);
    assert_int_equal(bench_cancel(bench, "q", "a"), STATUS_OK);
    assert_int_equal(attempts_of(bench, "a", attempts), 4);
    assert_int_equal(attempts[1].end, ATTEMPT_REDRIVEN);
    assert_int_equal(attempts[1].fence, 0);
    assert_int_equal(attempts[2].end, ATTEMPT_RELEASED);
    assert_int_equal(attempts[3].end, ATTEMPT_CANCELLED);
    assert_int_equal(attempts[3].dead_reason, DEAD_CANCELLED);
    bench_free(bench);
}

static void test_a_task_that_outlives_its_time_says_so(void **state)
{
    struct attempt attempts[HISTORY_ATTEMPTS_MAX];
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();

    (void)state;
    config.task_ttl_ms = 1000;
    bench_queue_with(bench, "q", config);
    bench_publish(bench, "q", "a");
    bench_pass(bench, 5000);
    assert_int_equal(attempts_of(bench, "a", attempts), 1);
    assert_int_equal(attempts[0].end, ATTEMPT_OUTLIVED);
    assert_int_equal(attempts[0].dead_reason, DEAD_EXPIRED);
    bench_free(bench);
}

static void test_a_done_task_tells_it_until_its_tombstone_goes(void **state)
{
    struct attempt attempts[HISTORY_ATTEMPTS_MAX];
    struct bench *bench = bench_new();

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    bench_nack(bench, bench_take(bench, "q", "a"), TASK_NACK_PREEMPTED);
    assert_int_equal(bench_ack(bench, bench_take(bench, "q", "a"), "x"), STATUS_OK);
    assert_int_equal(attempts_of(bench, "a", attempts), 2);
    assert_int_equal(attempts[1].end, ATTEMPT_ACKED);
    assert_int_equal(attempts[1].fence, 2);
    bench_pass(bench, TOMBSTONE_MS);
    assert_int_equal(bench_rows(bench, STORE_ACTIVE), 0);
    assert_int_equal(attempts_of(bench, "a", attempts), 0);
    bench_free(bench);
}

/* The result of the first delivery comes when its lease is over. */
static void salvage(bool leased_again)
{
    struct attempt attempts[HISTORY_ATTEMPTS_MAX];
    struct bench *bench = bench_new();
    struct lease_token old;

    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    old = bench_take(bench, "q", "a");
    bench_pass(bench, 60000);
    if (leased_again)
        bench_take(bench, "q", "a");
    assert_int_equal(bench_ack(bench, old, "late"), STATUS_OK);
    assert_int_equal(attempts_of(bench, "a", attempts), 2);
    assert_int_equal(attempts[1].end, ATTEMPT_ACKED);
    assert_int_equal(attempts[1].fence, 1);
    assert_int_equal(attempts[1].leased_ms, 0);
    bench_free(bench);
}

static void test_a_salvaged_result_is_the_older_deliverys(void **state)
{
    (void)state;
    salvage(true);
}

static void test_a_result_that_comes_before_the_next_lease_is_its_deliverys(void **state)
{
    (void)state;
    salvage(false);
}

static void test_a_refused_command_leaves_no_trace(void **state)
{
    struct attempt attempts[HISTORY_ATTEMPTS_MAX];
    struct bench *bench = bench_new();
    struct lease_token old;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    old = bench_take(bench, "q", "a");
    bench_nack(bench, old, TASK_NACK_RELEASED);
    assert_int_equal(bench_nack(bench, old, TASK_NACK_RELEASED), STATUS_LEASE_LOST);
    assert_int_equal(attempts_of(bench, "a", attempts), 1);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_done_at_its_first_delivery_has_none),
        cmocka_unit_test(test_each_end_is_told_with_who_where_when_and_why),
        cmocka_unit_test(test_who_holds_it_is_told),
        cmocka_unit_test(test_it_stays_with_the_dead_letter_and_goes_on_after_the_redrive),
        cmocka_unit_test(test_a_task_that_outlives_its_time_says_so),
        cmocka_unit_test(test_a_done_task_tells_it_until_its_tombstone_goes),
        cmocka_unit_test(test_a_salvaged_result_is_the_older_deliverys),
        cmocka_unit_test(test_a_result_that_comes_before_the_next_lease_is_its_deliverys),
        cmocka_unit_test(test_a_refused_command_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
