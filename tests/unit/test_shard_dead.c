/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_dead.c -- dead letters: how tasks come there, and how they leave; and cancelling.
 */
#include "shard_bench.h"
#include "support/check.h"

static void test_failures_and_losses_kill_each_at_its_own_cap(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();
    struct dead_list_call *dead;

    (void)state;
    config.max_failures = 2;
    config.max_losses = 3;
    config.backoff_min_ms = config.backoff_max_ms = 0;
    bench_queue_with(bench, "q", config);
    bench_publish(bench, "q", "fails");
    for (int i = 0; i < 2; i++)
        bench_nack(bench, bench_take(bench, "q", "fails"), TASK_NACK_FAILED);
    bench_publish(bench, "q", "kills");
    for (int i = 0; i < 3; i++) {
        bench_take(bench, "q", "kills");
        bench_pass(bench, 60000);
    }
    bench_publish(bench, "q", "preempted");
    for (int i = 0; i < 50; i++)
        bench_nack(bench, bench_take(bench, "q", "preempted"), TASK_NACK_PREEMPTED);
    dead = bench_dead(bench, "q");
    assert_int_equal(dead->view_count, 2);
    assert_int_equal(dead->views[0].reason, DEAD_FAILURES);
    assert_int_equal(dead->views[1].reason, DEAD_LOSSES);
    assert_int_equal(dead->views[1].view.task.losses, 3);
    assert_int_equal(bench_tally(bench, "q").ready, 1);
    bench_free(bench);
}

static void test_a_permanent_failure_goes_there_at_once_with_its_error(void **state)
{
    struct bench *bench = bench_new();
    struct nack_call *nack;
    struct dead_list_call *dead;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    nack = bench_nack_call(bench, bench_take(bench, "q", "a"), TASK_NACK_FAILED);
    nack->items[0]->permanent = true;
    nack->items[0]->error = text("no such file");
    bench_do(bench, &nack->call);
    dead = bench_dead(bench, "q");
    assert_true(slice_equal(dead->views[0].view.error, text("no such file")));
    assert_int_equal(dead->views[0].dead_ms, bench->now_ms);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_DUPLICATE);
    bench_free(bench);
}

static void test_a_redrive_makes_them_ready_and_forgives(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct lease_token old;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 300);
    lease = bench_lease(bench, "q", 150);
    old = bench_token(lease, 0);
    for (size_t i = 0; i < 150; i++) {
        struct nack_call *nack = bench_nack_call(bench, bench_token(lease, i), TASK_NACK_FAILED);

        nack->items[0]->permanent = true;
        nack->items[0]->error = text(i < 100 ? "one" : "two");
        bench_do(bench, &nack->call);
    }
    bench_cancel(bench, "q", "t299");
    assert_int_equal(bench_change_dead(bench, "q", &verb_dead_redrive, DEAD_LOSSES), 0);
    assert_int_equal(bench_change_dead(bench, "q", &verb_dead_redrive, DEAD_FAILURES), 150);
    lease = bench_lease(bench, "q", 1);
    assert_true(bench_is_task(lease, 0, "t0"));
    assert_int_equal(lease->tasks[0].task.failures, 0);
    assert_int_equal(lease->tasks[0].task.fence, 2);
    assert_int_equal(bench_nack(bench, old, TASK_NACK_RELEASED), STATUS_LEASE_LOST);
    assert_int_equal(bench_tally(bench, "q").dead, 1);
    bench_free(bench);
}

