/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_faults.c -- one long script, and the store fails at its k-th write or commit, for
 * every k that the script has.
 *
 * Where the store only refuses (no room), the script must end as it does without the fault: the
 * batch is taken back and run again. Where the commit fails otherwise, the shard must fail for
 * good, say so once, and answer everyone; a start must then find all that was confirmed, and of the
 * failing batch all or nothing.
 */
#include "shard_bench.h"
#include "support/check.h"

#define CONFIRMED_MAX 64

/* What somebody was told had been done. */
struct confirmed {
    char id[8];
    bool acked;
};

struct script {
    struct bench *bench;
    uint64_t sessions[2];
    struct lease_call *leases[4];
    struct confirmed confirmed[CONFIRMED_MAX];
    int confirmed_count;
};

static bool is_done_well(const struct call *call)
{
    return bench_is_answered(call) && call->error.status == STATUS_OK;
}

/* Runs on, also when the shard has failed. */
static void run(struct script *self)
{
    bench_run(self->bench);
}

static void confirm(struct script *self, struct slice id)
{
    struct confirmed *entry = &self->confirmed[self->confirmed_count++];

    assert_true(self->confirmed_count <= CONFIRMED_MAX && id.size < sizeof entry->id);
    memcpy(entry->id, id.data, id.size);
    entry->id[id.size] = '\0';
    entry->acked = false;
}

static void confirm_ack(struct script *self, const char *id)
{
    for (int i = 0; i < self->confirmed_count; i++)
        if (strcmp(self->confirmed[i].id, id) == 0)
            self->confirmed[i].acked = true;
}

static void publish(struct script *self, const char *prefix, int count)
{
    struct publish_call *call = BENCH_CALL(self->bench, publish_call, &verb_publish);
    struct arena *arena = call->call.arena;

    call->queue = text("q");
    call->dataset = text("set");
    call->items = ARENA_ARRAY(arena, (size_t)count, struct publish_item);
    call->item_count = (size_t)count;
    for (int i = 0; i < count; i++) {
        call->items[i].id = text(arena_printf(arena, "%s%d", prefix, i));
        call->items[i].body = bench_bytes(&call->call, i % 3 == 0 ? 9000 : 50, (unsigned)i);
        call->items[i].priority = (uint8_t)(i % 3);
        call->items[i].delay_ms = i % 4 == 3 ? 3000 : 0;
    }
    bench_send(self->bench, &call->call);
    run(self);
    for (int i = 0; i < count && is_done_well(&call->call); i++)
        if (call->items[i].status == STATUS_OK)
            confirm(self, call->items[i].id);
}

static struct lease_call *lease(struct script *self, uint32_t max, int session)
{
    struct lease_call *call = bench_lease_call(self->bench, "q", max);

    call->session = session < 0 ? 0 : self->sessions[session];
    bench_send(self->bench, &call->call);
    run(self);
    if (!is_done_well(&call->call))
        call->task_count = 0;
    return call;
}

static void ack(struct script *self, struct lease_call *from, size_t index, const char *result)
{
    struct ack_call *call;
    char id[8] = "";

    if (index >= from->task_count)
        return;
    call = bench_ack_call(self->bench, bench_token(from, index), result);
    if (result == NULL)
        call->items[0]->result = SLICE_EMPTY;
    else if (index % 2 == 0)
        call->items[0]->result = bench_bytes(&call->call, 10000, (unsigned)index);
    memcpy(id, from->tasks[index].id.data, from->tasks[index].id.size);
    bench_send(self->bench, &call->call);
    run(self);
    if (is_done_well(&call->call) && call->items[0]->status == STATUS_OK)
        confirm_ack(self, id);
}

static void nack(struct script *self, struct lease_call *from, size_t index,
                 enum task_command_kind kind)
{
    struct nack_call *call;

    if (index >= from->task_count)
        return;
    call = bench_nack_call(self->bench, bench_token(from, index), kind);
    call->items[0]->delay_ms = 0; /* the jitter is drawn anew when a batch runs again */
    call->items[0]->has_checkpoint = true;
    call->items[0]->checkpoint = bench_bytes(&call->call, 5000, 3);
    bench_send(self->bench, &call->call);
    run(self);
}

static void send_named(struct script *self, const struct verb *verb, const char *name)
{
    struct queue_call *call = BENCH_CALL(self->bench, queue_call, verb);

    call->name = text(name);
    call->config = queue_config_default();
    bench_send(self->bench, &call->call);
    run(self);
}

