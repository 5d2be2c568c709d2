/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state table of a task, every state with every command, against a grid written by hand; then
 * the invariants of core/task.h by their numbers, and a long random life.
 */
#include <stdio.h>
#include <string.h>

#include "core/task.h"
#include "support/check.h"

enum { NOW = 1000000, OLD = 1, CURRENT = 2, FUTURE = 3, SESSION = 7 };

/* ---- the grid ---- */

static const struct {
    const char *name;
    struct task task;
} rows[] = {
    {"NONE", {.state = TASK_NONE}},
    {"READY fresh", {.state = TASK_READY, .published_ms = 1}},
    {"READY again", {.state = TASK_READY, .fence = 2, .deliveries = 2, .published_ms = 1}},
    {"DELAYED", {.state = TASK_DELAYED, .fence = 2, .deliveries = 2, .at_ms = NOW + 1}},
    {"DELAYED due", {.state = TASK_DELAYED, .fence = 2, .deliveries = 2, .at_ms = NOW}},
    {"LEASED",
     {.state = TASK_LEASED, .fence = 2, .deliveries = 2, .at_ms = NOW + 1, .leased_ms = NOW - 50}},
    {"LEASED expired",
     {.state = TASK_LEASED, .fence = 2, .deliveries = 2, .at_ms = NOW, .leased_ms = NOW - 50}},
    {"LEASED session",
     {.state = TASK_LEASED,
      .fence = 2,
      .deliveries = 2,
      .session = SESSION,
      .leased_ms = NOW - 50}},
    {"DONE", {.state = TASK_DONE, .fence = 2, .deliveries = 2, .done_fence = 2, .at_ms = 5}},
    {"DEAD",
     {.state = TASK_DEAD, .dead_reason = DEAD_FAILURES, .fence = 2, .deliveries = 2, .at_ms = 5}},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

enum twist { PLAIN, LAST_FAILURE, OWN_SESSION_LAST_LOSS };

static const struct {
    const char *name;
    enum twist twist;
    struct task_command command;
} columns[] = {
    {"publish", PLAIN, {.kind = TASK_PUBLISH}},
    {"publish delayed", PLAIN, {.kind = TASK_PUBLISH, .delay_ms = 10}},
    {"lease", PLAIN, {.kind = TASK_LEASE, .lease_ms = 5000}},
    {"renew", PLAIN, {.kind = TASK_RENEW, .fence = CURRENT, .lease_ms = 5000}},
    {"renew, old fence", PLAIN, {.kind = TASK_RENEW, .fence = OLD, .lease_ms = 5000}},
    {"checkpoint", PLAIN, {.kind = TASK_CHECKPOINT, .fence = CURRENT, .has_data = true}},
    {"checkpoint, old fence", PLAIN, {.kind = TASK_CHECKPOINT, .fence = OLD, .has_data = true}},
    {"ack", PLAIN, {.kind = TASK_ACK, .fence = CURRENT}},
    {"ack with proof", PLAIN, {.kind = TASK_ACK, .fence = CURRENT, .proves_completion = true}},
    {"ack, old fence", PLAIN, {.kind = TASK_ACK, .fence = OLD}},
    {"ack with proof, old fence",
     PLAIN,
     {.kind = TASK_ACK, .fence = OLD, .proves_completion = true}},
    {"ack with proof, future fence",
     PLAIN,
     {.kind = TASK_ACK, .fence = FUTURE, .proves_completion = true}},
    {"nack failed",
     PLAIN,
     {.kind = TASK_NACK_FAILED, .fence = CURRENT, .delay_ms = TASK_DELAY_BACKOFF}},
    {"nack failed, old fence", PLAIN, {.kind = TASK_NACK_FAILED, .fence = OLD}},
    {"nack failed for good",
     PLAIN,
     {.kind = TASK_NACK_FAILED, .fence = CURRENT, .permanent = true}},
    {"nack failed, the last try", LAST_FAILURE, {.kind = TASK_NACK_FAILED, .fence = CURRENT}},
    {"nack preempted",
     PLAIN,
     {.kind = TASK_NACK_PREEMPTED, .fence = CURRENT, .delay_ms = TASK_DELAY_BACKOFF}},
    {"nack preempted, old fence", PLAIN, {.kind = TASK_NACK_PREEMPTED, .fence = OLD}},
    {"nack released", PLAIN, {.kind = TASK_NACK_RELEASED, .fence = CURRENT}},
    {"nack released, delayed",
     PLAIN,
     {.kind = TASK_NACK_RELEASED, .fence = CURRENT, .delay_ms = 10}},
    {"lose: deadline", PLAIN, {.kind = TASK_LOSE}},
    {"lose: session", PLAIN, {.kind = TASK_LOSE, .session = SESSION}},
    {"lose, the last time", OWN_SESSION_LAST_LOSS, {.kind = TASK_LOSE}},
    {"wake", PLAIN, {.kind = TASK_WAKE}},
    {"expire", PLAIN, {.kind = TASK_EXPIRE}},
    {"cancel", PLAIN, {.kind = TASK_CANCEL}},
    {"redrive", PLAIN, {.kind = TASK_REDRIVE}},
};
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

/*
 * What becomes of it, by hand: R READY, D DELAYED, L LEASED, F DONE (finished), X DEAD;
 * w refused as STATUS_WRONG_STATE, l as STATUS_LEASE_LOST; s: F if the queue salvages, else l.
 *
 * publish, lease | renew | checkpoint | ack | nack failed | preempted | released | lose | the rest
 */
static const char *const expected[ROW_COUNT] = {
    "RDw ll ll lllll llll ll ll www wwww", /* NONE */
    "wwL ll ll lllll llll ll ll www wXXw", /* READY fresh */
    "wwL ll ll lslsl llll ll ll www wXXw", /* READY again */
    "www ll ll lslsl llll ll ll www wwXw", /* DELAYED */
    "www ll ll lslsl llll ll ll www RwXw", /* DELAYED due */
    "www Ll Ll FFlsl DlXX Rl RD www wwXw", /* LEASED */
    "www ll ll lslsl llll ll ll RwX wwXw", /* LEASED expired */
    "www Ll Ll FFlsl DlXX Rl RD wRX wwXw", /* LEASED session */
    "www ll ll FFlll llll ll ll www wwww", /* DONE */
    "www ll ll lllll llll ll ll www wwwR", /* DEAD */
};

static struct queue_config config_of(enum twist twist)
{
    struct queue_config config = queue_config_default();

    config.task_ttl_ms = 1;
    if (twist == LAST_FAILURE)
        config.max_failures = 1;
    if (twist == OWN_SESSION_LAST_LOSS)
        config.max_losses = 1;
    return config;
}

static char letter_of(enum status status, enum task_state state)
{
    static const char states[] = {'?', 'R', 'D', 'L', 'F', 'X'};

    if (status == STATUS_OK)
        return states[state];
    return status == STATUS_WRONG_STATE ? 'w' : status == STATUS_LEASE_LOST ? 'l' : '!';
}

static char play(size_t row, size_t column, enum late_results late_results)
{
    struct task task = rows[row].task;
    struct task_command command = columns[column].command;
    struct queue_config config = config_of(columns[column].twist);
    struct task_effects effects;
    enum status status;

    config.late_results = late_results;
    if (columns[column].twist == OWN_SESSION_LAST_LOSS)
        command.session = task.session;
    status = task_step(&task, &command, &config, NOW, 42, &effects);
    if (status != STATUS_OK)
        assert_memory_equal(&task, &rows[row].task, sizeof task); /* L7 */
    return letter_of(status, task.state);
}

static void check_grid(enum late_results late_results)
{
    for (size_t row = 0; row < ROW_COUNT; row++) {
        const char *want = expected[row];

        print_message("%-16s", rows[row].name);
        for (size_t column = 0; column < COLUMN_COUNT; column++) {
            char got = play(row, column, late_results);
            char wanted;

            while (*want == ' ')
                want++;
            wanted = *want++;
            if (wanted == 's')
                wanted = late_results == LATE_RESULTS_SALVAGE ? 'F' : 'l';
            print_message(" %c", got);
            if (got != wanted)
                fail_msg("%s, %s: %c, expected %c", rows[row].name, columns[column].name, got,
                         wanted);
        }
        print_message("\n");
        assert_int_equal(*want, '\0');
    }
}

static void test_every_state_with_every_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        print_message("%2zu %s\n", i + 1, columns[i].name);
    check_grid(LATE_RESULTS_SALVAGE);
}