static void test_dead_letters_are_chosen_by_error_dataset_or_id(void **state)
{
    struct bench *bench = bench_new();
    struct dead_change_call *change;

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 6; i++) {
        struct publish_call *publish = BENCH_CALL(bench, publish_call, &verb_publish);
        struct nack_call *nack;

        publish->queue = text("q");
        publish->dataset = text(i < 3 ? "one" : "two");
        publish->items = ARENA_NEW(publish->call.arena, struct publish_item);
        publish->items[0].id = text(arena_printf(publish->call.arena, "t%d", i));
        publish->item_count = 1;
        bench_do(bench, &publish->call);
        nack = bench_nack_call(bench, bench_token(bench_lease(bench, "q", 1), 0), TASK_NACK_FAILED);
        nack->items[0]->permanent = true;
        nack->items[0]->error = text(i % 2 == 0 ? "even" : "odd");
        bench_do(bench, &nack->call);
    }
    change = BENCH_CALL(bench, dead_change_call, &verb_dead_delete);
    change->queue = text("q");
    change->dataset = text("one");
    change->error = text("even"); /* t0 t2 */
    bench_do(bench, &change->call);
    assert_int_equal(change->call.progress.count, 2);
    assert_int_equal(bench_dataset(bench, "q", "one").tally.purged, 2);

    change = BENCH_CALL(bench, dead_change_call, &verb_dead_redrive);
    change->queue = text("q");
    change->any_dataset = true;
    change->ids = ARENA_ARRAY(change->call.arena, 4, struct slice);
    change->ids[0] = text("t1");
    change->ids[1] = text("t0"); /* gone */
    change->ids[2] = text("t4");
    change->ids[3] = text("t1"); /* ready by now */
    change->id_count = 4;
    bench_do(bench, &change->call);
    assert_int_equal(change->call.progress.count, 2);
    assert_int_equal(bench_publish(bench, "q", "t0"), STATUS_OK); /* deleted: its ID is free */
    assert_int_equal(bench_publish(bench, "q", "t3"), STATUS_DUPLICATE);
    assert_int_equal(bench_tally(bench, "q").dead, 2);
    bench_free(bench);
}

static void test_cancelling_reaches_every_open_task(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *later;
    struct lease_token token;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 4);
    later = bench_publish_call(bench, "q", "later");
    later->items[0].delay_ms = 60000;
    bench_do(bench, &later->call);
    token = bench_take(bench, "q", "t0");
    bench_ack(bench, bench_take(bench, "q", "t1"), NULL);
    assert_int_equal(bench_cancel(bench, "q", "t0"), STATUS_OK);    /* leased */
    assert_int_equal(bench_cancel(bench, "q", "t2"), STATUS_OK);    /* ready */
    assert_int_equal(bench_cancel(bench, "q", "later"), STATUS_OK); /* delayed */
    assert_int_equal(bench_cancel(bench, "q", "t1"), STATUS_WRONG_STATE);
    assert_int_equal(bench_cancel(bench, "q", "t2"), STATUS_WRONG_STATE);
    assert_int_equal(bench_cancel(bench, "q", "nobody"), STATUS_TASK_NOT_FOUND);
    assert_int_equal(bench_ack(bench, token, "too late"), STATUS_LEASE_LOST);
    assert_int_equal(bench_dead(bench, "q")->view_count, 3);
    bench_take(bench, "q", "t3"); /* the cursor goes past the cancelled one */
    bench_pass(bench, 60000);
    assert_int_equal(bench_tally(bench, "q").dead, 3);
    bench_free(bench);
}

static void test_a_page_ends_where_the_next_begins(void **state)
{
    struct bench *bench = bench_new();
    struct slice from = SLICE_EMPTY;
    size_t seen = 0;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 100);
    for (int i = 0; i < 100; i++)
        bench_cancel(bench, "q",
                     arena_printf(bench_publish_call(bench, "q", "")->call.arena, "t%d", i));
    do {
        struct dead_list_call *list = BENCH_CALL(bench, dead_list_call, &verb_dead_list);

        list->queue = text("q");
        list->any_dataset = true;
        list->page_size = 7;
        list->from = from;
        bench_do(bench, &list->call);
        bench_assert_ok(&list->call);
        for (size_t i = 0; i < list->view_count; i++)
            assert_int_equal(list->views[i].view.place.seq, ++seen);
        from = list->next;
    } while (from.size > 0);
    assert_int_equal(seen, 100);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_and_losses_kill_each_at_its_own_cap),
        cmocka_unit_test(test_a_permanent_failure_goes_there_at_once_with_its_error),
        cmocka_unit_test(test_a_redrive_makes_them_ready_and_forgives),
        cmocka_unit_test(test_dead_letters_are_chosen_by_error_dataset_or_id),
        cmocka_unit_test(test_cancelling_reaches_every_open_task),
        cmocka_unit_test(test_a_page_ends_where_the_next_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
