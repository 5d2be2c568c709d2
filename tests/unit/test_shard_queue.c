/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_queue.c -- queues: made, changed, paused, purged in steps, deleted in the background,
 * and made anew under the old name.
 */
#include "shard_bench.h"
#include "support/check.h"

static struct queue_call *create_call(struct bench *bench, const char *name)
{
    struct queue_call *call = BENCH_CALL(bench, queue_call, &verb_queue_create);

    call->name = text(name);
    call->config = queue_config_default();
    return call;
}

static void test_creating_again_is_fine_with_the_same_config_alone(void **state)
{
    struct bench *bench = bench_new();
    struct queue_call *call = create_call(bench, "q");

    (void)state;
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    assert_true(call->created);
    call = create_call(bench, "q");
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    assert_false(call->created);
    call = create_call(bench, "q");
    call->config.lease_ms = 5000;
    assert_int_equal(bench_do(bench, &call->call), STATUS_QUEUE_EXISTS);
    assert_int_equal(bench_view(bench, "q").config.lease_ms, 60000);
    bench_free(bench);
}

static void test_an_update_changes_what_is_set_and_refuses_whole(void **state)
{
    struct bench *bench = bench_new();
    struct queue_call *call;

    (void)state;
    bench_queue(bench, "q");
    call = BENCH_CALL(bench, queue_call, &verb_queue_update);
    call->name = text("q");
    call->set[0] = true;
    call->config.lease_ms = 5000;
    call->config.max_failures = 99; /* not set */
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    assert_int_equal(call->view.config.lease_ms, 5000);
    assert_int_equal(call->view.config.max_failures, 5);

    call = BENCH_CALL(bench, queue_call, &verb_queue_update);
    call->name = text("q");
    call->set[0] = call->set[3] = true;
    call->config.lease_ms = 7000;
    call->config.backoff_min_ms = 700000; /* more than backoff_max_ms */
    assert_int_equal(bench_do(bench, &call->call), STATUS_INVALID);
    assert_int_equal(bench_view(bench, "q").config.lease_ms, 5000);

    call = BENCH_CALL(bench, queue_call, &verb_queue_update);
    call->name = text("q");
    call->set[5] = true;
    call->config.dedup = 0;
    assert_int_equal(bench_do(bench, &call->call), STATUS_INVALID);
    bench_free(bench);
}

static void test_a_paused_queue_hands_nothing_out_and_takes_all_else(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token token;
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 2);
    token = bench_take(bench, "q", "t0");
    assert_int_equal(bench_queue_verb(bench, "q", &verb_queue_pause), STATUS_OK);
    lease = bench_lease(bench, "q", 1);
    assert_int_equal(lease->task_count, 0);
    assert_true(lease->situation.paused);
    assert_int_equal(lease->situation.ready, 1);
    assert_int_equal(bench_publish(bench, "q", "more"), STATUS_OK);
    assert_int_equal(bench_ack(bench, token, NULL), STATUS_OK);
    bench_crash(bench);
    assert_true(bench_view(bench, "q").paused);
    assert_int_equal(bench_queue_verb(bench, "q", &verb_queue_resume), STATUS_OK);
    bench_take(bench, "q", "t1");
    bench_free(bench);
}

static struct queue_purge_call *purge_call(struct bench *bench, const char *dataset)
{
    struct queue_purge_call *call = BENCH_CALL(bench, queue_purge_call, &verb_queue_purge);

    call->name = text("q");
    call->any_dataset = dataset == NULL;
    call->dataset = text(dataset == NULL ? "" : dataset);
    return call;
}

static void test_a_purge_removes_what_is_not_leased_and_spares_what_comes_meanwhile(void **state)
{
    struct bench *bench = bench_new();
    struct queue_purge_call *purge;
    struct publish_call *publish;
    struct lease_call *lease;
    struct tally tally;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 700);
    lease = bench_lease(bench, "q", 3);
    bench_nack(bench, bench_token(lease, 0), TASK_NACK_RELEASED); /* returned */
    bench_nack(bench, bench_token(lease, 1), TASK_NACK_FAILED);   /* delayed */
    bench_cancel(bench, "q", "t500");                             /* dead */
    purge = purge_call(bench, NULL);
    bench_send(bench, &purge->call);
    assert_true(bench_step(bench));
    publish = bench_publish_call(bench, "q", "new");
    publish->items[0].priority = 0;
    bench_send(bench, &publish->call);
    bench_run(bench);
    bench_assert_ok(&purge->call);
    assert_int_equal(purge->call.progress.count, 698);
    tally = bench_tally(bench, "q");
    assert_int_equal(tally.ready, 1);
    assert_int_equal(tally.delayed, 0);
    assert_int_equal(tally.leased, 1);
    assert_int_equal(tally.dead, 1);
    assert_int_equal(tally.purged, 698);
    assert_int_equal(bench_rows(bench, STORE_ID), 3);
    assert_int_equal(bench_publish(bench, "q", "t7"), STATUS_OK); /* its ID is free again */
    bench_take(bench, "q", "new");
    bench_free(bench);
}

