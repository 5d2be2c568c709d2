/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_publish.c -- what is stored, once an ID, and in which order it is handed out.
 */
#include "shard_bench.h"
#include "support/check.h"

static void test_an_id_makes_one_task_however_often_it_is_published(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token token;

    (void)state;
    bench_queue(bench, "q");
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_OK);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_DUPLICATE);
    token = bench_take(bench, "q", "a");
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_DUPLICATE);
    bench_crash(bench);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_DUPLICATE);
    assert_int_equal(bench_ack(bench, token, NULL), STATUS_OK);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_DUPLICATE);
    assert_int_equal(bench_tally(bench, "q").published, 1);
    bench_free(bench);
}

static void test_an_id_twice_in_one_request_or_one_batch_makes_one_task(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *calls[2];

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 2; i++) {
        calls[i] = BENCH_CALL(bench, publish_call, &verb_publish);
        calls[i]->queue = text("q");
        calls[i]->items = ARENA_ARRAY(calls[i]->call.arena, 600, struct publish_item);
        calls[i]->item_count = 600;
        for (int k = 0; k < 600; k++) /* 300 apart: in different pieces too */
            calls[i]->items[k].id = text(arena_printf(calls[i]->call.arena, "t%d", k % 300));
        bench_send(bench, &calls[i]->call);
    }
    bench_run(bench);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 600; k++)
            assert_int_equal(calls[i]->items[k].status,
                             i == 0 && k < 300 ? STATUS_OK : STATUS_DUPLICATE);
    assert_int_equal(bench_tally(bench, "q").ready, 300);
    bench_free(bench);
}

static void test_an_id_is_free_again_when_its_time_is_over(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();

    (void)state;
    config.dedup_retention_ms = 60000;
    bench_queue_with(bench, "q", config);
    bench_publish(bench, "q", "a");
    bench_ack(bench, bench_take(bench, "q", "a"), "first");
    bench_pass(bench, 59999);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_DUPLICATE);
    bench_pass(bench, 1);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_OK);
    assert_int_equal(bench_get(bench, "q", "a")->view.task.state, TASK_READY);
    bench_ack(bench, bench_take(bench, "q", "a"), "second");
    assert_true(slice_equal(bench_results(bench, "q")->views[0].data, text("second")));
    assert_int_equal(bench_results(bench, "q")->view_count, 1);
    bench_pass(bench, SWEEP_PAUSE_MS + 60000); /* and the sweep takes the entry away */
    bench_pass(bench, SWEEP_PAUSE_MS);
    assert_int_equal(bench_rows(bench, STORE_ID), 0);
    bench_free(bench);
}

static void test_without_dedup_an_id_is_but_a_name(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();
    struct lease_call *lease;

    (void)state;
    config.dedup = 0;
    bench_queue_with(bench, "q", config);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_OK);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_OK);
    assert_int_equal(bench_rows(bench, STORE_ID), 0);
    lease = bench_lease(bench, "q", 5);
    assert_true(bench_is_task(lease, 0, "a") && bench_is_task(lease, 1, "a"));
    bench_ack(bench, bench_token(lease, 0), "one");
    bench_ack(bench, bench_token(lease, 1), "two");
    assert_int_equal(bench_results(bench, "q")->view_count, 1);
    bench_free(bench);
}

static void test_a_task_without_an_id_gets_one_that_leads_to_it(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct task_get_call *get;
    char id[MADE_ID_BYTES_MAX];

    (void)state;
    bench_queue(bench, "q");
    publish = bench_publish_call(bench, "q", "");
    publish->items[0].body = text("payload");
    publish->items[0].priority = 4;
    bench_do(bench, &publish->call);
    bench_assert_ok(&publish->call);
    made_id_write(publish->items[0].place, publish->queue_created_ms, id);
    assert_int_equal(bench_rows(bench, STORE_ID), 0);
    get = bench_get(bench, "q", id);
    bench_assert_ok(&get->call);
    assert_true(slice_equal(get->view.body, text("payload")));
    bench_ack(bench, bench_token(bench_lease(bench, "q", 1), 0), "its result");
    assert_int_equal(bench_get(bench, "q", id)->view.task.state, TASK_DONE);
    assert_true(slice_equal(bench_results(bench, "q")->views[0].id, text(id)));
    bench_free(bench);
}

