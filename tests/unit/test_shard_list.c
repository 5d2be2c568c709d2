/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_list.c -- what operators look at: tasks and results in pages, by filters, with the
 * reply's room as a bound; and how long results are kept.
 */
#include <stdio.h>

#include "shard_bench.h"
#include "support/check.h"

static struct task_list_call *list_call(struct bench *bench, const char *queue, uint32_t page_size)
{
    struct task_list_call *call = BENCH_CALL(bench, task_list_call, &verb_task_list);

    call->queue = text(queue);
    call->any_dataset = true;
    call->page_size = page_size;
    return call;
}

static size_t count_state(struct bench *bench, enum task_state state)
{
    struct task_list_call *call = list_call(bench, "q", PAGE_SIZE_MAX);

    call->state = state;
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    assert_int_equal(call->next.size, 0);
    return call->view_count;
}

static void test_tasks_are_listed_by_state(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 10);
    lease = bench_lease(bench, "q", 4);
    bench_ack(bench, bench_token(lease, 0), NULL);
    bench_nack(bench, bench_token(lease, 1), TASK_NACK_FAILED);
    bench_nack(bench, bench_token(lease, 2), TASK_NACK_RELEASED);
    bench_cancel(bench, "q", "t9");
    assert_int_equal(count_state(bench, TASK_READY), 6);
    assert_int_equal(count_state(bench, TASK_DELAYED), 1);
    assert_int_equal(count_state(bench, TASK_LEASED), 1);
    assert_int_equal(count_state(bench, TASK_DEAD), 1);
    assert_int_equal(count_state(bench, TASK_DONE), 0);
    assert_int_equal(count_state(bench, TASK_NONE), 9);
    bench_free(bench);
}

/* Though a page looks at 20,000 rows at most. */
static void test_done_tasks_do_not_stand_before_those_asked_for(void **state)
{
    struct bench *bench = bench_new();
    char stem[8];

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 21; i++) {
        struct lease_call *lease;

        (void)snprintf(stem, sizeof stem, "t%d-", i);
        bench_publish_many(bench, "q", stem, 1000);
        lease = bench_lease(bench, "q", 1000);
        for (uint32_t k = 0; k < 1000; k++)
            bench_ack(bench, bench_token(lease, k), NULL);
    }
    bench_publish_many(bench, "q", "last", 2);
    bench_lease(bench, "q", 1);
    assert_true(bench_rows(bench, STORE_ACTIVE) > 20000);
    assert_int_equal(count_state(bench, TASK_LEASED), 1);
    bench_cancel(bench, "q", "last1");
    assert_int_equal(count_state(bench, TASK_DEAD), 1);
    bench_free(bench);
}

static void test_pages_cover_a_queue_and_no_other(void **state)
{
    struct bench *bench = bench_new();
    struct slice from = SLICE_EMPTY;
    struct slice first = SLICE_EMPTY;
    size_t seen = 0;

    (void)state;
    bench_queue(bench, "before");
    bench_queue(bench, "q");
    bench_queue(bench, "after");
    bench_publish_many(bench, "before", "x", 5);
    bench_publish_many(bench, "q", "t", 50);
    bench_publish_many(bench, "after", "y", 5);
    do {
        struct task_list_call *call = list_call(bench, "q", 8);

        call->from = from;
        bench_do(bench, &call->call);
        bench_assert_ok(&call->call);
        for (size_t i = 0; i < call->view_count; i++)
            assert_int_equal(call->views[i].place.seq, ++seen);
        from = call->next;
        if (first.size == 0)
            first = from;
    } while (from.size > 0);
    assert_int_equal(seen, 50);
    for (int i = 0; i < 2; i++) { /* a page's key belongs to its queue */
        struct task_list_call *call = list_call(bench, i == 0 ? "before" : "after", 100);

        call->from = first;
        bench_do(bench, &call->call);
        bench_assert_ok(&call->call);
        assert_int_equal(call->view_count, i == 0 ? 0 : 5);
        for (size_t k = 0; k < call->view_count; k++)
            assert_true(call->views[k].id.data[0] == 'y');
    }
    bench_free(bench);
}

/* Arenas of every size: each page is whole or refused, and the sanitizer watches. */
static void test_a_page_ends_where_its_reply_has_no_room(void **state)
{
    struct bench *bench = bench_new();

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 20; i++) {
        struct publish_call *publish = bench_publish_call(bench, "q", "");
        char *id = arena_printf(publish->call.arena, "a-task-with-a-rather-long-name-%d", i);

        publish->items[0].id = text(id);
        publish->dataset = text("a dataset with a name");
        publish->items[0].body = bench_bytes(&publish->call, 100, 1);
        bench_do(bench, &publish->call);
    }
    for (size_t room = 0; room < 8000; room += 16) {
        struct task_list_call *call = list_call(bench, "q", 20);

        call->with_body = room % 32 == 0;
        arena_set_max(call->call.arena, call->call.arena->used_bytes + room);
        bench_do(bench, &call->call);
        if (call->call.error.status != STATUS_OK) {
            assert_int_equal(call->call.error.status, STATUS_TOO_LARGE);
            continue;
        }
        assert_true(call->view_count == 20 || call->next.size > 0);
        for (size_t i = 0; i < call->view_count; i++) {
            assert_non_null(call->views[i].id.data);
            assert_non_null(call->views[i].dataset.data);
            assert_int_equal(call->views[i].id.data[0], 'a');
        }
    }
    bench_free(bench);
}