static void test_the_same_where_the_queue_refuses_late_results(void **state)
{
    (void)state;
    check_grid(LATE_RESULTS_REFUSE);
}

/* ---- the invariants ---- */

static struct task_effects effects;

static enum status step(struct task *task, struct task_command command, int64_t now_ms)
{
    struct queue_config config = queue_config_default();

    return task_step(task, &command, &config, now_ms, 0, &effects);
}

static struct task leased(uint64_t session)
{
    struct task task = {.state = TASK_READY, .published_ms = NOW};
    struct task_command lease = {.kind = TASK_LEASE, .session = session, .lease_ms = 5000};

    assert_int_equal(step(&task, lease, NOW), STATUS_OK);
    return task;
}

static void test_L1_a_leased_task_is_not_leased_again(void **state)
{
    struct task task = leased(0);
    struct task_command lease = {.kind = TASK_LEASE, .lease_ms = 5000};

    (void)state;
    assert_int_equal(step(&task, lease, NOW + 9999), STATUS_WRONG_STATE);
}

static void test_L2_each_lease_has_a_fence_of_its_own(void **state)
{
    struct task task = leased(0);

    (void)state;
    for (uint32_t fence = 1; fence < 5; fence++) {
        struct task_command give_back = {.kind = TASK_NACK_RELEASED, .fence = fence};
        struct task_command lease = {.kind = TASK_LEASE, .lease_ms = 5000};

        assert_int_equal(task.fence, fence);
        assert_int_equal(step(&task, give_back, NOW), STATUS_OK);
        assert_int_equal(step(&task, lease, NOW), STATUS_OK);
    }
}

