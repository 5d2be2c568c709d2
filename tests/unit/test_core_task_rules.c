/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_task_rules.c -- the invariants L1..L8 of core/task.h one by one, and what time costs.
 */
#include <string.h>

#include "base/map.h"
#include "core/limits.h"
#include "core/task.h"
#include "support/check.h"

#define NOW_MS INT64_C(1700000000000)
#define LEASED_MS (NOW_MS - 7000)
#define PUBLISHED_MS (NOW_MS - 100000)
#define LEASE_MS 30000
#define BACKOFF_MS 1000
#define SESSION 77
#define OTHER_SESSION 78

static const struct queue_config *default_config(void)
{
    static struct queue_config config;

    config = queue_config_default();
    config.lease_ms = LEASE_MS;
    config.backoff_min_ms = BACKOFF_MS;
    config.max_losses = 5;
    return &config;
}

static struct task_effects step(struct task *task, struct task_command command, int64_t now_ms)
{
    struct task_effects effects;

    assert_int_equal(task_step(task, &command, default_config(), now_ms, 1, &effects), STATUS_OK);
    return effects;
}

static enum status try(struct task *task, struct task_command command, int64_t now_ms)
{
    struct task_effects effects;

    return task_step(task, &command, default_config(), now_ms, 1, &effects);
}

static struct task published(void)
{
    struct task task = {.state = TASK_NONE};

    step(&task, (struct task_command){.kind = TASK_PUBLISH}, PUBLISHED_MS);
    return task;
}

static struct task leased(uint64_t session)
{
    struct task task = published();

    step(&task, (struct task_command){.kind = TASK_LEASE, .session = session, .lease_ms = LEASE_MS},
         LEASED_MS);
    return task;
}

static void test_L1_a_task_that_is_leased_can_not_be_leased_again(void **state)
{
    struct task task = leased(0);

    (void)state;
    assert_int_equal(try(&task, (struct task_command){.kind = TASK_LEASE, .lease_ms = 1}, NOW_MS),
                     STATUS_WRONG_STATE);
    assert_int_equal(task.fence, 1);
    task = leased(SESSION);
    assert_int_equal(try(&task, (struct task_command){.kind = TASK_LEASE, .lease_ms = 1}, NOW_MS),
                     STATUS_WRONG_STATE);
}

static void test_L2_each_lease_has_a_fence_one_larger(void **state)
{
    struct task task = published();

    (void)state;
    for (uint32_t fence = 1; fence <= 50; fence++) {
        step(&task, (struct task_command){.kind = TASK_LEASE, .session = SESSION}, NOW_MS);
        assert_int_equal(task.fence, fence);
        assert_int_equal(task.deliveries, fence);
        if (fence % 3 == 0) {
            step(&task, (struct task_command){.kind = TASK_CANCEL}, NOW_MS);
            step(&task, (struct task_command){.kind = TASK_REDRIVE}, NOW_MS);
        } else {
            step(&task,
                 (struct task_command){.kind = TASK_NACK_RELEASED, .fence = fence, .delay_ms = 0},
                 NOW_MS);
        }
    }
}

static void test_L3_an_ack_with_an_old_fence_is_refused(void **state)
{
    struct task task = leased(SESSION);
    struct task before;

    (void)state;
    step(&task, (struct task_command){.kind = TASK_LOSE, .session = SESSION}, NOW_MS);
    step(&task, (struct task_command){.kind = TASK_LEASE, .session = OTHER_SESSION}, NOW_MS);
    before = task;
    assert_int_equal(try(&task, (struct task_command){.kind = TASK_ACK, .fence = 1}, NOW_MS),
                     STATUS_LEASE_LOST);
    assert_memory_equal(&task, &before, sizeof task);
}

static void test_L3_an_old_fence_that_proves_completion_closes_an_open_task(void **state)
{
    struct task_command proof = {.kind = TASK_ACK, .fence = 1, .proves_completion = true};
    struct task_effects effects;
    struct task task = leased(SESSION);

    (void)state;
    step(&task, (struct task_command){.kind = TASK_LOSE, .session = SESSION}, NOW_MS);
    step(&task, (struct task_command){.kind = TASK_LEASE, .session = OTHER_SESSION}, NOW_MS);
    effects = step(&task, proof, NOW_MS + 400);
    assert_int_equal(task.state, TASK_DONE);
    assert_int_equal(task.done_fence, 1);
    assert_int_equal(task.fence, 2);
    assert_true(effects.salvaged);
    assert_int_equal(effects.wasted_ms, 400); /* of the newer holder */
    assert_int_equal(effects.useful_ms, 0);
    assert_int_equal(effects.holder_stops, STOP_DONE);
    assert_int_equal(effects.ended_session, OTHER_SESSION);
    assert_int_equal(effects.ended_fence, 2);

    effects = step(&task, proof, NOW_MS + 500); /* and may be repeated */
    assert_true(effects.repeated);
    assert_false(effects.salvaged);
}

