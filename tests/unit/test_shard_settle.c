/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_settle.c -- what a lease's holder says: ack, nack, renew, checkpoint; and the four
 * counters, useful and wasted time, salvage and repetition.
 */
#include "shard_bench.h"
#include "support/check.h"

static void test_an_ack_closes_the_task_and_stores_its_result(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token token;
    struct result_list_call *results;
    struct task_get_call *get;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    token = bench_take(bench, "q", "a");
    bench_pass(bench, 1234);
    assert_int_equal(bench_ack(bench, token, "forty-two"), STATUS_OK);
    results = bench_results(bench, "q");
    assert_int_equal(results->view_count, 1);
    assert_true(slice_equal(results->views[0].id, text("a")));
    assert_true(slice_equal(results->views[0].data, text("forty-two")));
    assert_int_equal(results->views[0].fence, 1);
    get = bench_get(bench, "q", "a");
    assert_int_equal(get->view.task.state, TASK_DONE);
    assert_true(get->view.has_result);
    assert_int_equal(bench_tally(bench, "q").useful_ms, 1234);
    assert_int_equal(bench_tally(bench, "q").wasted_ms, 0);
    assert_int_equal(bench_rows(bench, STORE_TASK), 0);
    bench_free(bench);
}

static void test_a_repeated_ack_succeeds_for_a_while(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token token;
    struct ack_call *ack;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    token = bench_take(bench, "q", "a");
    bench_ack(bench, token, "first");
    for (int crash = 0; crash < 2; crash++) {
        if (crash)
            bench_crash(bench);
        ack = bench_ack_call(bench, token, "second");
        bench_do(bench, &ack->call);
        assert_int_equal(ack->items[0]->status, STATUS_OK);
        assert_true(ack->items[0]->repeated);
    }
    assert_true(slice_equal(bench_results(bench, "q")->views[0].data, text("first")));
    bench_pass(bench, TOMBSTONE_MS);
    assert_int_equal(bench_ack(bench, token, NULL), STATUS_LEASE_LOST);
    assert_int_equal(bench_rows(bench, STORE_ACTIVE), 0);
    assert_int_equal(bench_tally(bench, "q").done, 1);
    bench_free(bench);
}

static void test_results_of_every_size_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, RECORD_INLINE_MAX, RECORD_INLINE_MAX + 1, 100000, 1048576};
    struct bench *bench = bench_new();

    (void)state;
    bench_queue(bench, "q");
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct lease_call *lease;
        struct ack_call *ack;
        struct result_list_call *list = BENCH_CALL(bench, result_list_call, &verb_result_list);

        bench_publish(bench, "q", "");
        lease = bench_lease(bench, "q", 1);
        ack = bench_ack_call(bench, bench_token(lease, 0), "");
        ack->items[0]->result = bench_bytes(&ack->call, sizes[i], i);
        bench_do(bench, &ack->call);
        list->queue = text("q");
        list->any_dataset = true;
        list->page_size = 10;
        bench_do(bench, &list->call);
        bench_assert_ok(&list->call);
        assert_int_equal(list->view_count, i + 1);
        assert_true(slice_equal(list->views[i].data, bench_bytes(&list->call, sizes[i], i)));
    }
    bench_free(bench);
}

static void test_the_four_counters_are_kept_apart(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct tally tally;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    bench_nack(bench, bench_take(bench, "q", "a"), TASK_NACK_PREEMPTED);
    bench_nack(bench, bench_take(bench, "q", "a"), TASK_NACK_RELEASED);
    bench_nack(bench, bench_take(bench, "q", "a"), TASK_NACK_FAILED);
    bench_pass(bench, 1000); /* the backoff */
    bench_take(bench, "q", "a");
    bench_pass(bench, 60000); /* lost */
    lease = bench_lease(bench, "q", 1);
    assert_int_equal(lease->tasks[0].task.preemptions, 1);
    assert_int_equal(lease->tasks[0].task.failures, 1);
    assert_int_equal(lease->tasks[0].task.losses, 1);
    assert_int_equal(lease->tasks[0].task.deliveries, 5);
    assert_int_equal(lease->tasks[0].task.fence, 5);
    tally = bench_tally(bench, "q");
    assert_int_equal(tally.preemptions, 1);
    assert_int_equal(tally.failures, 1);
    assert_int_equal(tally.losses, 1);
    assert_int_equal(tally.deliveries, 5);
    assert_int_equal(tally.wasted_ms, 60000);
    bench_free(bench);
}

