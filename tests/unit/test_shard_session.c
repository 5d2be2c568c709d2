/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_session.c -- sessions: what a heartbeat keeps, and what comes back when one is closed
 * or lost, however many leases it has and whatever else happens in the same batch.
 */
#include "shard_bench.h"
#include "support/check.h"

#define SESSION_MS 15000
#define MANY 2500 /* leases; more than two steps' worth */

static struct session_call *send_close(struct bench *bench, uint64_t session)
{
    struct session_call *call = BENCH_CALL(bench, session_call, &verb_session_close);

    call->session = session;
    bench_send(bench, &call->call);
    return call;
}

static struct session_call *send_beat(struct bench *bench, uint64_t session)
{
    struct session_call *call = BENCH_CALL(bench, session_call, &verb_session_heartbeat);

    call->session = session;
    bench_send(bench, &call->call);
    return call;
}

static void test_heartbeats_keep_every_lease_of_the_session(void **state)
{
    struct bench *bench = bench_new();
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 10);
    session = bench_session(bench, "q", SESSION_MS);
    bench_lease_in(bench, "q", 10, session);
    for (int i = 0; i < 100; i++) {
        struct session_call *beat;

        bench_pass(bench, SESSION_MS - 1);
        beat = bench_heartbeat(bench, session);
        bench_assert_ok(&beat->call);
        assert_int_equal(beat->leased, 10);
        assert_int_equal(beat->session_ms, SESSION_MS);
    }
    assert_int_equal(bench_tally(bench, "q").leased, 10);
    bench_free(bench);
}

static void test_the_leases_of_a_session_without_heartbeats_are_lost(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct tally tally;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", MANY);
    session = bench_session(bench, "q", SESSION_MS);
    lease = bench_lease_in(bench, "q", MANY, session);
    assert_int_equal(lease->task_count, MANY);
    assert_int_equal(lease->tasks[0].task.at_ms, 0);
    bench_pass(bench, SESSION_MS - 1);
    assert_int_equal(bench_tally(bench, "q").leased, MANY);
    bench_pass(bench, 1);
    tally = bench_tally(bench, "q");
    assert_int_equal(tally.ready, MANY);
    assert_int_equal(tally.losses, MANY);
    assert_int_equal(tally.preemptions, 0);
    assert_int_equal(tally.wasted_ms, (int64_t)MANY * SESSION_MS);
    assert_int_equal(bench_heartbeat(bench, session)->call.error.status, STATUS_SESSION_NOT_FOUND);
    assert_int_equal(bench_ack(bench, bench_token(lease, 0), NULL), STATUS_LEASE_LOST);
    assert_int_equal(bench->shard->sessions.count, 0);
    bench_free(bench);
}

static void test_losing_many_leases_leaves_room_for_others_between_the_steps(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_queue(bench, "other");
    bench_publish_many(bench, "q", "t", MANY);
    session = bench_session(bench, "q", SESSION_MS);
    bench_lease_in(bench, "q", MANY, session);
    bench->now_ms += SESSION_MS;
    publish = bench_publish_call(bench, "other", "quick");
    bench_send(bench, &publish->call);
    assert_true(bench_step(bench));
    bench_assert_ok(&publish->call);
    assert_int_equal(bench->shard->leases.count, MANY - STEP_RECORDS_MAX);
    bench_run(bench);
    assert_int_equal(bench->shard->leases.count, 0);
    bench_free(bench);
}

static void test_closing_gives_everything_back_as_preempted(void **state)
{
    struct bench *bench = bench_new();
    struct session_call *close;
    struct tally tally;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", MANY);
    session = bench_session(bench, "q", SESSION_MS);
    bench_lease_in(bench, "q", MANY, session);
    close = bench_close(bench, session);
    bench_assert_ok(&close->call);
    assert_int_equal(close->call.progress.count, MANY);
    tally = bench_tally(bench, "q");
    assert_int_equal(tally.ready, MANY);
    assert_int_equal(tally.preemptions, MANY);
    assert_int_equal(tally.losses, 0);
    assert_int_equal(bench_close(bench, session)->call.error.status, STATUS_SESSION_NOT_FOUND);
    bench_free(bench);
}

