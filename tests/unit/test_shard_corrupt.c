/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_corrupt.c -- a record that fails its checksum is set aside or refused, and the others
 * are served; nothing read from the store breaks an assertion.
 */
#include "shard_bench.h"
#include "support/check.h"

static void rot_task(struct bench *bench, enum store_table table, struct place place)
{
    struct key key = key_of_place(place);

    bench_rot(bench, table, key_slice(&key));
}

/* The counts of a damaged store's datasets can't be right; those of its queues are. */
static void free_damaged(struct bench *bench)
{
    bench->shard->failed = true;
    bench_free(bench);
}

static void test_a_fresh_task_that_can_not_be_read_is_set_aside(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct lease_call *lease;
    struct dead_list_call *dead;

    (void)state;
    bench_queue(bench, "q");
    publish = bench_publish_many(bench, "q", "t", 5);
    rot_task(bench, STORE_TASK, publish->items[1].place);
    lease = bench_lease(bench, "q", 5);
    assert_int_equal(lease->task_count, 4);
    assert_true(bench_is_task(lease, 1, "t2"));
    dead = bench_dead(bench, "q");
    assert_int_equal(dead->view_count, 1);
    assert_int_equal(dead->views[0].reason, DEAD_CORRUPT);
    assert_int_equal(bench_tally(bench, "q").dead, 1);
    assert_int_equal(bench_change_dead(bench, "q", &verb_dead_redrive, DEAD_NOT), 0);
    bench_crash(bench);
    assert_int_equal(bench_tally(bench, "q").leased, 4);
    free_damaged(bench);
}

static void test_a_waiter_is_served_past_a_task_that_can_not_be_read(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct lease_call *waiter;

    (void)state;
    bench_queue(bench, "q");
    bench_queue_verb(bench, "q", &verb_queue_pause);
    publish = bench_publish_many(bench, "q", "t", 2);
    rot_task(bench, STORE_TASK, publish->items[0].place);
    waiter = bench_lease_call(bench, "q", 1);
    waiter->wait_ms = 20000;
    bench_send(bench, &waiter->call);
    bench_run(bench);
    bench_queue_verb(bench, "q", &verb_queue_resume);
    assert_true(bench_is_answered(&waiter->call));
    assert_true(bench_is_task(waiter, 0, "t1"));
    free_damaged(bench);
}

static void test_a_returned_task_whose_row_can_not_be_read_is_set_aside(void **state)
{
    static const enum store_table tables[] = {STORE_TASK, STORE_ACTIVE};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bench *bench = bench_new();
        struct lease_call *lease;

        bench_queue(bench, "q");
        bench_publish_many(bench, "q", "t", 3);
        lease = bench_lease(bench, "q", 2);
        bench_nack(bench, bench_token(lease, 0), TASK_NACK_RELEASED);
        bench_nack(bench, bench_token(lease, 1), TASK_NACK_RELEASED);
        rot_task(bench, tables[i], lease->tasks[0].place);
        lease = bench_lease(bench, "q", 3);
        assert_int_equal(lease->task_count, 2);
        assert_true(bench_is_task(lease, 0, "t1") && bench_is_task(lease, 1, "t2"));
        assert_int_equal(bench_tally(bench, "q").dead, 1);
        assert_int_equal(bench_tally(bench, "q").ready, 0);
        free_damaged(bench);
    }
}

static void test_an_ack_of_a_task_that_can_not_be_read_spoils_no_other(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct ack_call *ack;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 4);
    lease = bench_lease(bench, "q", 4);
    rot_task(bench, STORE_TASK, lease->tasks[1].place);
    rot_task(bench, STORE_ACTIVE, lease->tasks[2].place);
    ack = bench_ack_call(bench, bench_token(lease, 0), NULL);
    ack->items = ARENA_ARRAY(ack->call.arena, 4, struct ack_item *);
    ack->item_count = 4;
    for (size_t i = 0; i < 4; i++)
        ack->items[i] = bench_ack_item(&ack->call, bench_token(lease, i), NULL);
    bench_do(bench, &ack->call);
    bench_assert_ok(&ack->call);
    assert_int_equal(ack->items[0]->status, STATUS_OK);
    assert_int_equal(ack->items[1]->status, STATUS_CORRUPT);
    assert_int_equal(ack->items[2]->status, STATUS_CORRUPT);
    assert_int_equal(ack->items[3]->status, STATUS_OK);
    assert_int_equal(bench_tally(bench, "q").done, 2);

    bench_pass(bench, 60000); /* the leases end, and what can't be read is set aside */
    assert_int_equal(bench_lease(bench, "q", 4)->task_count, 0);
    assert_int_equal(bench_tally(bench, "q").dead, 2);
    assert_int_equal(bench_tally(bench, "q").leased, 0);
    free_damaged(bench);
}