static void test_L3_a_lease_that_ran_out_unnoticed_is_salvaged_without_loss(void **state)
{
    struct task task = leased(0);
    struct task_effects effects =
        step(&task, (struct task_command){.kind = TASK_ACK, .fence = 1, .proves_completion = true},
             LEASED_MS + LEASE_MS + 10);

    (void)state;
    assert_true(effects.salvaged);
    assert_int_equal(effects.useful_ms, LEASE_MS + 10);
    assert_int_equal(effects.wasted_ms, 0);
    assert_int_equal(effects.holder_stops, STOP_NOT);
    assert_int_equal(task.losses, 0);
}

static void test_L4_a_lease_without_a_session_is_live_before_its_deadline_alone(void **state)
{
    static const enum task_command_kind kinds[] = {
        TASK_RENEW,       TASK_CHECKPOINT,     TASK_ACK,
        TASK_NACK_FAILED, TASK_NACK_PREEMPTED, TASK_NACK_RELEASED};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct task_command command = {.kind = kinds[i], .fence = 1, .lease_ms = 1000};
        struct task task = leased(0);

        assert_int_equal(try(&task, command, LEASED_MS + LEASE_MS), STATUS_LEASE_LOST);
        assert_int_equal(try(&task, command, LEASED_MS + LEASE_MS - 1), STATUS_OK);
        task = leased(SESSION);
        assert_int_equal(try(&task, command, LEASED_MS + 1000 * LEASE_MS), STATUS_OK);
    }
}

static void test_L4_a_lease_is_lost_when_its_deadline_is_there_not_before(void **state)
{
    struct task task = leased(0);
    struct task_effects effects;

    (void)state;
    assert_int_equal(try(&task, (struct task_command){.kind = TASK_LOSE}, LEASED_MS + LEASE_MS - 1),
                     STATUS_WRONG_STATE);
    effects = step(&task, (struct task_command){.kind = TASK_LOSE}, LEASED_MS + LEASE_MS);
    assert_int_equal(task.state, TASK_READY);
    assert_int_equal(task.losses, 1);
    assert_int_equal(effects.wasted_ms, LEASE_MS);
    assert_int_equal(effects.holder_stops, STOP_LOST);
    assert_int_equal(effects.ended_fence, 1);
}

static void test_L5_renewing_never_brings_a_deadline_closer(void **state)
{
    struct task task = leased(0);

    (void)state;
    step(&task, (struct task_command){.kind = TASK_RENEW, .fence = 1, .lease_ms = 1000},
         LEASED_MS + 10);
    assert_int_equal(task.at_ms, LEASED_MS + LEASE_MS);
    step(&task, (struct task_command){.kind = TASK_RENEW, .fence = 1, .lease_ms = LEASE_MS},
         LEASED_MS + 10);
    assert_int_equal(task.at_ms, LEASED_MS + 10 + LEASE_MS);
    task = leased(SESSION);
    step(&task, (struct task_command){.kind = TASK_RENEW, .fence = 1, .lease_ms = 1000}, NOW_MS);
    assert_int_equal(task.at_ms, 0); /* the session keeps it */
}

/* Leases and ends it in one way, `times` times or until it is dead; says how often. */
static int wear_out(struct task *task, enum task_command_kind kind, int times)
{
    int i;

    for (i = 0; i < times && task->state != TASK_DEAD; i++) {
        step(task, (struct task_command){.kind = TASK_LEASE, .session = SESSION}, NOW_MS);
        step(task, (struct task_command){.kind = kind, .fence = task->fence, .session = SESSION},
             NOW_MS); /* delay_ms 0: ready at once */
    }
    return i;
}

static void test_L6_only_failures_count_towards_max_failures(void **state)
{
    struct task task = published();

    (void)state;
    assert_int_equal(wear_out(&task, TASK_LOSE, 4), 4);
    assert_int_equal(wear_out(&task, TASK_NACK_PREEMPTED, 1000), 1000);
    assert_int_equal(wear_out(&task, TASK_NACK_RELEASED, 1000), 1000);
    assert_int_equal(task.state, TASK_READY);
    assert_int_equal(task.failures, 0);
    assert_int_equal(task.preemptions, 1000);
    assert_int_equal(wear_out(&task, TASK_NACK_FAILED, 1000), 5);
    assert_int_equal(task.dead_reason, DEAD_FAILURES);
    assert_int_equal(task.losses, 4);
    assert_int_equal(task.deliveries, 2009);
}