static void test_leases_of_the_batch_that_closes_their_session_come_back_too(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *leases[2];
    struct session_call *close;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 4);
    session = bench_session(bench, "q", SESSION_MS);
    for (int i = 0; i < 2; i++) {
        leases[i] = bench_lease_call(bench, "q", 2);
        leases[i]->session = session;
    }
    bench_send(bench, &leases[0]->call);
    close = send_close(bench, session);
    bench_send(bench, &leases[1]->call);
    bench_run(bench);
    bench_assert_ok(&close->call);
    bench_assert_ok(&leases[0]->call);
    assert_int_equal(leases[0]->task_count, 2);
    assert_int_equal(close->call.progress.count, leases[0]->task_count + leases[1]->task_count);
    assert_int_equal(bench_tally(bench, "q").ready, 4);
    bench_free(bench);
}

static void test_a_session_may_expire_while_it_is_closed(void **state)
{
    (void)state;
    for (int64_t late_ms = -1; late_ms <= 1; late_ms++) {
        struct bench *bench = bench_new();
        struct session_call *close;
        struct tally tally;
        uint64_t session;

        bench_queue(bench, "q");
        bench_publish_many(bench, "q", "t", MANY);
        session = bench_session(bench, "q", SESSION_MS);
        bench_lease_in(bench, "q", MANY, session);
        bench->now_ms += SESSION_MS - 1;
        close = send_close(bench, session);
        assert_true(bench_step(bench));
        bench->now_ms += 1 + late_ms;
        bench_run(bench);
        bench_assert_ok(&close->call);
        tally = bench_tally(bench, "q");
        assert_int_equal(tally.ready, MANY);
        assert_int_equal(tally.preemptions + tally.losses, MANY);
        assert_int_equal(tally.preemptions, close->call.progress.count);
        bench_free(bench);
    }
}

static void test_a_session_that_expires_takes_no_task_in_that_batch(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 3);
    session = bench_session(bench, "q", SESSION_MS);
    bench_lease_in(bench, "q", 1, session);
    bench->now_ms += SESSION_MS;
    lease = bench_lease_call(bench, "q", 1);
    lease->session = session;
    assert_int_equal(bench_do(bench, &lease->call), STATUS_SESSION_NOT_FOUND);
    assert_int_equal(bench_tally(bench, "q").ready, 3);
    bench_free(bench);
}

static void test_two_closes_in_one_batch_both_succeed(void **state)
{
    struct bench *bench = bench_new();
    struct session_call *closes[2];
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", MANY);
    session = bench_session(bench, "q", SESSION_MS);
    bench_lease_in(bench, "q", MANY, session);
    closes[0] = send_close(bench, session);
    closes[1] = send_close(bench, session);
    bench_run(bench);
    assert_true(bench_is_answered(&closes[0]->call) && bench_is_answered(&closes[1]->call));
    bench_assert_ok(&closes[0]->call);
    assert_int_equal(bench_tally(bench, "q").preemptions, MANY);
    bench_free(bench);
}

static void test_a_close_whose_batch_is_taken_back_still_closes(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 4; k++) {
        struct bench *bench = bench_new();
        struct session_call *close;
        uint64_t session;

        bench_queue(bench, "q");
        bench_publish_many(bench, "q", "t", 10);
        session = bench_session(bench, "q", SESSION_MS);
        bench_lease_in(bench, "q", 10, session);
        store_mem_fault(bench->store, STORE_MEM_FAULT_COMMIT_FULL, k);
        close = bench_close(bench, session);
        bench_assert_ok(&close->call);
        assert_int_equal(close->call.progress.count, 10);
        store_mem_fault(bench->store, STORE_MEM_FAULT_NONE, 0);
        assert_int_equal(bench_tally(bench, "q").ready, 10);
        bench_free(bench);
    }
}

static void test_a_close_and_acks_of_its_leases_meet_in_one_batch(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct ack_call *acks[2];
    struct session_call *close;
    struct tally tally;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 4);
    session = bench_session(bench, "q", SESSION_MS);
    lease = bench_lease_in(bench, "q", 4, session);
    close = send_close(bench, session);
    assert_true(bench_step(bench)); /* the close goes on in the next batch */
    acks[0] = bench_ack_call(bench, bench_token(lease, 0), NULL);
    acks[1] = bench_ack_call(bench, bench_token(lease, 1), "done");
    list_append(bench->shard->inbox.next, &acks[0]->call.link); /* before the close */
    bench_send(bench, &acks[1]->call);                          /* after it: salvaged */
    bench_run(bench);
    bench_assert_ok(&close->call);
    assert_int_equal(acks[0]->items[0]->status, STATUS_OK);
    assert_false(acks[0]->items[0]->salvaged);
    assert_int_equal(acks[1]->items[0]->status, STATUS_OK);
    assert_true(acks[1]->items[0]->salvaged);
    assert_int_equal(close->call.progress.count, 3);
    tally = bench_tally(bench, "q");
    assert_int_equal(tally.done, 2);
    assert_int_equal(tally.ready, 2);
    bench_free(bench);
}

