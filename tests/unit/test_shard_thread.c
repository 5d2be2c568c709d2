/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_thread.c -- a shard on its own thread: many senders, an orderly stop whatever is going
 * on, and batches of bounded size. Each wait is for an answer, and ends the test after a minute.
 */
#include <unistd.h>

#include "desk.h"
#include "shard_bench.h"
#include "support/check.h"

#define SENDERS 4
#define CALLS 500 /* a sender */

static void finished(struct call *call)
{
    struct desk *desk = call->owner;

    desk->answered++;
}

/* A call in an arena of its own; arena_deinit frees it. */
static struct publish_call *new_publish(struct arena *arena, struct desk *desk, size_t body_size)
{
    struct publish_call *call;

    arena_init(arena, SIZE_MAX);
    call = ARENA_NEW(arena, struct publish_call);
    call_init(&call->call, &verb_publish, arena, &desk->mailbox, finished, desk);
    call->queue = text("q");
    call->items = ARENA_NEW(arena, struct publish_item);
    call->items[0].body = slice_of(arena_alloc(arena, body_size), body_size);
    call->item_count = 1;
    return call;
}

struct sender {
    pthread_t thread;
    struct shard *shard;
    int stored;
};

static void *sender_main(void *argument)
{
    struct sender *self = argument;
    struct arena arenas[CALLS];
    struct publish_call *calls[CALLS];
    struct desk desk;

    desk_init(&desk);
    for (int i = 0; i < CALLS; i++) {
        calls[i] = new_publish(&arenas[i], &desk, 100);
        shard_send(self->shard, &calls[i]->call);
        if (i % 50 == 49)
            desk_wait(&desk, i - 10);
    }
    desk_wait(&desk, CALLS);
    for (int i = 0; i < CALLS; i++) {
        self->stored +=
            calls[i]->call.error.status == STATUS_OK && calls[i]->items[0].status == STATUS_OK;
        arena_deinit(&arenas[i]);
    }
    desk_deinit(&desk);
    return NULL;
}

static struct bench *started_bench(void)
{
    struct bench *bench = bench_new();

    bench_queue(bench, "q");
    assert_int_equal(shard_start(bench->shard), STATUS_OK);
    return bench;
}

static void test_many_senders_are_all_answered(void **state)
{
    struct bench *bench = started_bench();
    struct sender senders[SENDERS];

    (void)state;
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.shard = bench->shard};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].stored, CALLS);
    }
    shard_stop(bench->shard);
    bench->shard->stopped = false; /* the bench takes it over */
    assert_int_equal(bench_tally(bench, "q").ready, SENDERS * CALLS);
    assert_true(bench->shard->commits <= SENDERS * CALLS + 10);
    bench_free(bench);
}

static void test_a_stop_answers_all_that_was_sent_and_all_that_waits(void **state)
{
    struct bench *bench = started_bench();
    struct desk desk;
    struct arena arenas[101];
    struct publish_call *calls[100];
    struct lease_call *waiter;

    (void)state;
    desk_init(&desk);
    arena_init(&arenas[100], SIZE_MAX);
    waiter = ARENA_NEW(&arenas[100], struct lease_call);
    call_init(&waiter->call, &verb_lease, &arenas[100], &desk.mailbox, finished, &desk);
    waiter->queue = text("q");
    waiter->max_tasks = 1;
    waiter->wait_ms = 60000;
    shard_send(bench->shard, &waiter->call);
    for (int i = 0; i < 100; i++) {
        calls[i] = new_publish(&arenas[i], &desk, 10);
        calls[i]->queue = text(i % 2 == 0 ? "q" : "nowhere");
        shard_send(bench->shard, &calls[i]->call);
    }
    shard_stop(bench->shard);
    mailbox_drain(&desk.mailbox);
    assert_int_equal(desk.answered, 101);
    for (int i = 0; i < 100; i++)
        assert_int_equal(calls[i]->call.error.status,
                         i % 2 == 0 ? STATUS_OK : STATUS_QUEUE_NOT_FOUND);
    for (int i = 0; i <= 100; i++)
        arena_deinit(&arenas[i]);
    desk_deinit(&desk);
    bench->shard->stopped = false;
    bench_free(bench);
}

static void test_what_is_sent_after_a_stop_is_refused(void **state)
{
    struct bench *bench = started_bench();
    struct publish_call *call;
    struct arena arena;
    struct desk desk;

    (void)state;
    desk_init(&desk);
    shard_stop(bench->shard);
    call = new_publish(&arena, &desk, 10);
    shard_send(bench->shard, &call->call);
    desk_wait(&desk, 1);
    assert_int_equal(call->call.error.status, STATUS_UNAVAILABLE);
    arena_deinit(&arena);
    desk_deinit(&desk);
    bench->shard->stopped = false;
    bench_free(bench);
}