static void test_waste_and_use_are_told_by_dataset(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct lease_call *lease;
    struct tally tally;

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 2; i++) {
        publish = bench_publish_call(bench, "q", i == 0 ? "a" : "b");
        publish->dataset = text(i == 0 ? "one" : "two");
        bench_do(bench, &publish->call);
    }
    lease = bench_lease(bench, "q", 2);
    bench_pass(bench, 3000);
    bench_ack(bench, bench_token(lease, 0), NULL);
    bench_nack(bench, bench_token(lease, 1), TASK_NACK_PREEMPTED);
    tally = bench_dataset(bench, "q", "one").tally;
    assert_int_equal(tally.useful_ms, 3000);
    assert_int_equal(tally.wasted_ms, 0);
    assert_int_equal(tally.done, 1);
    assert_int_equal(tally.last_done_ms, bench->now_ms);
    tally = bench_dataset(bench, "q", "two").tally;
    assert_int_equal(tally.useful_ms, 0);
    assert_int_equal(tally.wasted_ms, 3000);
    assert_int_equal(tally.preemptions, 1);
    assert_int_equal(bench_dataset(bench, "q", "one").rate.eta_ms, 0);
    assert_int_equal(bench_dataset(bench, "q", "two").rate.eta_ms, -1);
    bench_free(bench);
}

static void test_a_late_result_closes_the_task_unless_the_queue_refuses_it(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();

    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        const char *queue = refuses ? "refuses" : "salvages";
        struct lease_token old;
        struct lease_token newer;
        struct ack_call *ack;

        config.late_results = refuses ? LATE_RESULTS_REFUSE : LATE_RESULTS_SALVAGE;
        bench_queue_with(bench, queue, config);
        bench_publish(bench, queue, "a");
        old = bench_take(bench, queue, "a");
        bench_pass(bench, 60000);
        newer = bench_take(bench, queue, "a");
        assert_int_equal(bench_ack(bench, old, NULL), STATUS_LEASE_LOST); /* it proves nothing */
        ack = bench_ack_call(bench, old, NULL);
        ack->items[0]->committed = true; /* the worker's own sink has it */
        bench_do(bench, &ack->call);
        assert_int_equal(ack->items[0]->status, refuses ? STATUS_LEASE_LOST : STATUS_OK);
        assert_int_equal(ack->items[0]->salvaged, !refuses);
        assert_int_equal(bench_ack(bench, newer, "mine"), refuses ? STATUS_OK : STATUS_LEASE_LOST);
        assert_int_equal(bench_tally(bench, queue).salvaged, !refuses);
        assert_int_equal(bench_tally(bench, queue).done, 1);
    }
    bench_free(bench);
}

static void test_renewing_keeps_a_lease_and_a_lost_one_can_not_be_renewed(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token token;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    token = bench_take(bench, "q", "a");
    for (int i = 0; i < 10; i++) {
        bench_pass(bench, 59999);
        assert_int_equal(bench_renew(bench, token, 0), STATUS_OK);
    }
    assert_int_equal(bench_tally(bench, "q").leased, 1);
    assert_int_equal(bench_renew(bench, token, 1000), STATUS_OK); /* no closer */
    bench_pass(bench, 59999);
    assert_int_equal(bench_tally(bench, "q").leased, 1);
    bench_pass(bench, 1);
    assert_int_equal(bench_tally(bench, "q").losses, 1);
    assert_int_equal(bench_renew(bench, token, 0), STATUS_LEASE_LOST);
    bench_free(bench);
}

static void test_a_checkpoint_goes_with_the_task_until_it_is_done(void **state)
{
    static const size_t sizes[] = {10, 50000};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct bench *bench = bench_new();
        struct checkpoint_call *save;
        struct nack_call *nack;
        struct lease_call *lease;
        struct lease_token token;

        bench_queue(bench, "q");
        bench_publish(bench, "q", "a");
        token = bench_take(bench, "q", "a");
        save = BENCH_CALL(bench, checkpoint_call, &verb_checkpoint);
        save->token = token;
        save->data = bench_bytes(&save->call, sizes[i], 1);
        assert_int_equal(bench_do(bench, &save->call), STATUS_OK);
        assert_true(bench_get(bench, "q", "a")->view.task.has_checkpoint);
        bench_crash(bench);
        bench_pass(bench, 60000);
        lease = bench_lease(bench, "q", 1);
        assert_true(
            slice_equal(lease->tasks[0].checkpoint, bench_bytes(&lease->call, sizes[i], 1)));
        assert_int_equal(bench_checkpoint(bench, token, "old"), STATUS_LEASE_LOST);

        nack = bench_nack_call(bench, bench_token(lease, 0), TASK_NACK_PREEMPTED);
        nack->items[0]->has_checkpoint = true;
        nack->items[0]->checkpoint = bench_bytes(&nack->call, sizes[1 - i], 2);
        bench_do(bench, &nack->call);
        lease = bench_lease(bench, "q", 1);
        assert_true(
            slice_equal(lease->tasks[0].checkpoint, bench_bytes(&lease->call, sizes[1 - i], 2)));
        assert_int_equal(bench_checkpoint(bench, bench_token(lease, 0), ""), STATUS_OK);
        assert_int_equal(bench_rows(bench, STORE_CHECKPOINT), 0);
        assert_int_equal(bench_rows(bench, STORE_CHUNK), 0);
        bench_checkpoint(bench, bench_token(lease, 0), "again");
        bench_ack(bench, bench_token(lease, 0), NULL);
        assert_int_equal(bench_rows(bench, STORE_CHECKPOINT), 0);
        bench_free(bench);
    }
}

