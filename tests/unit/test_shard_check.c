/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_check.c -- the check finds what is wrong: a sound store is spoilt in one way after
 * another, and each time it says so, and which rule is broken.
 */
#include "shard_bench.h"
#include "support/check.h"

/* One of each: fresh, returned, delayed, leased, dead, done, in chunks, with a checkpoint. */
static struct bench *varied_bench(struct place ret_places[8])
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct lease_call *lease;

    bench_queue(bench, "q");
    publish = bench_publish_many(bench, "q", "t", 6);
    for (int i = 0; i < 6; i++)
        ret_places[i] = publish->items[i].place;
    publish = bench_publish_call(bench, "q", "large");
    publish->items[0].body = bench_bytes(&publish->call, 20000, 1);
    bench_do(bench, &publish->call);
    ret_places[6] = publish->items[0].place;
    lease = bench_lease(bench, "q", 5);
    bench_nack(bench, bench_token(lease, 0), TASK_NACK_RELEASED);
    bench_nack(bench, bench_token(lease, 1), TASK_NACK_FAILED);
    bench_checkpoint(bench, bench_token(lease, 2), "half way");
    bench_ack(bench, bench_token(lease, 4), "result");
    bench_cancel(bench, "q", "t5");
    bench_check(bench);
    return bench; /* t0 returned, t1 delayed, t2 t3 leased, t4 done, t5 dead, large fresh */
}

struct spoiler {
    const char *rule;
    enum store_table table;
    int place;        /* whose row; -1: the first of the table */
    bool removes;     /* else flips a bit */
    const char *puts; /* or puts this mark under the place */
};

static const struct spoiler spoilers[] = {
    {"C1", STORE_TASK, 6, false, NULL},      {"C1", STORE_ACTIVE, 2, false, NULL},
    {"C1", STORE_DEAD, 5, false, NULL},      {"C1", STORE_ID, -1, false, NULL},
    {"C1", STORE_RESULT, -1, false, NULL},   {"C1", STORE_CHECKPOINT, 2, false, NULL},
    {"C1", STORE_CHUNK, -1, false, NULL},    {"C1", STORE_DATASET, -1, false, NULL},
    {"C2", STORE_TASK, 3, true, NULL},       {"C3", STORE_RETURNED, 0, true, NULL},
    {"C3", STORE_DUE, -1, true, NULL},       {"C3", STORE_DEAD, 5, true, NULL},
    {"C3", STORE_ACTIVE, 0, true, NULL},     {"C3", STORE_RETURNED, 3, false, ""},
    {"C4", STORE_ID, -1, true, NULL},        {"C4", STORE_TASK, 6, true, NULL},
    {"C5", STORE_TASK, 6, true, NULL},       {"C6", STORE_ACTIVE, 3, true, NULL},
    {"C7", STORE_CHUNK, -1, true, NULL},     {"C7", STORE_TASK, 6, true, NULL},
    {"C7", STORE_CHECKPOINT, 2, true, NULL}, {"C7", STORE_ACTIVE, 2, true, NULL},
    {"C3", STORE_ACTIVE, 1, true, NULL},     {"C3", STORE_ACTIVE, 5, true, NULL},
};

static struct key key_of(struct bench *bench, const struct spoiler *spoiler,
                         const struct place *places)
{
    struct key key = {.size = 0};
    struct store_txn *txn;
    struct store_row row;
    size_t count;

    if (spoiler->place >= 0)
        return key_of_place(places[spoiler->place]);
    assert_int_equal(store_begin_read(bench->store, &txn), STATUS_OK);
    assert_int_equal(store_scan(txn, spoiler->table, SLICE_EMPTY, SLICE_EMPTY, &row, 1, &count),
                     STATUS_OK);
    assert_int_equal(count, 1);
    key.size = row.key.size;
    memcpy(key.data, row.key.data, row.key.size);
    store_abort(txn);
    return key;
}