static void test_a_stop_does_not_wait_for_what_never_ends(void **state)
{
    struct bench *bench = started_bench();

    (void)state;
    shard_stop(bench->shard);
    bench->shard->stopping = bench->shard->stopped = false;
    bench->shard->deleting_count++; /* there is always something to do */
    alarm(DESK_TIMEOUT_S);          /* else it hangs */
    assert_int_equal(shard_start(bench->shard), STATUS_OK);
    shard_stop(bench->shard);
    alarm(0);
    bench->shard->deleting_count--;
    bench->shard->stopped = false;
    bench_free(bench);
}

static void test_a_check_runs_beside_the_shard(void **state)
{
    struct bench *bench = started_bench();
    struct sender sender = {.shard = bench->shard};
    struct inspect_call *call;
    struct arena arena;
    struct desk desk;

    (void)state;
    desk_init(&desk);
    assert_int_equal(pthread_create(&sender.thread, NULL, sender_main, &sender), 0);
    for (int i = 1; i <= 20; i++) {
        arena_init(&arena, SIZE_MAX);
        call = ARENA_NEW(&arena, struct inspect_call);
        call_init(&call->call, NULL, &arena, &desk.mailbox, finished, &desk);
        shard_check(bench->shard, call);
        desk_wait(&desk, i);
        assert_int_equal(call->call.error.status, STATUS_OK);
        assert_int_equal(call->problem_count, 0);
        arena_deinit(&arena);
    }
    pthread_join(sender.thread, NULL);
    shard_stop(bench->shard);
    bench->shard->stopped = false;
    desk_deinit(&desk);
    bench_free(bench);
}

/* Sends a call about the session and returns how it went. */
static enum status ask_session(struct bench *bench, struct desk *desk, const struct verb *verb,
                               uint64_t *session)
{
    struct session_call *call;
    enum status status;
    struct arena arena;

    arena_init(&arena, SIZE_MAX);
    call = ARENA_NEW(&arena, struct session_call);
    call_init(&call->call, verb, &arena, &desk->mailbox, finished, desk);
    call->queue = text("q");
    call->session_ms = 15000;
    call->session = *session;
    shard_send(bench->shard, &call->call);
    desk_wait(desk, desk->answered + 1);
    *session = call->session;
    status = call->call.error.status;
    arena_deinit(&arena);
    return status;
}

static void jump(struct bench *bench, int64_t ms)
{
    __atomic_add_fetch(&bench->now_ms, ms, __ATOMIC_SEQ_CST);
}

/* As SIGSTOP and SIGCONT do it: time has gone on, and nobody was there. */
static void test_a_process_that_was_stopped_waits_for_heartbeats_first(void **state)
{
    struct bench *bench = started_bench();
    struct desk desk;
    uint64_t session = 0;
    uint64_t any = 0;

    (void)state;
    desk_init(&desk);
    assert_int_equal(ask_session(bench, &desk, &verb_session_open, &session), STATUS_OK);
    for (int i = 0; i < 3; i++) { /* the first sweeps */
        jump(bench, 100);
        assert_int_equal(ask_session(bench, &desk, &verb_session_list, &any), STATUS_OK);
    }
    jump(bench, 60000);
    assert_int_equal(ask_session(bench, &desk, &verb_session_list, &any), STATUS_OK);
    assert_int_equal(ask_session(bench, &desk, &verb_session_heartbeat, &session), STATUS_OK);
    for (int64_t left_ms = 15000; left_ms > 0; left_ms -= 1500) { /* and then time is time */
        jump(bench, 1500);
        assert_int_equal(ask_session(bench, &desk, &verb_session_list, &any), STATUS_OK);
    }
    assert_int_equal(ask_session(bench, &desk, &verb_session_heartbeat, &session),
                     STATUS_SESSION_NOT_FOUND);
    shard_stop(bench->shard);
    bench->shard->stopped = false;
    desk_deinit(&desk);
    bench_free(bench);
}

static void test_a_batch_takes_so_many_bytes_and_no_more(void **state)
{
    struct bench *bench = bench_new();
    struct publish_call *calls[12];
    int answered = 0;

    (void)state;
    bench_queue(bench, "q");
    for (int i = 0; i < 12; i++) {
        calls[i] = bench_publish_call(bench, "q", "");
        calls[i]->items[0].body = bench_bytes(&calls[i]->call, 1 << 20, (unsigned)i);
        bench_send(bench, &calls[i]->call);
    }
    assert_true(bench_step(bench));
    for (int i = 0; i < 12; i++)
        answered += bench_is_answered(&calls[i]->call);
    assert_in_range(answered, 3, 4);
    bench_run(bench);
    for (int i = 0; i < 12; i++)
        bench_assert_ok(&calls[i]->call);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_senders_are_all_answered),
        cmocka_unit_test(test_a_stop_answers_all_that_was_sent_and_all_that_waits),
        cmocka_unit_test(test_what_is_sent_after_a_stop_is_refused),
        cmocka_unit_test(test_a_stop_does_not_wait_for_what_never_ends),
        cmocka_unit_test(test_a_check_runs_beside_the_shard),
        cmocka_unit_test(test_a_process_that_was_stopped_waits_for_heartbeats_first),
        cmocka_unit_test(test_a_batch_takes_so_many_bytes_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