static void test_tasks_are_served_by_priority_then_as_published(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct lease_call *lease;
    int last = PRIORITY_MAX + 1;
    uint64_t last_seq = 0;

    (void)state;
    bench_queue(bench, "q");
    publish = BENCH_CALL(bench, publish_call, &verb_publish);
    publish->queue = text("q");
    publish->items = ARENA_ARRAY(publish->call.arena, 400, struct publish_item);
    publish->item_count = 400;
    for (int i = 0; i < 400; i++)
        publish->items[i].priority = (uint8_t)(hash_u64((uint64_t)i) % PRIORITY_COUNT);
    bench_do(bench, &publish->call);
    lease = bench_lease(bench, "q", 400);
    assert_int_equal(lease->task_count, 400);
    for (size_t i = 0; i < 400; i++) {
        struct place place = lease->tasks[i].place;

        assert_true(place.priority < last || (place.priority == last && place.seq > last_seq));
        last = place.priority;
        last_seq = place.seq;
    }
    bench_free(bench);
}

static void test_a_delayed_task_waits_and_keeps_its_place(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    publish = bench_publish_call(bench, "q", "later");
    publish->items[0].delay_ms = 5000;
    bench_do(bench, &publish->call);
    bench_publish_many(bench, "q", "t", 2);
    bench_take(bench, "q", "t0");
    bench_pass(bench, 4999);
    assert_int_equal(bench_tally(bench, "q").delayed, 1);
    lease = bench_lease(bench, "q", 0);
    assert_int_equal(lease->situation.next_change_ms, 1);
    bench_crash(bench);
    bench_pass(bench, 1);
    lease = bench_lease(bench, "q", 2);
    assert_true(bench_is_task(lease, 0, "later")); /* back, so before what was never touched */
    assert_true(bench_is_task(lease, 1, "t1"));
    bench_free(bench);
}

static void test_payloads_of_every_size_come_back(void **state)
{
    static const size_t sizes[] = {
        0, 1, RECORD_INLINE_MAX, RECORD_INLINE_MAX + 1, 4000, 4001, 8000, 8001, 100000, 1048576};
    struct bench *bench = bench_new();

    (void)state;
    bench_queue(bench, "q");
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct publish_call *publish = bench_publish_call(bench, "q", "");
        struct slice body = bench_bytes(&publish->call, sizes[i], i);
        struct lease_call *lease;

        publish->items[0].body = body;
        publish->items[0].attributes_size = (uint32_t)(sizes[i] / 3);
        bench_do(bench, &publish->call);
        bench_assert_ok(&publish->call);
        for (int again = 0; again < 2; again++) { /* from the cursor, then from `returned` */
            lease = bench_lease(bench, "q", 1);
            assert_int_equal(lease->task_count, 1);
            assert_true(slice_equal(lease->tasks[0].body, body));
            assert_int_equal(lease->tasks[0].attributes_size, sizes[i] / 3);
            if (again == 0)
                bench_nack(bench, bench_token(lease, 0), TASK_NACK_RELEASED);
        }
        bench_ack(bench, bench_token(lease, 0), NULL);
        assert_int_equal(bench_rows(bench, STORE_CHUNK), 0);
    }
    bench_free(bench);
}