/* ---- results ---- */

static void finish(struct bench *bench, const char *id, const char *result)
{
    assert_int_equal(bench_publish(bench, "q", id), STATUS_OK);
    assert_int_equal(bench_ack(bench, bench_take(bench, "q", id), result), STATUS_OK);
}

static struct result_list_call *result_call(struct bench *bench, uint32_t page_size)
{
    struct result_list_call *call = BENCH_CALL(bench, result_list_call, &verb_result_list);

    call->queue = text("q");
    call->any_dataset = true;
    call->page_size = page_size;
    return call;
}

static void test_results_are_listed_by_id_in_pages(void **state)
{
    struct bench *bench = bench_new();
    struct slice from = SLICE_EMPTY;
    char longest[TASK_ID_BYTES_MAX + 1];
    int pages = 0;
    size_t seen = 0;

    (void)state;
    bench_queue(bench, "q");
    memset(longest, 'z', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (int i = 0; i < 10; i++) {
        char id[8] = {(char)('j' - i), '\0'};

        finish(bench, id, id);
    }
    finish(bench, longest, "longest");
    longest[0] = 'y';
    finish(bench, longest, "longest but one");
    do {
        struct result_list_call *call = result_call(bench, 1);

        call->from = from;
        bench_do(bench, &call->call);
        bench_assert_ok(&call->call);
        if (call->view_count > 0 && seen < 10)
            assert_int_equal(call->views[0].id.data[0], 'a' + seen);
        seen += call->view_count;
        from = call->next;
        assert_true(++pages < 20);
    } while (from.size > 0);
    assert_int_equal(seen, 12);
    bench_free(bench);
}

static void test_results_are_asked_for_by_id(void **state)
{
    struct bench *bench = bench_new();
    struct result_list_call *call = NULL;

    (void)state;
    bench_queue(bench, "q");
    finish(bench, "a", "A");
    finish(bench, "b", NULL); /* done without a result */
    finish(bench, "c", "C");
    call = result_call(bench, 0);
    call->ids = ARENA_ARRAY(call->call.arena, 4, struct slice);
    call->ids[0] = text("c");
    call->ids[1] = text("b");
    call->ids[2] = text("nobody");
    call->ids[3] = text("a");
    call->id_count = 4;
    call->ids_only = true;
    bench_do(bench, &call->call);
    assert_int_equal(call->view_count, 2);
    assert_true(slice_equal(call->views[0].id, text("c")));
    assert_int_equal(call->views[0].data.size, 0);
    bench_free(bench);
}

static void test_results_are_kept_as_long_as_the_queue_says(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();

    (void)state;
    config.result_retention_ms = 60000;
    bench_queue_with(bench, "q", config);
    bench_queue(bench, "for ever");
    bench_publish(bench, "q", "a");
    bench_publish(bench, "for ever", "a");
    bench_ack(bench, bench_take(bench, "q", "a"), "A");
    bench_ack(bench, bench_take(bench, "for ever", "a"), "A");
    bench_pass(bench, 59999);
    assert_int_equal(bench_results(bench, "q")->view_count, 1);
    bench_pass(bench, 1);
    assert_int_equal(bench_results(bench, "q")->view_count, 0);
    assert_false(bench_get(bench, "q", "a")->view.has_result);
    for (int i = 0; i < 4; i++)
        bench_pass(bench, SWEEP_PAUSE_MS / 2); /* a pass over both tables takes its record away */
    assert_int_equal(bench_rows(bench, STORE_RESULT), 1);
    assert_int_equal(bench_results(bench, "for ever")->view_count, 1);
    bench_free(bench);
}

/* More than a piece of the sweep, some to go and some to stay. */
static void test_a_sweep_covers_a_large_table(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();
    struct lease_call *lease;

    (void)state;
    config.result_retention_ms = 60000;
    config.dedup_retention_ms = 60000;
    bench_queue_with(bench, "q", config);
    bench_publish_many(bench, "q", "t", 900);
    lease = bench_lease(bench, "q", 600);
    for (size_t i = 0; i < 600; i++) {
        struct ack_call *ack = bench_ack_call(bench, bench_token(lease, i), "");

        ack->items[0]->result = bench_bytes(&ack->call, i % 10 == 0 ? 9000 : 10, 1);
        bench_do(bench, &ack->call);
    }
    assert_int_equal(bench_rows(bench, STORE_ID), 900);
    for (int i = 0; i < 30; i++)
        bench_pass(bench, i % 10 == 0 ? SWEEP_PAUSE_MS : 20); /* piece by piece */
    assert_int_equal(bench_rows(bench, STORE_ID), 300);
    assert_int_equal(bench_rows(bench, STORE_RESULT), 0);
    assert_int_equal(bench_rows(bench, STORE_CHUNK), 0);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_are_listed_by_state),
        cmocka_unit_test(test_done_tasks_do_not_stand_before_those_asked_for),
        cmocka_unit_test(test_pages_cover_a_queue_and_no_other),
        cmocka_unit_test(test_a_page_ends_where_its_reply_has_no_room),
        cmocka_unit_test(test_results_are_listed_by_id_in_pages),
        cmocka_unit_test(test_results_are_asked_for_by_id),
        cmocka_unit_test(test_results_are_kept_as_long_as_the_queue_says),
        cmocka_unit_test(test_a_sweep_covers_a_large_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