static void test_L6_only_losses_count_towards_max_losses(void **state)
{
    struct task task = published();

    (void)state;
    assert_int_equal(wear_out(&task, TASK_NACK_FAILED, 4), 4);
    assert_int_equal(wear_out(&task, TASK_LOSE, 1000), 5);
    assert_int_equal(task.dead_reason, DEAD_LOSSES);
    assert_int_equal(task.failures, 4);
}

static void test_L6_a_permanent_failure_kills_at_once(void **state)
{
    struct task task = leased(0);

    (void)state;
    step(&task, (struct task_command){.kind = TASK_NACK_FAILED, .fence = 1, .permanent = true},
         NOW_MS);
    assert_int_equal(task.state, TASK_DEAD);
    assert_int_equal(task.dead_reason, DEAD_FAILURES);
    assert_int_equal(task.failures, 1);
}

static void test_L8_done_is_for_ever_and_dead_ends_by_redrive_alone(void **state)
{
    struct task task = leased(0);

    (void)state;
    step(&task, (struct task_command){.kind = TASK_ACK, .fence = 1}, NOW_MS);
    for (int kind = 0; kind < TASK_COMMAND_COUNT; kind++) {
        struct task_command command = {
            .kind = (enum task_command_kind)kind, .fence = 1, .lease_ms = 5, .delay_ms = 0};

        if (kind != TASK_ACK)
            assert_int_not_equal(try(&task, command, NOW_MS), STATUS_OK);
        assert_int_equal(task.state, TASK_DONE);
    }
    task = leased(0);
    step(&task, (struct task_command){.kind = TASK_CANCEL}, NOW_MS);
    for (int kind = 0; kind < TASK_COMMAND_COUNT; kind++) {
        struct task_command command = {.kind = (enum task_command_kind)kind,
                                       .fence = 1,
                                       .lease_ms = 5,
                                       .proves_completion = true};

        if (kind != TASK_REDRIVE)
            assert_int_not_equal(try(&task, command, NOW_MS), STATUS_OK);
    }
    step(&task, (struct task_command){.kind = TASK_REDRIVE}, NOW_MS);
    assert_int_equal(task.state, TASK_READY);
    assert_int_equal(task.failures + task.losses, 0);
    assert_int_equal(task.fence, 1); /* L2: fences go on */
    assert_int_equal(task.published_ms, NOW_MS);
}

/* ---- time and what it costs ---- */

static void test_lease_time_is_useful_wasted_or_neither(void **state)
{
    struct task task = leased(0);
    struct task_effects effects =
        step(&task, (struct task_command){.kind = TASK_ACK, .fence = 1}, LEASED_MS + 1234);

    (void)state;
    assert_int_equal(effects.useful_ms, 1234);
    assert_int_equal(effects.wasted_ms, 0);

    task = leased(0);
    effects =
        step(&task, (struct task_command){.kind = TASK_NACK_FAILED, .fence = 1}, LEASED_MS + 1234);
    assert_int_equal(effects.wasted_ms, 1234);

    task = leased(0);
    effects = step(
        &task, (struct task_command){.kind = TASK_NACK_PREEMPTED, .fence = 1, .unstarted = true},
        LEASED_MS + 1234);
    assert_int_equal(effects.wasted_ms + effects.useful_ms, 0);

    task = leased(SESSION);
    effects = step(&task, (struct task_command){.kind = TASK_CANCEL}, LEASED_MS + 1234);
    assert_int_equal(effects.wasted_ms, 1234);
    assert_int_equal(effects.holder_stops, STOP_CANCELLED);
    assert_int_equal(effects.ended_session, SESSION);

    task = leased(0);
    effects = step(&task, (struct task_command){.kind = TASK_ACK, .fence = 1}, LEASED_MS - 50);
    assert_int_equal(effects.useful_ms, 0); /* a clock that went back costs nothing */
}

static void test_a_nack_waits_as_it_says_or_as_the_queue_says(void **state)
{
    struct task_command nack = {.kind = TASK_NACK_FAILED, .fence = 1, .delay_ms = 1234};
    struct task task = leased(0);

    (void)state;
    step(&task, nack, NOW_MS);
    assert_int_equal(task.state, TASK_DELAYED);
    assert_int_equal(task.at_ms, NOW_MS + 1234);
    task = leased(0);
    nack.delay_ms = 0;
    step(&task, nack, NOW_MS);
    assert_int_equal(task.state, TASK_READY);
    task = leased(0);
    nack.delay_ms = TASK_DELAY_BACKOFF;
    step(&task, nack, NOW_MS);
    assert_in_range(task.at_ms - NOW_MS, BACKOFF_MS / 2, BACKOFF_MS);
    task = leased(0);
    nack.kind = TASK_NACK_PREEMPTED;
    step(&task, nack, NOW_MS);
    assert_int_equal(task.state, TASK_READY); /* by the queue: at once */
    task = leased(0);
    nack.delay_ms = 77;
    step(&task, nack, NOW_MS);
    assert_int_equal(task.at_ms, NOW_MS + 77);
}