static void test_L3_an_ack_with_an_old_fence_is_refused(void **state)
{
    struct task task = leased(SESSION);
    struct task_command lose = {.kind = TASK_LOSE, .session = SESSION};
    struct task_command lease = {.kind = TASK_LEASE, .lease_ms = 5000};
    struct task_command ack = {.kind = TASK_ACK, .fence = 1};

    (void)state;
    assert_int_equal(step(&task, lose, NOW), STATUS_OK);
    assert_int_equal(step(&task, lease, NOW), STATUS_OK);
    assert_int_equal(step(&task, ack, NOW), STATUS_LEASE_LOST);
}

static void test_L3_salvage_closes_the_task_and_tells_the_newer_holder(void **state)
{
    struct task task = leased(SESSION);
    struct task_command lose = {.kind = TASK_LOSE, .session = SESSION};
    struct task_command lease = {.kind = TASK_LEASE, .session = 8};
    struct task_command ack = {.kind = TASK_ACK, .fence = 1, .proves_completion = true};
    struct task_command late = {.kind = TASK_ACK, .fence = 2, .proves_completion = true};

    (void)state;
    assert_int_equal(step(&task, lose, NOW + 100), STATUS_OK);
    assert_int_equal(effects.wasted_ms, 100);
    assert_int_equal(step(&task, lease, NOW + 200), STATUS_OK);
    assert_int_equal(step(&task, ack, NOW + 230), STATUS_OK);
    assert_true(effects.salvaged);
    assert_int_equal(effects.wasted_ms, 30);
    assert_int_equal(effects.holder_stops, STOP_DONE);
    assert_int_equal(effects.ended_session, 8);
    assert_int_equal(effects.ended_fence, 2);
    assert_int_equal(task.done_fence, 1);
    assert_int_equal(step(&task, late, NOW + 240), STATUS_LEASE_LOST);
    assert_int_equal(step(&task, ack, NOW + 250), STATUS_OK);
    assert_true(effects.repeated);
}

static void test_L4_a_lease_ends_at_its_deadline_to_the_millisecond(void **state)
{
    struct task task = leased(0);
    struct task_command renew = {.kind = TASK_RENEW, .fence = 1, .lease_ms = 1};
    struct task_command lose = {.kind = TASK_LOSE};

    (void)state;
    assert_int_equal(step(&task, lose, NOW + 4999), STATUS_WRONG_STATE);
    assert_int_equal(step(&task, renew, NOW + 4999), STATUS_OK);
    assert_int_equal(step(&task, renew, NOW + 5000), STATUS_LEASE_LOST);
    assert_int_equal(step(&task, lose, NOW + 5000), STATUS_OK);
}

static void test_L5_renewing_never_brings_the_deadline_closer(void **state)
{
    struct task task = leased(0);
    struct task_command shorter = {.kind = TASK_RENEW, .fence = 1, .lease_ms = 1000};
    struct task_command longer = {.kind = TASK_RENEW, .fence = 1, .lease_ms = 9000};

    (void)state;
    assert_int_equal(step(&task, shorter, NOW), STATUS_OK);
    assert_int_equal(task.at_ms, NOW + 5000);
    assert_int_equal(step(&task, longer, NOW), STATUS_OK);
    assert_int_equal(task.at_ms, NOW + 9000);
}

static void test_L6_preemptions_never_kill_a_task(void **state)
{
    struct task task = leased(0);

    (void)state;
    for (uint32_t i = 1; i <= 1000; i++) {
        struct task_command preempted = {
            .kind = TASK_NACK_PREEMPTED, .fence = i, .delay_ms = TASK_DELAY_BACKOFF};
        struct task_command lease = {.kind = TASK_LEASE, .lease_ms = 5000};

        assert_int_equal(step(&task, preempted, NOW), STATUS_OK);
        assert_int_equal(task.state, TASK_READY);
        assert_int_equal(step(&task, lease, NOW), STATUS_OK);
    }
    assert_int_equal(task.preemptions, 1000);
    assert_int_equal(task.failures + task.losses, 0);
}