static void test_a_lease_that_is_lost_is_told_at_the_next_heartbeat(void **state)
{
    struct bench *bench = bench_new();
    struct lease_token old;
    struct lease_call *newer;
    struct session_call *beat;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish(bench, "q", "a");
    old = bench_take(bench, "q", "a"); /* without a session: its deadline ends it */
    bench_pass(bench, 60000);
    session = bench_session(bench, "q", SESSION_MS);
    newer = bench_lease_in(bench, "q", 1, session);
    assert_int_equal(newer->tasks[0].task.fence, 2);
    assert_int_equal(bench_ack(bench, old, "late but finished"), STATUS_OK);
    beat = bench_heartbeat(bench, session);
    assert_int_equal(beat->stop_count, 1);
    assert_int_equal(beat->stops[0].reason, STOP_DONE);
    assert_int_equal(beat->stops[0].token.fence, 2);
    assert_true(place_equal(beat->stops[0].token.place, newer->tasks[0].place));
    assert_int_equal(beat->leased, 0);
    assert_int_equal(bench_heartbeat(bench, session)->stop_count, 0);
    assert_int_equal(bench_ack(bench, bench_token(newer, 0), "too"), STATUS_LEASE_LOST);
    bench_free(bench);
}

static void test_a_session_serves_its_own_queue_alone(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_queue(bench, "other");
    bench_publish(bench, "other", "a");
    session = bench_session(bench, "q", SESSION_MS);
    lease = bench_lease_call(bench, "other", 1);
    lease->session = session;
    assert_int_equal(bench_do(bench, &lease->call), STATUS_SESSION_NOT_FOUND);
    assert_int_equal(bench_tally(bench, "other").ready, 1);
    bench_free(bench);
}

static void test_sessions_are_counted_listed_and_limited(void **state)
{
    struct bench *bench = bench_new();
    struct session_call *call;
    uint64_t sessions[2];

    (void)state;
    bench->shard->options.limits.sessions_max = 2;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 3);
    for (int i = 0; i < 2; i++)
        sessions[i] = bench_session(bench, "q", SESSION_MS);
    call = BENCH_CALL(bench, session_call, &verb_session_open);
    call->queue = text("q");
    call->session_ms = SESSION_MS;
    assert_int_equal(bench_do(bench, &call->call), STATUS_LIMIT_REACHED);
    assert_int_equal(bench_view(bench, "q").sessions, 2);
    bench_ack(bench, bench_token(bench_lease_in(bench, "q", 2, sessions[0]), 0), NULL);

    call = BENCH_CALL(bench, session_call, &verb_session_list);
    bench_do(bench, &call->call);
    bench_assert_ok(&call->call);
    assert_int_equal(call->view_count, 2);
    for (size_t i = 0; i < 2; i++) {
        bool first = call->views[i].session == sessions[0];

        assert_int_equal(call->views[i].leased, first ? 1 : 0);
        assert_int_equal(call->views[i].acked, first ? 1 : 0);
        assert_true(slice_equal(call->views[i].names.worker, text("worker")));
    }
    bench_close(bench, sessions[0]);
    assert_int_equal(bench_view(bench, "q").sessions, 1);
    bench_free(bench);
}

static void test_a_lost_session_with_one_unreadable_lease_gives_the_others_back(void **state)
{
    struct bench *bench = bench_new();
    struct lease_call *lease;
    struct key key;
    uint64_t session;

    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        bench_queue(bench, closed ? "closed" : "lost");
        bench_publish_many(bench, closed ? "closed" : "lost", "t", 3);
        session = bench_session(bench, closed ? "closed" : "lost", SESSION_MS);
        lease = bench_lease_in(bench, closed ? "closed" : "lost", 3, session);
        key = key_of_place(lease->tasks[1].place);
        bench_rot(bench, STORE_ACTIVE, key_slice(&key));
        if (closed)
            bench_assert_ok(&bench_close(bench, session)->call);
        else
            bench_pass(bench, SESSION_MS);
        assert_int_equal(bench->shard->sessions.count, 0);
        assert_int_equal(bench->shard->leases.count, 0);
        assert_int_equal(bench_lease(bench, closed ? "closed" : "lost", 3)->task_count, 2);
        bench_nack(bench, bench_token(lease, 1), TASK_NACK_RELEASED);
        bench_pass(bench, 3600000);
    }
    bench_free(bench);
}