static void test_backoff_doubles_from_min_to_max_and_half_of_it_is_drawn(void **state)
{
    struct queue_config config = queue_config_default();
    int64_t full_ms = 1000;

    (void)state;
    config.backoff_min_ms = 1000;
    config.backoff_max_ms = 60000;
    for (uint32_t failures = 1; failures < 1000; failures++) {
        int64_t least = INT64_MAX;
        int64_t most = 0;

        for (uint64_t random = 0; random < 500; random++) {
            int64_t wait_ms = task_backoff_ms(&config, failures, hash_u64(random));

            least = wait_ms < least ? wait_ms : least;
            most = wait_ms > most ? wait_ms : most;
        }
        assert_in_range(least, full_ms / 2, full_ms / 2 + full_ms / 50);
        assert_in_range(most, full_ms - full_ms / 50, full_ms);
        full_ms = full_ms * 2 < 60000 ? full_ms * 2 : 60000;
    }
    config.backoff_min_ms = config.backoff_max_ms = 0;
    assert_int_equal(task_backoff_ms(&config, 5, 9), 0);
    config.backoff_max_ms = 86400000;
    assert_int_equal(task_backoff_ms(&config, UINT32_MAX, 9), 0); /* twice nothing is nothing */
    config.backoff_min_ms = 1;
    assert_int_equal(task_backoff_ms(&config, 1, UINT64_MAX), 1);
    config.backoff_min_ms = 86400000;
    assert_in_range(task_backoff_ms(&config, UINT32_MAX, UINT64_MAX), 43200000, 86400000);
}

static void test_a_task_expires_by_age_if_its_queue_says_so(void **state)
{
    struct queue_config config = queue_config_default();

    (void)state;
    assert_false(task_is_expired(&config, 0, INT64_MAX));
    config.task_ttl_ms = 1000;
    assert_false(task_is_expired(&config, NOW_MS, NOW_MS + 999));
    assert_true(task_is_expired(&config, NOW_MS, NOW_MS + 1000));
    assert_false(task_is_expired(&config, NOW_MS, NOW_MS - 5000));
}

static void test_a_checkpoint_lasts_until_the_task_is_done(void **state)
{
    struct task_command save = {.kind = TASK_CHECKPOINT, .fence = 1, .has_data = true};
    struct task task = leased(0);

    (void)state;
    step(&task, save, NOW_MS);
    assert_true(task.has_checkpoint);
    step(&task, (struct task_command){.kind = TASK_NACK_PREEMPTED, .fence = 1}, NOW_MS);
    assert_true(task.has_checkpoint);
    step(&task, (struct task_command){.kind = TASK_LEASE, .session = SESSION}, NOW_MS);
    save.fence = 2;
    save.has_data = false;
    step(&task, save, NOW_MS);
    assert_false(task.has_checkpoint);
    save.has_data = true;
    step(&task, save, NOW_MS);
    step(&task, (struct task_command){.kind = TASK_ACK, .fence = 2}, NOW_MS);
    assert_false(task.has_checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_L1_a_task_that_is_leased_can_not_be_leased_again),
        cmocka_unit_test(test_L2_each_lease_has_a_fence_one_larger),
        cmocka_unit_test(test_L3_an_ack_with_an_old_fence_is_refused),
        cmocka_unit_test(test_L3_an_old_fence_that_proves_completion_closes_an_open_task),
        cmocka_unit_test(test_L3_a_lease_that_ran_out_unnoticed_is_salvaged_without_loss),
        cmocka_unit_test(test_L4_a_lease_without_a_session_is_live_before_its_deadline_alone),
        cmocka_unit_test(test_L4_a_lease_is_lost_when_its_deadline_is_there_not_before),
        cmocka_unit_test(test_L5_renewing_never_brings_a_deadline_closer),
        cmocka_unit_test(test_L6_only_failures_count_towards_max_failures),
        cmocka_unit_test(test_L6_only_losses_count_towards_max_losses),
        cmocka_unit_test(test_L6_a_permanent_failure_kills_at_once),
        cmocka_unit_test(test_L8_done_is_for_ever_and_dead_ends_by_redrive_alone),
        cmocka_unit_test(test_lease_time_is_useful_wasted_or_neither),
        cmocka_unit_test(test_a_nack_waits_as_it_says_or_as_the_queue_says),
        cmocka_unit_test(test_backoff_doubles_from_min_to_max_and_half_of_it_is_drawn),
        cmocka_unit_test(test_a_task_expires_by_age_if_its_queue_says_so),
        cmocka_unit_test(test_a_checkpoint_lasts_until_the_task_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