static void test_a_delayed_task_that_can_not_be_read_wakes_as_a_dead_letter(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;

    (void)state;
    bench_queue(bench, "q");
    publish = bench_publish_call(bench, "q", "later");
    publish->items[0].delay_ms = 5000;
    bench_do(bench, &publish->call);
    rot_task(bench, STORE_ACTIVE, publish->items[0].place);
    bench_publish(bench, "q", "other");
    bench_pass(bench, 5000);
    assert_int_equal(bench_tally(bench, "q").delayed, 0);
    assert_int_equal(bench_tally(bench, "q").dead, 1);
    assert_int_equal(bench_dead(bench, "q")->views[0].reason, DEAD_CORRUPT);
    bench_take(bench, "q", "other");
    free_damaged(bench);
}

static void test_a_due_time_that_is_none_does_not_keep_the_shard_awake(void **state)
{
    struct bench *bench = bench_new();
    struct key key = key_of_due(INT64_MAX, (struct place){1, 0, 1});
    struct store_txn *txn;

    (void)state;
    bench_queue(bench, "q");
    key.data[0] = 0xff;
    assert_int_equal(store_begin_write(bench->store, &txn), STATUS_OK);
    assert_int_equal(store_put(txn, STORE_DUE, key_slice(&key), SLICE_EMPTY), STATUS_OK);
    assert_int_equal(store_commit(txn), STATUS_OK);
    bench_crash(bench);
    bench_run(bench);
    assert_true(shard_next_ms(bench->shard) > bench->now_ms);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_OK);
    assert_true(shard_next_ms(bench->shard) > bench->now_ms);
    assert_int_equal(bench_problems(bench), 1);
    free_damaged(bench);
}

static void test_a_task_whose_chunk_can_not_be_read_is_set_aside(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct key key;

    (void)state;
    bench_queue(bench, "q");
    publish = bench_publish_call(bench, "q", "large");
    publish->items[0].body = bench_bytes(&publish->call, 20000, 1);
    bench_do(bench, &publish->call);
    bench_publish(bench, "q", "small");
    key = key_of_chunk(publish->items[0].place, CHUNK_BODY, 3);
    bench_rot(bench, STORE_CHUNK, key_slice(&key));
    bench_take(bench, "q", "small");
    assert_int_equal(bench_tally(bench, "q").dead, 1);
    free_damaged(bench);
}

static void test_a_checkpoint_that_can_not_be_read_is_left_out(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token token;
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    token = bench_take(bench, "q", "a");
    bench_checkpoint(bench, token, "half way");
    bench_nack(bench, token, TASK_NACK_PREEMPTED);
    rot_task(bench, STORE_CHECKPOINT, token.place);
    lease = bench_lease(bench, "q", 1);
    assert_true(bench_is_task(lease, 0, "a"));
    assert_false(lease->tasks[0].has_checkpoint);
    assert_int_equal(bench_checkpoint(bench, bench_token(lease, 0), "again"), STATUS_OK);
    assert_int_equal(bench_ack(bench, bench_token(lease, 0), NULL), STATUS_OK);
    assert_int_equal(bench_rows(bench, STORE_CHECKPOINT), 0);
    bench_free(bench);
}

static void test_an_id_that_can_not_be_read_is_not_published_twice(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct key key;

    (void)state;
    bench_queue(bench, "q");
    publish = bench_publish_call(bench, "q", "a");
    bench_do(bench, &publish->call);
    key = key_of_name(publish->items[0].place.queue, text("a"));
    bench_rot(bench, STORE_ID, key_slice(&key));
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_CORRUPT);
    assert_int_equal(bench_cancel(bench, "q", "a"), STATUS_CORRUPT);
    assert_int_equal(bench_get(bench, "q", "a")->call.error.status, STATUS_CORRUPT);
    assert_int_equal(bench_ack(bench, bench_take(bench, "q", "a"), NULL), STATUS_OK);
    assert_int_equal(bench_publish(bench, "q", "a"), STATUS_DUPLICATE); /* the ack wrote it anew */
    bench_free(bench);
}