static void open_session(struct script *self, int index, int64_t session_ms)
{
    struct session_call *call = BENCH_CALL(self->bench, session_call, &verb_session_open);

    call->queue = text("q");
    call->session_ms = session_ms;
    bench_send(self->bench, &call->call);
    run(self);
    self->sessions[index] = is_done_well(&call->call) ? call->session : 0;
}

static void send_session(struct script *self, const struct verb *verb, int index)
{
    struct session_call *call = BENCH_CALL(self->bench, session_call, verb);

    call->session = self->sessions[index];
    bench_send(self->bench, &call->call);
    run(self);
}

static void send_change(struct script *self, const struct verb *verb)
{
    struct dead_change_call *call = BENCH_CALL(self->bench, dead_change_call, verb);

    call->queue = text("q");
    call->any_dataset = true;
    bench_send(self->bench, &call->call);
    run(self);
}

static void send_cancel(struct script *self, const char *id)
{
    struct task_cancel_call *call = BENCH_CALL(self->bench, task_cancel_call, &verb_task_cancel);

    call->queue = text("q");
    call->ids = ARENA_NEW(call->call.arena, struct slice);
    call->statuses = ARENA_NEW(call->call.arena, enum status);
    call->ids[0] = text(id);
    call->id_count = 1;
    bench_send(self->bench, &call->call);
    run(self);
}

/* Time goes on, and on past a second in which a full store was left alone. */
static void pass(struct script *self, int64_t ms)
{
    bench_pass(self->bench, ms);
    bench_pass(self->bench, 1000);
}

/* A waiter, and in one batch a publish that serves it, an ack, a lease and a call that is refused.
 */
static void meet_in_one_batch(struct script *self)
{
    struct lease_call *waiter = bench_lease_call(self->bench, "q", 2);
    struct lease_call *poll = bench_lease_call(self->bench, "q", 1);
    struct publish_call *publish = bench_publish_call(self->bench, "q", "m0");
    struct publish_call *refused = bench_publish_call(self->bench, "nowhere", "m1");

    waiter->wait_ms = 20000;
    bench_send(self->bench, &waiter->call);
    run(self);
    bench_send(self->bench, &publish->call);
    bench_send(self->bench, &refused->call);
    bench_send(self->bench, &poll->call);
    run(self);
    if (is_done_well(&publish->call))
        confirm(self, text("m0"));
    if (self->bench->shard->failed)
        return;
    assert_int_equal(refused->call.error.status, STATUS_QUEUE_NOT_FOUND);
    bench_assert_ok(&waiter->call);
    assert_true(bench_is_task(waiter, 0, "m0"));
    bench_assert_ok(&poll->call);
    assert_int_equal(poll->task_count, 0);
    self->leases[3] = waiter;
}

static void tell(struct script *self)
{
    send_named(self, &verb_queue_create, "q");
    publish(self, "a", 8);
    open_session(self, 0, 60000);
    open_session(self, 1, 5000);
    self->leases[0] = lease(self, 3, 0);
    self->leases[1] = lease(self, 2, 1);
    self->leases[2] = lease(self, 1, -1);
    ack(self, self->leases[0], 0, "done");
    ack(self, self->leases[0], 1, NULL);
    nack(self, self->leases[0], 2, TASK_NACK_FAILED);
    pass(self, 6000); /* session 1 is lost, the delayed ones wake */
    send_session(self, &verb_session_heartbeat, 0);
    ack(self, self->leases[1], 0, "late"); /* salvaged */
    send_cancel(self, "a5");
    self->leases[0] = lease(self, 4, 0);
    send_cancel(self, "a7");
    send_session(self, &verb_session_close, 0);
    send_change(self, &verb_dead_redrive);
    pass(self, 70000); /* the lease without a session is lost */
    self->leases[0] = lease(self, 10, -1);
    for (size_t i = 0; i < 10; i++)
        ack(self, self->leases[0], i, i % 2 == 0 ? "yes" : NULL);
    meet_in_one_batch(self);
    ack(self, self->leases[3], 0, "m");
    publish(self, "b", 6);
    send_cancel(self, "b1");
    send_change(self, &verb_dead_delete);
    send_named(self, &verb_queue_create, "gone");
    send_named(self, &verb_queue_delete, "gone");
    send_named(self, &verb_queue_pause, "q");
    pass(self, TOMBSTONE_MS);
}

static struct script new_script(void)
{
    static struct lease_call none; /* of a batch that failed */
    struct script script = {.bench = bench_new()};

    for (int i = 0; i < 4; i++)
        script.leases[i] = &none;
    return script;
}

/* The queue's counts at the end, without the times that a refusal may shift. */
static struct tally end_of(struct script *script)
{
    struct tally tally = bench_tally(script->bench, "q");