static void test_a_purge_of_one_dataset_spares_the_others(void **state)
{
    struct bench *bench = bench_new();
    struct queue_purge_call *purge = NULL;
    static const char *const names[] = {"one", "two"};

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 2; i++) {
        struct publish_call *call = bench_publish_call(bench, "q", names[i]);

        call->dataset = text(names[i]);
        bench_do(bench, &call->call);
    }
    purge = purge_call(bench, "one");
    bench_do(bench, &purge->call);
    bench_assert_ok(&purge->call);
    assert_int_equal(purge->call.progress.count, 1);
    assert_int_equal(bench_dataset(bench, "q", "one").tally.purged, 1);
    assert_int_equal(bench_dataset(bench, "q", "two").tally.ready, 1);
    bench_take(bench, "q", "two");
    bench_free(bench);
}

static void test_a_deleted_queue_leaves_nothing_behind(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "other");
    bench_publish(bench, "other", "stays");
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 600);
    publish = bench_publish_call(bench, "q", "large");
    publish->items[0].body = bench_bytes(&publish->call, 50000, 1);
    publish->items[0].delay_ms = 10000;
    bench_do(bench, &publish->call);
    lease = bench_lease_in(bench, "q", 5, bench_session(bench, "q", 15000));
    bench_ack(bench, bench_token(lease, 0), "result");
    bench_nack(bench, bench_token(lease, 1), TASK_NACK_FAILED);
    bench_checkpoint(bench, bench_token(lease, 2), "half way");
    bench_cancel(bench, "q", "t300");
    bench_lease(bench, "q", 5);
    assert_int_equal(bench_queue_verb(bench, "q", &verb_queue_delete), STATUS_OK);
    assert_int_equal(bench_queue_verb(bench, "q", &verb_queue_get), STATUS_QUEUE_NOT_FOUND);
    bench_pass(bench, 3600000);
    assert_int_equal(bench->shard->queue_count, 1);
    assert_int_equal(bench_rows(bench, STORE_TASK), 1);
    assert_int_equal(bench_rows(bench, STORE_ID), 1);
    assert_int_equal(bench_rows(bench, STORE_QUEUE), 1);
    assert_int_equal(bench_rows(bench, STORE_DATASET), 1);
    for (enum store_table table = STORE_ACTIVE; table < STORE_TABLE_COUNT; table++)
        if (table != STORE_ID)
            assert_int_equal(bench_rows(bench, table), 0);
    bench_take(bench, "other", "stays");
    bench_free(bench);
}

static void test_a_queue_made_anew_knows_nothing_of_the_old_one(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token old;
    struct publish_call *made;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    old = bench_take(bench, "q", "a");
    bench_queue_verb(bench, "q", &verb_queue_delete);
    bench->now_ms++;
    bench_queue(bench, "q");
    assert_int_equal(bench_tally(bench, "q").published, 0);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_OK);
    assert_int_equal(bench_ack(bench, old, "old"), STATUS_LEASE_LOST);
    assert_int_equal(bench_nack(bench, old, TASK_NACK_RELEASED), STATUS_LEASE_LOST);
    assert_int_equal(bench_renew(bench, old, 5000), STATUS_LEASE_LOST);
    assert_int_equal(bench_checkpoint(bench, old, "x"), STATUS_LEASE_LOST);
    made = bench_publish_call(bench, "q", "");
    bench_do(bench, &made->call);
    assert_int_equal(made->items[0].place.seq, 2);
    bench_take(bench, "q", "a");
    bench_free(bench);
}

static void test_deleted_and_made_anew_in_one_batch(void **state)
{
    struct bench *bench = bench_new();
    struct queue_call *calls[4];
    const struct verb *verbs[] = {&verb_queue_delete, &verb_queue_create, &verb_queue_delete,
                                  &verb_queue_create};

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "old");
    for (int fails = 0; fails < 2; fails++) {
        for (int i = 0; i < 4; i++) {
            calls[i] = create_call(bench, "q");
            calls[i]->call.verb = verbs[i];
            bench_send(bench, &calls[i]->call);
        }
        if (fails)
            store_mem_fault(bench->store, STORE_MEM_FAULT_COMMIT_FULL, 1);
        bench_run(bench);
        for (int i = 0; i < 4; i++)
            bench_assert_ok(&calls[i]->call);
        assert_int_equal(bench_tally(bench, "q").published, 0);
        assert_int_equal(bench->shard->queue_count, 1);
        assert_int_equal(bench_publish(bench, "q", "new"), STATUS_OK);
    }
    bench_free(bench);
}

/* Long work belongs to the queue it began with, not to its name. */
static void test_a_purge_ends_with_its_queue(void **state)
{
    struct bench *bench = bench_new();
    struct queue_purge_call *purge;
    struct queue_call *call;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 1000);
    purge = purge_call(bench, NULL);
    bench_send(bench, &purge->call);
    assert_true(bench_step(bench));
    call = create_call(bench, "q");
    list_append(bench->shard->inbox.next, &call->call.link);
    call = create_call(bench, "q");
    call->call.verb = &verb_queue_delete;
    list_append(bench->shard->inbox.next, &call->call.link); /* delete, create, purge */
    bench_run(bench);
    assert_true(bench_is_answered(&purge->call));
    assert_int_equal(purge->call.error.status, STATUS_QUEUE_NOT_FOUND);
    assert_int_equal(bench_tally(bench, "q").purged, 0);
    bench_free(bench);
}