static void spoil(struct bench *bench, const struct spoiler *spoiler, struct key key)
{
    struct store_txn *txn;

    if (!spoiler->removes && spoiler->puts == NULL) {
        bench_rot(bench, spoiler->table, key_slice(&key));
        return;
    }
    assert_int_equal(store_begin_write(bench->store, &txn), STATUS_OK);
    if (spoiler->removes)
        assert_int_equal(store_remove(txn, spoiler->table, key_slice(&key)), STATUS_OK);
    else
        assert_int_equal(store_put(txn, spoiler->table, key_slice(&key), text(spoiler->puts)),
                         STATUS_OK);
    assert_int_equal(store_commit(txn), STATUS_OK);
}

static bool says(const struct inspect_call *call, const char *rule)
{
    for (int64_t i = 0; i < call->problem_count && i < CHECK_PROBLEMS_MAX; i++)
        if (strstr(call->problems[i], rule) != NULL)
            return true;
    return false;
}

static void test_each_rule_is_seen_to_be_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spoilers / sizeof spoilers[0]; i++) {
        struct place places[8];
        struct bench *bench = varied_bench(places);
        struct inspect_call *call = BENCH_CALL(bench, inspect_call, &verb_stats);

        spoil(bench, &spoilers[i], key_of(bench, &spoilers[i], places));
        assert_int_equal(check_run(bench->store, call), STATUS_OK);
        if (!says(call, spoilers[i].rule))
            fail_msg("%s of table %s (%zu) is not reported", spoilers[i].rule,
                     store_table_name(spoilers[i].table), i);
        bench->shard->failed = true;
        bench_free(bench);
    }
}

static void test_chunks_that_no_result_has_are_seen(void **state)
{
    static const struct spoiler result_goes = {"C7", STORE_RESULT, -1, true, NULL};
    struct bench *bench = bench_new();
    struct inspect_call *call = BENCH_CALL(bench, inspect_call, &verb_stats);
    struct ack_call *ack;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "t");
    ack = bench_ack_call(bench, bench_token(bench_lease(bench, "q", 1), 0), "");
    ack->items[0]->result = bench_bytes(&ack->call, 9000, 1);
    bench_do(bench, &ack->call);
    bench_assert_ok(&ack->call);
    bench_check(bench);
    spoil(bench, &result_goes, key_of(bench, &result_goes, NULL));
    assert_int_equal(check_run(bench->store, call), STATUS_OK);
    assert_true(says(call, "no result has (C7)"));
    bench->shard->failed = true;
    bench_free(bench);
}

static void test_a_queue_that_is_being_deleted_need_not_agree(void **state)
{
    struct place places[8];
    struct bench *bench = varied_bench(places);
    struct queue_call *call = BENCH_CALL(bench, queue_call, &verb_queue_delete);

    (void)state;
    call->name = text("q");
    bench_send(bench, &call->call);
    for (int i = 0; bench_step(bench); i++)
        assert_int_equal(bench_problems(bench), 0);
    bench_free(bench);
}

static void test_only_so_many_problems_are_told_and_all_counted(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct inspect_call *call = BENCH_CALL(bench, inspect_call, &verb_stats);

    (void)state;
    bench_queue(bench, "q");
    publish = bench_publish_many(bench, "q", "t", 300);
    for (int i = 0; i < 300; i++) {
        struct key key = key_of_place(publish->items[i].place);

        bench_rot(bench, STORE_TASK, key_slice(&key));
    }
    assert_int_equal(check_run(bench->store, call), STATUS_OK);
    assert_true(call->problem_count >= 300);
    for (int i = 0; i < CHECK_PROBLEMS_MAX; i++)
        assert_non_null(call->problems[i]);
    bench->shard->failed = true;
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule_is_seen_to_be_broken),
        cmocka_unit_test(test_chunks_that_no_result_has_are_seen),
        cmocka_unit_test(test_a_queue_that_is_being_deleted_need_not_agree),
        cmocka_unit_test(test_only_so_many_problems_are_told_and_all_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
