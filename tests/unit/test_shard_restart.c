/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_restart.c -- a start after SIGKILL: what was confirmed is there, leases and sessions
 * live on with at least their grace, and what was under way never began.
 */
#include "shard_bench.h"
#include "support/check.h"

#define GRACE_MS 10000
#define LEASE_MS 60000

static void test_a_lease_lives_on_for_its_own_time_or_the_grace(void **state)
{
    static const int64_t away_ms[] = {0, 1000, 49999, 50001, LEASE_MS, 3600000};

    (void)state;
    for (size_t i = 0; i < sizeof away_ms / sizeof away_ms[0]; i++) {
        struct bench *bench = bench_new();
        int64_t left_ms = LEASE_MS - away_ms[i];
        struct lease_token token;

        if (left_ms < GRACE_MS)
            left_ms = GRACE_MS;
        bench_queue(bench, "q");
        bench_publish(bench, "q", "a");
        token = bench_take(bench, "q", "a");
        bench->now_ms += away_ms[i]; /* while nobody looked */
        bench_crash(bench);
        bench_pass(bench, left_ms - 1);
        assert_int_equal(bench_tally(bench, "q").leased, 1);
        if (i % 2 == 0) {
            assert_int_equal(bench_ack(bench, token, NULL), STATUS_OK); /* within the grace */
        } else {
            bench_pass(bench, 1);
            assert_int_equal(bench_tally(bench, "q").losses, 1);
            assert_int_equal(bench_ack(bench, token, NULL), STATUS_LEASE_LOST);
        }
        bench_free(bench);
    }
}

static void test_a_graced_lease_can_be_renewed_and_nacked(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 3);
    lease = bench_lease(bench, "q", 3);
    bench->now_ms += 3600000;
    bench_crash(bench);
    assert_int_equal(bench_renew(bench, bench_token(lease, 0), 1000), STATUS_OK); /* no closer */
    assert_int_equal(bench_nack(bench, bench_token(lease, 1), TASK_NACK_PREEMPTED), STATUS_OK);
    bench_pass(bench, GRACE_MS - 1);
    assert_int_equal(bench_tally(bench, "q").leased, 2);
    assert_int_equal(bench_renew(bench, bench_token(lease, 0), 30000), STATUS_OK);
    bench_pass(bench, 29999);
    assert_int_equal(bench_tally(bench, "q").leased, 1);
    bench_pass(bench, 1);
    assert_int_equal(bench_tally(bench, "q").leased, 0);
    assert_int_equal(bench_tally(bench, "q").losses, 2);
    bench_free(bench);
}

static void test_the_grace_of_a_lease_is_not_for_the_next_of_its_task(void **state)
{
    struct bench *bench = bench_new();
    struct nack_call *nack;
    struct lease_call *lease;
    struct task_get_call *get;
    struct lease_token token;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    token = bench_take(bench, "q", "a");
    bench->now_ms += 3600000;
    bench_crash(bench);

    /* All in one batch: the old lease is still in memory when the new one is looked at. */
    nack = bench_nack_call(bench, token, TASK_NACK_RELEASED);
    lease = bench_lease_call(bench, "q", 1);
    lease->lease_ms = 1000;
    get = BENCH_CALL(bench, task_get_call, &verb_task_get);
    get->queue = text("q");
    get->id = text("a");
    bench_send(bench, &nack->call);
    bench_send(bench, &lease->call);
    bench_send(bench, &get->call);
    bench_run(bench);
    bench_assert_ok(&get->call);
    assert_int_equal(lease->task_count, 1);
    assert_int_equal(get->view.task.at_ms, bench->now_ms + 1000);
    bench_free(bench);
}

static void test_a_session_gets_its_whole_time_again(void **state)
{
    struct bench *bench = bench_new();
    uint64_t longer;
    uint64_t shorter;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 4);
    longer = bench_session(bench, "q", 20000);
    shorter = bench_session(bench, "q", 2000);
    bench_lease_in(bench, "q", 2, longer);
    bench_lease_in(bench, "q", 2, shorter);
    bench->now_ms += 3600000;
    bench_crash(bench);
    assert_int_equal(bench_view(bench, "q").sessions, 2);
    bench_pass(bench, GRACE_MS - 1);
    assert_int_equal(bench_heartbeat(bench, shorter)->leased, 2);
    bench_pass(bench, 2000); /* from its heartbeat on its own time counts */
    assert_int_equal(bench_tally(bench, "q").losses, 2);
    assert_int_equal(bench_heartbeat(bench, longer)->leased, 2);
    bench_pass(bench, 20000);
    assert_int_equal(bench_tally(bench, "q").losses, 4);
    assert_int_equal(bench_session(bench, "q", 5000), longer + 2); /* numbers go on */
    bench_free(bench);
}