static void test_expiry_by_age_goes_past_a_task_that_can_not_be_read(void **state)
{
    struct queue_config config = queue_config_default();
    struct bench *bench = bench_new();
    struct publish_call *publish;

    (void)state;
    config.task_ttl_ms = 10000;
    bench_queue_with(bench, "q", config);
    publish = bench_publish_many(bench, "q", "t", 3);
    rot_task(bench, STORE_TASK, publish->items[0].place);
    bench_pass(bench, 12000);
    assert_int_equal(bench_tally(bench, "q").dead, 3);
    assert_int_equal(bench_tally(bench, "q").ready, 0);
    free_damaged(bench);
}

static void test_a_start_skips_active_rows_that_can_not_be_read(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 3);
    lease = bench_lease(bench, "q", 3);
    rot_task(bench, STORE_ACTIVE, lease->tasks[1].place);
    bench_crash(bench);
    assert_int_equal(bench->shard->leases.count, 2);
    assert_int_equal(bench_ack(bench, bench_token(lease, 0), NULL), STATUS_OK);
    assert_int_equal(bench_ack(bench, bench_token(lease, 1), NULL), STATUS_CORRUPT);
    bench_pass(bench, 100000);
    assert_true(bench_is_task(bench_lease(bench, "q", 3), 0, "t2"));
    free_damaged(bench);
}

static void test_a_start_refuses_records_that_it_can_not_do_without(void **state)
{
    static const enum store_table tables[] = {STORE_META, STORE_QUEUE, STORE_DATASET,
                                              STORE_SESSION};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct bench *bench = bench_new();
        struct shard_options options;
        struct error error = ERROR_NONE;
        struct key keys[4];
        uint64_t session;
        uint32_t queue;

        bench_queue(bench, "q");
        bench_publish(bench, "q", "a");
        session = bench_session(bench, "q", 15000);
        queue = bench_take(bench, "q", "a").place.queue;
        keys[0] = (struct key){.size = strlen(META_KEY)};
        memcpy(keys[0].data, META_KEY, keys[0].size);
        keys[1] = key_of_queue(queue);
        keys[2] = key_of_dataset(queue, 0);
        keys[3] = key_of_session(session);
        bench_rot(bench, tables[i], key_slice(&keys[i]));
        options = bench->shard->options;
        bench->shard->store = NULL;
        shard_close(bench->shard);
        assert_int_equal(shard_open(&options, &bench->shard, &error), STATUS_CORRUPT);
        assert_true(error.message[0] != '\0');
        bench_rot(bench, tables[i], key_slice(&keys[i])); /* the same bit back */
        assert_int_equal(shard_open(&options, &bench->shard, &error), STATUS_OK);
        bench_free(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_task_that_can_not_be_read_is_set_aside),
        cmocka_unit_test(test_a_waiter_is_served_past_a_task_that_can_not_be_read),
        cmocka_unit_test(test_a_returned_task_whose_row_can_not_be_read_is_set_aside),
        cmocka_unit_test(test_an_ack_of_a_task_that_can_not_be_read_spoils_no_other),
        cmocka_unit_test(test_a_delayed_task_that_can_not_be_read_wakes_as_a_dead_letter),
        cmocka_unit_test(test_a_due_time_that_is_none_does_not_keep_the_shard_awake),
        cmocka_unit_test(test_a_task_whose_chunk_can_not_be_read_is_set_aside),
        cmocka_unit_test(test_a_checkpoint_that_can_not_be_read_is_left_out),
        cmocka_unit_test(test_an_id_that_can_not_be_read_is_not_published_twice),
        cmocka_unit_test(test_expiry_by_age_goes_past_a_task_that_can_not_be_read),
        cmocka_unit_test(test_a_start_skips_active_rows_that_can_not_be_read),
        cmocka_unit_test(test_a_start_refuses_records_that_it_can_not_do_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