static void test_datasets_are_made_counted_and_limited(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct dataset_call *list;

    (void)state;
    bench->shard->options.limits.datasets_max = 2;
    bench_queue(bench, "q");
    for (int i = 0; i < 3; i++) {
        publish = bench_publish_call(bench, "q", i == 0 ? "a" : i == 1 ? "b" : "c");
        publish->dataset = text(i == 0 ? "" : i == 1 ? "one" : "two");
        assert_int_equal(bench_do(bench, &publish->call), i < 2 ? STATUS_OK : STATUS_LIMIT_REACHED);
    }
    assert_int_equal(bench_dataset(bench, "q", "one").tally.published, 1);
    assert_int_equal(bench_dataset(bench, "q", "").tally.ready, 1);
    bench_crash(bench);
    list = BENCH_CALL(bench, dataset_call, &verb_dataset_list);
    list->queue = text("q");
    list->all = true;
    bench_do(bench, &list->call);
    assert_int_equal(list->view_count, 2);
    bench_free(bench);
}

static void test_what_the_service_refused_is_passed_over(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;

    (void)state;
    bench_queue(bench, "q");
    publish = BENCH_CALL(bench, publish_call, &verb_publish);
    publish->queue = text("q");
    publish->items = ARENA_ARRAY(publish->call.arena, 3, struct publish_item);
    publish->item_count = 3;
    publish->items[1].refused = true;
    publish->items[1].status = STATUS_TOO_LARGE;
    bench_do(bench, &publish->call);
    assert_int_equal(publish->items[0].status, STATUS_OK);
    assert_int_equal(publish->items[1].status, STATUS_TOO_LARGE);
    assert_int_equal(publish->items[2].status, STATUS_OK);
    assert_int_equal(bench_tally(bench, "q").ready, 2);
    bench_free(bench);
}

static void test_a_store_nearly_full_refuses_publish_and_takes_acks(void **state)
{
    struct bench *bench = bench_new();
    struct store_usage usage;
    struct lease_call *lease;
    struct publish_call *publish;

    (void)state;
    bench_queue(bench, "q");
    publish = BENCH_CALL(bench, publish_call, &verb_publish);
    publish->queue = text("q");
    publish->items = ARENA_ARRAY(publish->call.arena, 100, struct publish_item);
    publish->item_count = 100;
    for (unsigned i = 0; i < 100; i++)
        publish->items[i].body = bench_bytes(&publish->call, 3000, i);
    bench_do(bench, &publish->call);
    assert_int_equal(store_usage(bench->store, &usage), STATUS_OK);
    store_mem_set_max(bench->store, usage.used_bytes * 100 / 90);
    bench_pass(bench, 1000);
    publish = bench_publish_call(bench, "q", "more");
    assert_int_equal(bench_do(bench, &publish->call), STATUS_STORE_FULL);
    lease = bench_lease(bench, "q", 30);
    assert_int_equal(lease->task_count, 30);
    for (size_t i = 0; i < 30; i++)
        assert_int_equal(bench_ack(bench, bench_token(lease, i), NULL), STATUS_OK);
    bench_pass(bench, 1000); /* the store's usage is looked at now and then */
    assert_int_equal(bench_publish(bench, "q", "more"), STATUS_OK);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_id_makes_one_task_however_often_it_is_published),
        cmocka_unit_test(test_an_id_twice_in_one_request_or_one_batch_makes_one_task),
        cmocka_unit_test(test_an_id_is_free_again_when_its_time_is_over),
        cmocka_unit_test(test_without_dedup_an_id_is_but_a_name),
        cmocka_unit_test(test_a_task_without_an_id_gets_one_that_leads_to_it),
        cmocka_unit_test(test_tasks_are_served_by_priority_then_as_published),
        cmocka_unit_test(test_a_delayed_task_waits_and_keeps_its_place),
        cmocka_unit_test(test_payloads_of_every_size_come_back),
        cmocka_unit_test(test_datasets_are_made_counted_and_limited),
        cmocka_unit_test(test_what_the_service_refused_is_passed_over),
        cmocka_unit_test(test_a_store_nearly_full_refuses_publish_and_takes_acks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