static void test_all_that_was_confirmed_is_there(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *later;
    struct lease_call *lease;
    struct tally before;
    struct tally after;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 20);
    later = bench_publish_call(bench, "q", "later");
    later->items[0].delay_ms = 5000;
    bench_do(bench, &later->call);
    lease = bench_lease(bench, "q", 6);
    bench_ack(bench, bench_token(lease, 0), "result");
    bench_nack(bench, bench_token(lease, 1), TASK_NACK_FAILED);
    bench_nack(bench, bench_token(lease, 2), TASK_NACK_PREEMPTED);
    bench_cancel(bench, "q", "t10");
    before = bench_tally(bench, "q");
    for (int i = 0; i < 3; i++) {
        bench_crash(bench);
        bench_check(bench);
        after = bench_tally(bench, "q");
        assert_memory_equal(&before, &after, sizeof before);
    }
    assert_true(bench_is_task(bench_lease(bench, "q", 1), 0, "t2"));
    assert_true(bench_is_task(bench_lease(bench, "q", 1), 0, "t6"));
    bench_pass(bench, 5000);
    assert_int_equal(bench_tally(bench, "q").delayed, 0);
    bench_free(bench);
}

static void test_fences_go_on_after_a_start(void **state)
{
    struct bench *bench = bench_new();

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    for (uint32_t fence = 1; fence <= 20; fence++) {
        struct lease_token token = bench_take(bench, "q", "a");

        assert_int_equal(token.fence, fence);
        if (fence % 2 == 0)
            bench_crash(bench);
        bench_nack(bench, token, TASK_NACK_RELEASED);
        if (fence % 3 == 0)
            bench_crash(bench);
    }
    bench_free(bench);
}

static void test_a_session_lost_with_the_broker_away_gives_its_leases_back(void **state)
{
    struct bench *bench = bench_new();
    struct store_txn *txn;
    struct key key;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    session = bench_session(bench, "q", 15000);
    bench_lease_in(bench, "q", 1, session);
    key = key_of_session(session); /* as if its record had gone first */
    assert_int_equal(store_begin_write(bench->store, &txn), STATUS_OK);
    assert_int_equal(store_remove(txn, STORE_SESSION, key_slice(&key)), STATUS_OK);
    assert_int_equal(store_commit(txn), STATUS_OK);
    bench_crash(bench);
    bench_pass(bench, GRACE_MS);
    assert_int_equal(bench_tally(bench, "q").losses, 1);
    bench_take(bench, "q", "a");
    bench_free(bench);
}

static void test_a_store_of_another_shard_or_format_is_refused(void **state)
{
    struct bench *bench = bench_new();
    struct shard_options options;
    struct error error = ERROR_NONE;
    struct meta_record meta = {STORE_FORMAT + 1, 0, 5, 5};
    struct slice key = text(META_KEY);
    struct store_txn *txn;
    uint8_t *value;

    (void)state;
    bench_queue(bench, "q");
    options = bench->shard->options;
    bench->shard->store = NULL;
    shard_close(bench->shard);
    options.index = 1;
    assert_int_equal(shard_open(&options, &bench->shard, &error), STATUS_INVALID);
    options.index = 0;
    assert_int_equal(store_begin_write(bench->store, &txn), STATUS_OK);
    assert_int_equal(store_reserve(txn, STORE_META, key, META_RECORD_SIZE, &value), STATUS_OK);
    meta_record_write(&meta, key, value);
    assert_int_equal(store_commit(txn), STATUS_OK);
    error = ERROR_NONE;
    assert_int_equal(shard_open(&options, &bench->shard, &error), STATUS_CORRUPT);
    assert_non_null(strstr(error.message, "format"));
    meta.format = STORE_FORMAT;
    assert_int_equal(store_begin_write(bench->store, &txn), STATUS_OK);
    assert_int_equal(store_reserve(txn, STORE_META, key, META_RECORD_SIZE, &value), STATUS_OK);
    meta_record_write(&meta, key, value);
    assert_int_equal(store_commit(txn), STATUS_OK);
    error = ERROR_NONE;
    assert_int_equal(shard_open(&options, &bench->shard, &error), STATUS_OK);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease_lives_on_for_its_own_time_or_the_grace),
        cmocka_unit_test(test_a_graced_lease_can_be_renewed_and_nacked),
        cmocka_unit_test(test_the_grace_of_a_lease_is_not_for_the_next_of_its_task),
        cmocka_unit_test(test_a_session_gets_its_whole_time_again),
        cmocka_unit_test(test_all_that_was_confirmed_is_there),
        cmocka_unit_test(test_fences_go_on_after_a_start),
        cmocka_unit_test(test_a_session_lost_with_the_broker_away_gives_its_leases_back),
        cmocka_unit_test(test_a_store_of_another_shard_or_format_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