static void test_a_redrive_ends_with_its_queue(void **state)
{
    struct bench *bench = bench_new();
    struct dead_change_call *change;
    struct queue_call *call;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 300);
    for (size_t i = 0; i < 300; i++)
        bench_cancel(bench, "q",
                     arena_printf(bench_publish_call(bench, "q", "")->call.arena, "t%zu", i));
    assert_int_equal(bench_tally(bench, "q").dead, 300);
    change = BENCH_CALL(bench, dead_change_call, &verb_dead_redrive);
    change->queue = text("q");
    change->any_dataset = true;
    bench_send(bench, &change->call);
    assert_true(bench_step(bench));
    call = create_call(bench, "q");
    list_append(bench->shard->inbox.next, &call->call.link);
    call = create_call(bench, "q");
    call->call.verb = &verb_queue_delete;
    list_append(bench->shard->inbox.next, &call->call.link);
    bench_run(bench);
    assert_true(bench_is_answered(&change->call));
    assert_int_equal(change->call.error.status, STATUS_QUEUE_NOT_FOUND);
    assert_int_equal(bench_tally(bench, "q").ready, 0);
    bench_free(bench);
}

static void test_a_half_deleted_queue_goes_on_going_after_a_crash(void **state)
{
    (void)state;
    for (int steps = 1; steps <= 9; steps += 2) {
        struct bench *bench = bench_new();
        struct queue_call *call;

        bench_queue(bench, "q");
        bench_publish_many(bench, "q", "t", 2000);
        bench_lease(bench, "q", 10); /* with deadlines of their own */
        bench_lease_in(bench, "q", 10, bench_session(bench, "q", 3600000));
        call = create_call(bench, "q");
        call->call.verb = &verb_queue_delete;
        bench_send(bench, &call->call);
        for (int i = 0; i < steps; i++)
            assert_true(bench_step(bench));
        bench_crash(bench);
        assert_int_equal(bench->shard->leases.count, 0);
        bench_run(bench);
        assert_int_equal(bench->shard->queue_count, 0);
        assert_int_equal(bench_rows(bench, STORE_TASK), 0);
        assert_int_equal(bench_rows(bench, STORE_SESSION), 0);
        bench_pass(bench, 3600000);
        bench_queue(bench, "q");
        bench_free(bench);
    }
}

static void test_queues_are_limited_and_listed(void **state)
{
    struct bench *bench = bench_new();
    struct queue_list_call *list;
    struct queue_call *call;

    (void)state;
    bench->shard->options.limits.queues_max = 2;
    bench_queue(bench, "a");
    bench_queue(bench, "b");
    call = create_call(bench, "c");
    assert_int_equal(bench_do(bench, &call->call), STATUS_LIMIT_REACHED);
    list = BENCH_CALL(bench, queue_list_call, &verb_queue_list);
    bench_do(bench, &list->call);
    assert_int_equal(list->view_count, 2);
    bench_queue_verb(bench, "a", &verb_queue_delete);
    list = BENCH_CALL(bench, queue_list_call, &verb_queue_list);
    bench_do(bench, &list->call);
    assert_int_equal(list->view_count, 1);
    assert_true(slice_equal(list->views[0].name, text("b")));
    bench_queue(bench, "c");
    bench_free(bench);
}

static void test_queue_numbers_never_run_into_another_shards(void **state)
{
    struct bench *bench = bench_new();
    struct queue_call *call;

    (void)state;
    bench->shard->meta.next_queue = (UINT32_C(1) << 26) - 1;
    bench_queue(bench, "last");
    call = create_call(bench, "one too many");
    call->name = text("over");
    assert_int_equal(bench_do(bench, &call->call), STATUS_LIMIT_REACHED);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creating_again_is_fine_with_the_same_config_alone),
        cmocka_unit_test(test_an_update_changes_what_is_set_and_refuses_whole),
        cmocka_unit_test(test_a_paused_queue_hands_nothing_out_and_takes_all_else),
        cmocka_unit_test(test_a_purge_removes_what_is_not_leased_and_spares_what_comes_meanwhile),
        cmocka_unit_test(test_a_purge_of_one_dataset_spares_the_others),
        cmocka_unit_test(test_a_deleted_queue_leaves_nothing_behind),
        cmocka_unit_test(test_a_queue_made_anew_knows_nothing_of_the_old_one),
        cmocka_unit_test(test_deleted_and_made_anew_in_one_batch),
        cmocka_unit_test(test_a_purge_ends_with_its_queue),
        cmocka_unit_test(test_a_redrive_ends_with_its_queue),
        cmocka_unit_test(test_a_half_deleted_queue_goes_on_going_after_a_crash),
        cmocka_unit_test(test_queues_are_limited_and_listed),
        cmocka_unit_test(test_queue_numbers_never_run_into_another_shards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
