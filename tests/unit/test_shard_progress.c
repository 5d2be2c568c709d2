/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_progress.c -- leases that are kept and come no nearer to their end.
 */
#include "shard_bench.h"
#include "support/check.h"

static int64_t progress_of(struct bench *bench, const char *id)
{
    return bench_get(bench, "q", id)->view.progress_ms;
}

static int64_t oldest_age_ms(struct bench *bench)
{
    struct figures_call *call = BENCH_CALL(bench, figures_call, &verb_figures);

    call->max = 10;
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    return call->queues[0].oldest_progress_age_ms;
}

/* How many are leased and without progress for so long. */
static size_t stalled(struct bench *bench, int64_t min_ms)
{
    struct task_list_call *call = BENCH_CALL(bench, task_list_call, &verb_task_list);

    call->queue = text("q");
    call->state = TASK_LEASED;
    call->any_dataset = true;
    call->min_stalled_ms = min_ms;
    call->page_size = 100;
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    return call->view_count;
}

static struct session_call *beat(struct bench *bench, uint64_t session, struct lease_token token)
{
    struct session_call *call = BENCH_CALL(bench, session_call, &verb_session_heartbeat);

    call->session = session;
    call->progress = ARENA_NEW(call->call.arena, struct lease_token);
    call->progress[0] = token;
    call->progress_count = 1;
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    return call;
}

static void test_a_lease_begins_with_progress_and_heartbeats_alone_are_none(void **state)
{
    struct bench *bench = bench_new();
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    assert_int_equal(oldest_age_ms(bench), 0);
    session = bench_session(bench, "q", 60000);
    bench_lease_in(bench, "q", 1, session);
    assert_int_equal(progress_of(bench, "a"), bench->now_ms);
    for (int i = 0; i < 10; i++) {
        bench_pass(bench, 50000);
        bench_heartbeat(bench, session);
    }
    assert_int_equal(progress_of(bench, "a"), bench->now_ms - 500000);
    assert_int_equal(oldest_age_ms(bench), 500000);
    assert_int_equal(stalled(bench, 500000), 1);
    assert_int_equal(stalled(bench, 500001), 0);
    bench_free(bench);
}

static void test_a_heartbeat_a_renew_and_a_checkpoint_tell_it(void **state)
{
    struct bench *bench = bench_new();
    struct renew_call *renew;
    struct lease_token a;
    struct lease_token b;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    session = bench_session(bench, "q", 3600000);
    a = bench_token(bench_lease_in(bench, "q", 1, session), 0);
    bench_pass(bench, 1000);
    beat(bench, session, a);
    assert_int_equal(progress_of(bench, "a"), bench->now_ms);
    bench_pass(bench, 1000);
    assert_int_equal(bench_checkpoint(bench, a, "page 7"), STATUS_OK);
    assert_int_equal(progress_of(bench, "a"), bench->now_ms);

    bench_publish(bench, "q", "b");
    b = bench_take(bench, "q", "b");
    bench_pass(bench, 1000);
    assert_int_equal(bench_renew(bench, b, 0), STATUS_OK);
    assert_int_equal(progress_of(bench, "b"), bench->now_ms - 1000);
    renew = BENCH_CALL(bench, renew_call, &verb_renew);
    renew->item_count = 1;
    renew->items = ARENA_NEW(renew->call.arena, struct renew_item *);
    renew->items[0] = ARENA_NEW(renew->call.arena, struct renew_item);
    *renew->items[0] = (struct renew_item){.token = b, .progress = true};
    bench_do(bench, &renew->call);
    assert_int_equal(progress_of(bench, "b"), bench->now_ms);
    assert_int_equal(oldest_age_ms(bench), 1000); /* of a, which leased first and told before */
    bench_free(bench);
}

static void test_progress_of_a_lease_that_is_not_the_sessions_is_passed_over(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token token;
    struct lease_token other;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    session = bench_session(bench, "q", 3600000);
    token = bench_token(bench_lease_in(bench, "q", 1, session), 0);
    bench_pass(bench, 1000);
    beat(bench, bench_session(bench, "q", 3600000), token);
    other = token;
    other.fence++;
    beat(bench, session, other);
    other = token;
    other.seal++;
    beat(bench, session, other);
    other = token;
    other.place.seq = 77;
    beat(bench, session, other);
    assert_int_equal(progress_of(bench, "a"), bench->now_ms - 1000);
    assert_int_equal(bench_ack(bench, token, NULL), STATUS_OK);
    beat(bench, session, token);
    assert_int_equal(oldest_age_ms(bench), 0);
    bench_free(bench);
}

static void test_a_restart_begins_anew(void **state)
{
    struct bench *bench = bench_new();
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    session = bench_session(bench, "q", 3600000);
    bench_lease_in(bench, "q", 1, session);
    bench_pass(bench, 100000);
    bench_crash(bench);
    assert_int_equal(progress_of(bench, "a"), bench->now_ms);
    bench_free(bench);
}

static void test_a_list_of_touched_tasks_leaves_the_backlog_unread(void **state)
{
    struct bench *bench = bench_new();
    struct task_list_call *call = BENCH_CALL(bench, task_list_call, &verb_task_list);

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 25; i++) /* more rows than a page looks at */
        bench_publish_many(bench, "q", (char[]){(char)('a' + i), '\0'}, 1000);
    bench_take(bench, "q", "a0");
    call->queue = text("q");
    call->state = TASK_LEASED;
    call->any_dataset = true;
    call->page_size = 100;
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    assert_int_equal(call->view_count, 1);
    assert_int_equal(call->next.size, 0);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease_begins_with_progress_and_heartbeats_alone_are_none),
        cmocka_unit_test(test_a_heartbeat_a_renew_and_a_checkpoint_tell_it),
        cmocka_unit_test(test_progress_of_a_lease_that_is_not_the_sessions_is_passed_over),
        cmocka_unit_test(test_a_restart_begins_anew),
        cmocka_unit_test(test_a_list_of_touched_tasks_leaves_the_backlog_unread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