static void test_tokens_of_elsewhere_are_lost_leases(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token token;
    struct lease_token other;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    token = bench_take(bench, "q", "a");
    other = token;
    other.seal++;
    assert_int_equal(bench_ack(bench, other, "x"), STATUS_LEASE_LOST);
    other = token;
    other.place.queue += 5;
    assert_int_equal(bench_ack(bench, other, "x"), STATUS_LEASE_LOST);
    other = token;
    other.place.seq += 5;
    assert_int_equal(bench_ack(bench, other, "x"), STATUS_LEASE_LOST);
    other = token;
    other.fence++;
    assert_int_equal(bench_ack(bench, other, "x"), STATUS_LEASE_LOST);
    other.fence = 0;
    assert_int_equal(bench_ack(bench, other, "x"), STATUS_LEASE_LOST);
    assert_int_equal(bench_ack(bench, token, "x"), STATUS_OK);
    bench_free(bench);
}

static void test_a_failure_is_told_and_backs_off_with_jitter(void **state)
{
    struct bench *bench = bench_new();
    struct nack_call *nack;
    struct task_view view;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    nack = bench_nack_call(bench, bench_take(bench, "q", "a"), TASK_NACK_FAILED);
    nack->items[0]->error = text("out of memory");
    bench_do(bench, &nack->call);
    view = bench_get(bench, "q", "a")->view;
    assert_int_equal(view.task.state, TASK_DELAYED);
    assert_true(slice_equal(view.error, text("out of memory")));
    assert_in_range(view.task.at_ms - bench->now_ms, 500, 1000);
    bench_pass(bench, 1000);
    bench_nack(bench, bench_take(bench, "q", "a"), TASK_NACK_PREEMPTED);
    view = bench_get(bench, "q", "a")->view;
    assert_int_equal(view.task.state, TASK_READY);
    assert_true(slice_equal(view.error, text("out of memory"))); /* the last failure's */
    bench_free(bench);
}

static void do_all(struct bench *bench, size_t count)
{
    struct publish_call *published = BENCH_CALL(bench, publish_call, &verb_publish);
    struct lease_call *leased;
    struct ack_call *acks = BENCH_CALL(bench, ack_call, &verb_ack);

    published->queue = text("q");
    published->items = ARENA_ARRAY(published->call.arena, count, struct publish_item);
    published->item_count = count;
    bench_do(bench, &published->call);
    leased = bench_lease(bench, "q", (uint32_t)count);
    assert_int_equal(leased->task_count, count);
    acks->items = ARENA_ARRAY(acks->call.arena, count, struct ack_item *);
    acks->item_count = count;
    for (size_t i = 0; i < count; i++)
        acks->items[i] = bench_ack_item(&acks->call, bench_token(leased, i), NULL);
    bench_do(bench, &acks->call);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(acks->items[i]->status, STATUS_OK);
}

static void test_of_done_tasks_only_the_last_are_kept_for_repeated_acks(void **state)
{
    enum { AT_ONCE = 10000, KEPT = TOMBSTONES_MAX / 4 * 3 };
    struct bench *bench = bench_new();

    (void)state;
    bench_queue(bench, "q");
    for (size_t done = 0; done < TOMBSTONES_MAX; done += AT_ONCE)
        do_all(bench, AT_ONCE);
    bench_run(bench);
    assert_in_range(bench_rows(bench, STORE_ACTIVE), KEPT - AT_ONCE, KEPT);
    assert_int_equal(bench->shard->tombstone_count, bench_rows(bench, STORE_ACTIVE));
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_ack_closes_the_task_and_stores_its_result),
        cmocka_unit_test(test_a_repeated_ack_succeeds_for_a_while),
        cmocka_unit_test(test_results_of_every_size_come_back),
        cmocka_unit_test(test_the_four_counters_are_kept_apart),
        cmocka_unit_test(test_waste_and_use_are_told_by_dataset),
        cmocka_unit_test(test_a_late_result_closes_the_task_unless_the_queue_refuses_it),
        cmocka_unit_test(test_renewing_keeps_a_lease_and_a_lost_one_can_not_be_renewed),
        cmocka_unit_test(test_a_checkpoint_goes_with_the_task_until_it_is_done),
        cmocka_unit_test(test_tokens_of_elsewhere_are_lost_leases),
        cmocka_unit_test(test_a_failure_is_told_and_backs_off_with_jitter),
        cmocka_unit_test(test_of_done_tasks_only_the_last_are_kept_for_repeated_acks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