static void test_L8_redrive_forgives_and_keeps_the_fence(void **state)
{
    struct task task = leased(0);
    struct task_command fail = {.kind = TASK_NACK_FAILED, .fence = 1, .permanent = true};
    struct task_command redrive = {.kind = TASK_REDRIVE};

    (void)state;
    assert_int_equal(step(&task, fail, NOW), STATUS_OK);
    assert_int_equal(task.dead_reason, DEAD_FAILURES);
    assert_int_equal(step(&task, redrive, NOW), STATUS_OK);
    assert_int_equal(task.failures, 0);
    assert_int_equal(task.fence, 1);
}

static void test_an_unstarted_lease_is_neither_useful_nor_wasted(void **state)
{
    struct task task = leased(0);
    struct task_command give_back = {
        .kind = TASK_NACK_PREEMPTED, .fence = 1, .delay_ms = TASK_DELAY_BACKOFF, .unstarted = true};

    (void)state;
    assert_int_equal(step(&task, give_back, NOW + 3000), STATUS_OK);
    assert_int_equal(effects.useful_ms + effects.wasted_ms, 0);
}

static void test_backoff_doubles_up_to_its_maximum_with_half_of_it_drawn(void **state)
{
    struct queue_config config = queue_config_default();

    (void)state;
    config.backoff_min_ms = 1000;
    config.backoff_max_ms = 10000;
    for (uint32_t failures = 1; failures < 100; failures++) {
        int64_t whole_ms = failures < 5 ? INT64_C(1000) << (failures - 1) : 10000;

        if (whole_ms > 10000)
            whole_ms = 10000;
        assert_int_equal(task_backoff_ms(&config, failures, 0), whole_ms / 2);
        assert_int_equal(task_backoff_ms(&config, failures, (uint64_t)(whole_ms / 2)), whole_ms);
        assert_in_range(task_backoff_ms(&config, failures, failures * 7919), whole_ms / 2,
                        whole_ms);
    }
    config.backoff_min_ms = 0;
    assert_int_equal(task_backoff_ms(&config, 3, 99), 0);
}

/* ---- a long random life ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void test_no_sequence_of_commands_breaks_an_invariant(void **state)
{
    struct queue_config config = queue_config_default();
    uint64_t seed = 88172645463325252;

    (void)state;
    config.task_ttl_ms = 200000;
    for (int life = 0; life < 2000; life++) {
        struct task task = {.state = TASK_NONE};
        int64_t now_ms = NOW;

        for (int i = 0; i < 200; i++) {
            struct task before = task;
            struct task_command command = columns[next_random(&seed) % COLUMN_COUNT].command;
            enum status status;

            command.fence = (uint32_t)(task.fence + next_random(&seed) % 3 - 1);
            if (next_random(&seed) % 2 == 0)
                command.session = next_random(&seed) % 3;
            now_ms += (int64_t)(next_random(&seed) % 4000);
            status = task_step(&task, &command, &config, now_ms, next_random(&seed), &effects);
            task_check(&task);
            assert_true(task.fence >= before.fence);
            assert_true(effects.useful_ms >= 0 && effects.wasted_ms >= 0);
            if (before.state == TASK_DONE)
                assert_int_equal(task.state, TASK_DONE);
            if (status != STATUS_OK)
                assert_memory_equal(&task, &before, sizeof task);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_with_every_command),
        cmocka_unit_test(test_the_same_where_the_queue_refuses_late_results),
        cmocka_unit_test(test_L1_a_leased_task_is_not_leased_again),
        cmocka_unit_test(test_L2_each_lease_has_a_fence_of_its_own),
        cmocka_unit_test(test_L3_an_ack_with_an_old_fence_is_refused),
        cmocka_unit_test(test_L3_salvage_closes_the_task_and_tells_the_newer_holder),
        cmocka_unit_test(test_L4_a_lease_ends_at_its_deadline_to_the_millisecond),
        cmocka_unit_test(test_L5_renewing_never_brings_the_deadline_closer),
        cmocka_unit_test(test_L6_preemptions_never_kill_a_task),
        cmocka_unit_test(test_L8_redrive_forgives_and_keeps_the_fence),
        cmocka_unit_test(test_an_unstarted_lease_is_neither_useful_nor_wasted),
        cmocka_unit_test(test_backoff_doubles_up_to_its_maximum_with_half_of_it_drawn),
        cmocka_unit_test(test_no_sequence_of_commands_breaks_an_invariant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