static void test_a_queue_may_be_deleted_while_its_session_is_closed(void **state)
{
    struct bench *bench = bench_new();
    struct queue_call *delete;
    struct session_call *close;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", MANY);
    session = bench_session(bench, "q", SESSION_MS);
    bench_lease_in(bench, "q", MANY, session);
    close = send_close(bench, session);
    assert_true(bench_step(bench));
    delete = BENCH_CALL(bench, queue_call, &verb_queue_delete);
    delete->name = text("q");
    list_append(bench->shard->inbox.next, &delete->call.link); /* before the close */
    bench_run(bench);
    bench_assert_ok(&delete->call);
    bench_assert_ok(&close->call);
    assert_int_equal(bench->shard->queue_count, 0);
    assert_int_equal(bench_rows(bench, STORE_SESSION), 0);
    bench_free(bench);
}

/* A slow commit may hold up the batch; the heartbeat had come in time. */
static void test_a_heartbeat_that_waited_for_its_batch_counts(void **state)
{
    struct bench *bench = bench_new();
    struct session_call *beat;
    uint64_t session;
    uint64_t silent;

    (void)state;
    bench_queue(bench, "q");
    bench_publish_many(bench, "q", "t", 4);
    session = bench_session(bench, "q", SESSION_MS);
    silent = bench_session(bench, "q", SESSION_MS);
    bench_lease_in(bench, "q", 2, session);
    bench_lease_in(bench, "q", 2, silent);
    bench->now_ms += 2 * SESSION_MS;
    beat = send_beat(bench, session);
    bench_run(bench);
    bench_assert_ok(&beat->call);
    assert_int_equal(bench_tally(bench, "q").leased, 2);
    assert_int_equal(bench_tally(bench, "q").losses, 2);
    beat = send_beat(bench, silent);
    bench_run(bench);
    assert_int_equal(beat->call.error.status, STATUS_SESSION_NOT_FOUND);
    bench_free(bench);
}

/* Or nobody could drain it. */
static void test_a_store_nearly_full_still_takes_workers(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *publish;
    struct store_usage usage;
    uint64_t session;

    (void)state;
    bench_queue(bench, "q");
    publish = bench_publish_call(bench, "q", "large");
    publish->items[0].body = bench_bytes(&publish->call, 200000, 1);
    bench_do(bench, &publish->call);
    assert_int_equal(store_usage(bench->store, &usage), STATUS_OK);
    store_mem_set_max(bench->store, usage.used_bytes * 100 / 90);
    bench_pass(bench, 1000);
    publish = bench_publish_call(bench, "q", "more");
    assert_int_equal(bench_do(bench, &publish->call), STATUS_STORE_FULL);
    session = bench_session(bench, "q", SESSION_MS);
    bench_ack(bench, bench_token(bench_lease_in(bench, "q", 1, session), 0), "done");
    bench_pass(bench, 1000);
    assert_int_equal(bench_publish(bench, "q", "more"), STATUS_OK);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeats_keep_every_lease_of_the_session),
        cmocka_unit_test(test_the_leases_of_a_session_without_heartbeats_are_lost),
        cmocka_unit_test(test_losing_many_leases_leaves_room_for_others_between_the_steps),
        cmocka_unit_test(test_closing_gives_everything_back_as_preempted),
        cmocka_unit_test(test_leases_of_the_batch_that_closes_their_session_come_back_too),
        cmocka_unit_test(test_a_session_may_expire_while_it_is_closed),
        cmocka_unit_test(test_a_session_that_expires_takes_no_task_in_that_batch),
        cmocka_unit_test(test_two_closes_in_one_batch_both_succeed),
        cmocka_unit_test(test_a_close_whose_batch_is_taken_back_still_closes),
        cmocka_unit_test(test_a_close_and_acks_of_its_leases_meet_in_one_batch),
        cmocka_unit_test(test_a_lease_that_is_lost_is_told_at_the_next_heartbeat),
        cmocka_unit_test(test_a_session_serves_its_own_queue_alone),
        cmocka_unit_test(test_sessions_are_counted_listed_and_limited),
        cmocka_unit_test(test_a_lost_session_with_one_unreadable_lease_gives_the_others_back),
        cmocka_unit_test(test_a_queue_may_be_deleted_while_its_session_is_closed),
        cmocka_unit_test(test_a_heartbeat_that_waited_for_its_batch_counts),
        cmocka_unit_test(test_a_store_nearly_full_still_takes_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