    tally.wasted_ms = tally.useful_ms = 0;
    tally.first_done_ms = tally.last_done_ms = 0;
    tally.first_published_ms = tally.last_published_ms = 0;
    return tally;
}

static struct tally end_without_faults(void)
{
    struct script script = new_script();
    struct tally tally;

    tell(&script);
    tally = end_of(&script);
    bench_free(script.bench);
    return tally;
}

/* Tells the script with a fault; false if it has no k-th write or commit. */
static bool tell_refused(enum store_mem_fault fault, uint64_t k, const struct tally *expected)
{
    struct script script = new_script();
    struct tally tally;
    bool struck;

    store_mem_fault(script.bench->store, fault, k);
    tell(&script);
    struck = !store_mem_is_armed(script.bench->store);
    store_mem_fault(script.bench->store, STORE_MEM_FAULT_NONE, 0);
    assert_false(script.bench->shard->failed);
    assert_int_equal(script.bench->failures, 0);
    tally = end_of(&script);
    assert_memory_equal(&tally, expected, sizeof tally);
    bench_free(script.bench); /* checks it */
    return struck;
}

static void test_a_refusal_of_any_write_changes_nothing_in_the_end(void **state)
{
    struct tally expected = end_without_faults();
    uint64_t k = 1;

    (void)state;
    while (tell_refused(STORE_MEM_FAULT_WRITE_FULL, k, &expected))
        k++;
    print_message("%d writes\n", (int)k - 1);
    assert_true(k > 200);
}

static void test_a_refusal_of_any_commit_changes_nothing_in_the_end(void **state)
{
    struct tally expected = end_without_faults();
    uint64_t k = 1;

    (void)state;
    while (tell_refused(STORE_MEM_FAULT_COMMIT_FULL, k, &expected))
        k++;
    print_message("%d commits\n", (int)k - 1);
    assert_true(k > 30);
}

static void assert_confirmed(struct script *script)
{
    for (int i = 0; i < script->confirmed_count; i++) {
        const struct confirmed *entry = &script->confirmed[i];
        struct task_get_call *get = bench_get(script->bench, "q", entry->id);

        if (get->call.error.status == STATUS_TASK_NOT_FOUND && strcmp(entry->id, "b1") == 0)
            continue; /* deleted by the script, perhaps by the very batch */
        bench_assert_ok(&get->call);
        if (entry->acked)
            assert_int_equal(get->view.task.state, TASK_DONE);
    }
}

/* Tells the script, and its k-th commit fails; false if it has no k-th commit. */
static bool tell_failed(enum store_mem_fault fault, uint64_t k)
{
    struct script script = new_script();
    struct bench *bench = script.bench;
    struct publish_call *late;

    store_mem_fault(bench->store, fault, k);
    tell(&script);
    if (!bench->shard->failed) {
        bench_free(bench);
        return false;
    }
    assert_int_equal(bench->failures, 1);
    late = bench_publish_call(bench, "q", "late");
    bench_send(bench, &late->call);
    bench_run(bench);
    assert_true(bench_is_answered(&late->call));
    assert_int_equal(late->call.error.status, STATUS_UNAVAILABLE);
    assert_false(bench_step(bench)); /* and then it sleeps */
    LIST_EACH (link, &bench->tickets)
        assert_true(bench_ticket_is_settled(link));

    bench_crash(bench);
    bench_check(bench);
    assert_confirmed(&script);
    if (k > 1 || fault == STORE_MEM_FAULT_COMMIT_UNKNOWN)
        assert_int_equal(bench_publish(bench, "q", "again"), STATUS_OK);
    bench_free(bench);
    return true;
}

static void test_a_start_finds_all_that_was_confirmed_before_a_lost_commit(void **state)
{
    uint64_t k = 1;

    (void)state;
    while (tell_failed(STORE_MEM_FAULT_COMMIT_LOST, k))
        k++;
    assert_true(k > 30);
}

static void test_a_start_finds_all_that_was_confirmed_before_an_unknown_commit(void **state)
{
    uint64_t k = 1;

    (void)state;
    while (tell_failed(STORE_MEM_FAULT_COMMIT_UNKNOWN, k))
        k++;
    assert_true(k > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refusal_of_any_write_changes_nothing_in_the_end),
        cmocka_unit_test(test_a_refusal_of_any_commit_changes_nothing_in_the_end),
        cmocka_unit_test(test_a_start_finds_all_that_was_confirmed_before_a_lost_commit),
        cmocka_unit_test(test_a_start_finds_all_that_was_confirmed_before_an_unknown_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
