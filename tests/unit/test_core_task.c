/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_task.c -- the rules: every state by every command, and the invariants L1..L8 of
 * core/task.h one by one and under random commands.
 *
 * The grid below says by hand what must come out. Rows are what a task may be, columns what may be
 * asked of it; commands with a fence come four times: with the fence of the latest lease (3), an
 * older one (2), one that was never given out (4), and 0. A cell is the state after, or a refusal:
 *
 *   N R D L   NONE, READY, DELAYED, LEASED       .   refused: the state does not allow it
 *   O         DONE                               l   refused: the lease is not the caller's
 *   X         DEAD                               r   DONE before by this lease: repeated
 *   F         DELAYED, or DEAD at max_failures   s   DONE by salvage, or l if the queue refuses it
 *   W         READY, or DEAD at max_losses
 *
 * Each cell runs with every combination of the three config switches that F, W and s name.
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

struct row {
    const char *name;
    struct task task;
    const char *cells;
};

#define WAITING(state_, at) .state = (state_), .at_ms = (at), .published_ms = PUBLISHED_MS
#define TOUCHED .fence = 3, .deliveries = 3, .published_ms = PUBLISHED_MS

static const char *const heads = "PP LL RRRR CCCC AAAA BBBB FFFF EEEE UUUU OOO W XX K V";

static const struct row rows[] = {
    {"NONE", {.state = TASK_NONE}, "RD .. llll llll llll llll llll llll llll ... . .. . ."},
    {"READY, fresh",
     {WAITING(TASK_READY, 0)},
     ".. LL llll llll llll llll llll llll llll ... . X. X ."},
    {"READY again",
     {TOUCHED, .state = TASK_READY},
     ".. LL llll llll llll ssll llll llll llll ... . X. X ."},
    {"DELAYED, fresh",
     {WAITING(TASK_DELAYED, NOW_MS + 1)},
     ".. .. llll llll llll llll llll llll llll ... . .. X ."},
    {"DELAYED again",
     {TOUCHED, .state = TASK_DELAYED, .at_ms = NOW_MS + 1},
     ".. .. llll llll llll ssll llll llll llll ... . .. X ."},
    {"DELAYED, due",
     {TOUCHED, .state = TASK_DELAYED, .at_ms = NOW_MS},
     ".. .. llll llll llll ssll llll llll llll ... R .. X ."},
    {"LEASED, live",
     {TOUCHED, .state = TASK_LEASED, .at_ms = NOW_MS + 1, .leased_ms = LEASED_MS},
     ".. .. Llll Llll Olll Osll Flll Rlll Rlll ... . .. X ."},
    {"LEASED, over",
     {TOUCHED, .state = TASK_LEASED, .at_ms = NOW_MS, .leased_ms = LEASED_MS},
     ".. .. llll llll llll ssll llll llll llll W.. . .. X ."},
    {"LEASED, session",
     {TOUCHED, .state = TASK_LEASED, .session = SESSION, .leased_ms = LEASED_MS},
     ".. .. Llll Llll Olll Osll Flll Rlll Rlll .W. . .. X ."},
    {"DONE",
     {TOUCHED, .state = TASK_DONE, .done_fence = 3, .at_ms = NOW_MS - 5},
     ".. .. llll llll rlll rlll llll llll llll ... . .. . ."},
    {"DONE by salvage",
     {TOUCHED, .state = TASK_DONE, .done_fence = 2, .at_ms = NOW_MS - 5},
     ".. .. llll llll lrll lrll llll llll llll ... . .. . ."},
    {"DEAD",
     {TOUCHED, .state = TASK_DEAD, .dead_reason = DEAD_FAILURES, .at_ms = NOW_MS - 5},
     ".. .. llll llll llll llll llll llll llll ... . .. . R"},
    {"DEAD, fresh",
     {.state = TASK_DEAD, .dead_reason = DEAD_CANCELLED, .at_ms = NOW_MS, .published_ms = 1},
     ".. .. llll llll llll llll llll llll llll ... . .. . R"},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* Which combination of switches a cell runs under. */
struct switches {
    bool dies_of_failures;
    bool dies_of_losses;
    bool refuses_late_results;
};

static struct queue_config config_of(struct switches switches)
{
    struct queue_config config = queue_config_default();

    config.lease_ms = LEASE_MS;
    config.backoff_min_ms = BACKOFF_MS;
    config.max_failures = switches.dies_of_failures ? 1 : 5;
    config.max_losses = switches.dies_of_losses ? 1 : 5;
    config.late_results =
        switches.refuses_late_results ? LATE_RESULTS_REFUSE : LATE_RESULTS_SALVAGE;
    return config;
}

/* The command of a column: `head` names it, `nth` says which of its variants. */
static struct task_command command_of(char head, int nth, struct queue_config *config)
{
    static const uint32_t fences[] = {3, 2, 4, 0};
    static const uint64_t gone[] = {0, SESSION, OTHER_SESSION};
    struct task_command command = {
        .delay_ms = TASK_DELAY_BACKOFF, .lease_ms = LEASE_MS, .fence = fences[nth]};

    switch (head) {
    case 'P':
        command.kind = TASK_PUBLISH;
        command.delay_ms = nth == 0 ? 0 : 500;
        break;
    case 'L':
        command.kind = TASK_LEASE;
        command.session = nth == 0 ? 0 : SESSION;
        break;
    case 'R':
        command.kind = TASK_RENEW;
        break;
    case 'C':
        command.kind = TASK_CHECKPOINT;
        command.has_data = true;
        break;
    case 'A':
    case 'B':
        command.kind = TASK_ACK;
        command.proves_completion = head == 'B';
        break;
    case 'F':
        command.kind = TASK_NACK_FAILED;
        break;
    case 'E':
        command.kind = TASK_NACK_PREEMPTED;
        break;
    case 'U':
        command.kind = TASK_NACK_RELEASED;
        break;
    case 'O':
        command.kind = TASK_LOSE;
        command.session = gone[nth];
        break;
    case 'W':
        command.kind = TASK_WAKE;
        break;
    case 'X':
        command.kind = TASK_EXPIRE;
        config->task_ttl_ms = nth == 0 ? NOW_MS - PUBLISHED_MS : NOW_MS - PUBLISHED_MS + 1;
        break;
    case 'K':
        command.kind = TASK_CANCEL;
        break;
    default:
        command.kind = TASK_REDRIVE;
        break;
    }
    return command;
}

/* What a cell says under these switches: 'N', 'R', 'D', 'L', 'O', 'X', '.', 'l', 'r' or 's'. */
static char resolve(char cell, struct switches switches)
{
    if (cell == 'F')
        return switches.dies_of_failures ? 'X' : 'D';
    if (cell == 'W')
        return switches.dies_of_losses ? 'X' : 'R';
    if (cell == 's')
        return switches.refuses_late_results ? 'l' : 's';
    return cell;
}

static char observe(enum status status, const struct task *task, const struct task_effects *effects)
{
    if (status != STATUS_OK)
        return status == STATUS_LEASE_LOST ? 'l' : status == STATUS_WRONG_STATE ? '.' : '?';
    if (effects->repeated)
        return task->state == TASK_DONE ? 'r' : '?';
    if (effects->salvaged)
        return task->state == TASK_DONE ? 's' : '?';
    return "NRDLOX"[task->state];
}

static void check_cell(const struct row *row, char head, int nth, char cell,
                       struct switches switches)
{
    struct queue_config config = config_of(switches);
    struct task_command command = command_of(head, nth, &config);
    struct task_effects effects;
    struct task task = row->task;
    enum status status = task_step(&task, &command, &config, NOW_MS, 12345, &effects);
    char seen = observe(status, &task, &effects);

    if (seen != resolve(cell, switches))
        fail_msg("%s, %s (%c%d): '%c' where '%c' is right", row->name,
                 task_command_name(command.kind), head, nth, seen, resolve(cell, switches));
    if (status != STATUS_OK || effects.repeated) /* L7 */
        assert_memory_equal(&task, &row->task, sizeof task);
    task_check(&task);
}

static void check_row(const struct row *row)
{
    int nth = 0;

    assert_int_equal(strlen(row->cells), strlen(heads));
    for (size_t i = 0; heads[i] != '\0'; i++) {
        nth = i > 0 && heads[i] == heads[i - 1] ? nth + 1 : 0;
        if (heads[i] == ' ') {
            assert_int_equal(row->cells[i], ' ');
            continue;
        }
        for (unsigned bits = 0; bits < 8; bits++)
            check_cell(row, heads[i], nth, row->cells[i],
                       (struct switches){bits & 1, bits >> 1 & 1, bits >> 2 & 1});
    }
}

static void test_every_state_by_every_command(void **state)
{
    bool seen[TASK_STATE_COUNT] = {false};

    (void)state;
    print_message("%-16s %s\n", "", heads);
    for (size_t i = 0; i < ROWS; i++) {
        task_check(&rows[i].task);
        check_row(&rows[i]);
        seen[rows[i].task.state] = true;
        print_message("%-16s %s\n", rows[i].name, rows[i].cells);
    }
    for (int i = 0; i < TASK_STATE_COUNT; i++)
        assert_true(seen[i]);
    for (int i = 0; i < TASK_COMMAND_COUNT; i++) {
        bool asked = false;

        for (const char *head = heads; *head != '\0'; head++) {
            struct queue_config config = config_of((struct switches){0});

            asked |= *head != ' ' && command_of(*head, 0, &config).kind == (unsigned)i;
        }
        assert_true(asked);
    }
}

/* ---- the invariants, one by one ---- */

static const struct queue_config *default_config(void)
{
    static struct queue_config config;

    config = config_of((struct switches){0});
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

static void test_L7_a_refused_command_changes_nothing_and_has_no_effects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (int kind = 0; kind < TASK_COMMAND_COUNT; kind++) {
            static const struct task_effects none;
            struct task_command command = {
                .kind = (enum task_command_kind)kind, .fence = 9, .session = 9, .lease_ms = 5};
            struct task task = rows[i].task;
            struct task_effects effects;

            if (task_step(&task, &command, default_config(), NOW_MS, 1, &effects) == STATUS_OK)
                continue;
            assert_memory_equal(&task, &rows[i].task, sizeof task);
            assert_memory_equal(&effects, &none, sizeof effects);
        }
    }
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

/* ---- random commands ---- */

static uint64_t draws;

static uint64_t below(uint64_t bound)
{
    return hash_u64(++draws) % bound;
}

static struct task_command draw_command(const struct task *task)
{
    return (struct task_command){
        .kind = (enum task_command_kind)below(TASK_COMMAND_COUNT),
        .fence = below(3) == 0 ? (uint32_t)below(task->fence + 2) : task->fence,
        .session = below(3) == 0   ? SESSION
                   : below(2) == 0 ? task->session
                                   : 0,
        .lease_ms = (int64_t)(1 + below(LEASE_MS_MAX)),
        .delay_ms = below(2) == 0 ? TASK_DELAY_BACKOFF : (int64_t)below(5000),
        .proves_completion = below(2) == 0,
        .has_data = below(2) == 0,
        .permanent = below(20) == 0,
        .unstarted = below(3) == 0,
    };
}

/* What holds between a task and the task after, whatever the command was. */
static void check_step(const struct task *before, const struct task *after,
                       const struct task_command *command, const struct task_effects *effects)
{
    assert_true(after->fence == before->fence || after->fence == before->fence + 1); /* L2 */
    assert_int_equal(after->fence > before->fence, command->kind == TASK_LEASE);
    if (before->state == TASK_LEASED)
        assert_int_equal(after->fence, before->fence); /* L1 */
    if (before->state == TASK_DONE)                    /* L8 */
        assert_memory_equal(before, after, sizeof *after);
    if (before->state == TASK_DEAD)
        assert_int_equal(command->kind, TASK_REDRIVE);
    if (before->state == TASK_LEASED && after->state == TASK_LEASED && before->session == 0)
        assert_true(after->at_ms >= before->at_ms); /* L5 */
    assert_true(effects->useful_ms >= 0 && effects->wasted_ms >= 0);
    if (effects->useful_ms > 0 || effects->wasted_ms > 0 || effects->ended_fence != 0)
        assert_int_equal(before->state, TASK_LEASED);
    if (after->deliveries != before->deliveries)
        assert_int_equal(after->deliveries, before->deliveries + 1);
    if (after->state == TASK_DEAD && before->state != TASK_DEAD) /* L6 */
        assert_true(command->kind == TASK_NACK_FAILED || command->kind == TASK_LOSE ||
                    command->kind == TASK_CANCEL || command->kind == TASK_EXPIRE);
}

static void test_random_commands_keep_every_invariant(void **state)
{
    int ends[TASK_STATE_COUNT] = {0};

    (void)state;
    for (int life = 0; life < 3000; life++) {
        struct queue_config config =
            config_of((struct switches){below(3) == 0, below(3) == 0, below(3) == 0});
        struct task task = {.state = TASK_NONE};
        int64_t now_ms = NOW_MS;

        config.task_ttl_ms = below(4) == 0 ? 50000 : 0;
        for (int i = 0; i < 60; i++) {
            struct task_command command = draw_command(&task);
            struct task before = task;
            struct task_effects effects;

            now_ms += below(3) == 0 ? (int64_t)below(20000) : 0;
            if (task_step(&task, &command, &config, now_ms, below(UINT64_MAX), &effects) !=
                STATUS_OK) {
                assert_memory_equal(&task, &before, sizeof task); /* L7 */
                continue;
            }
            task_check(&task);
            check_step(&before, &task, &command, &effects);
        }
        ends[task.state]++;
    }
    for (int i = TASK_READY; i < TASK_STATE_COUNT; i++)
        assert_true(ends[i] > 0); /* the stories came everywhere */
}

static void test_names_are_those_of_the_tables(void **state)
{
    (void)state;
    assert_string_equal(task_state_name(TASK_DELAYED), "DELAYED");
    assert_string_equal(task_state_name((enum task_state)99), "?");
    assert_string_equal(task_command_name(TASK_NACK_FAILED), "NACK_FAILED");
    assert_string_equal(task_command_name((enum task_command_kind)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_by_every_command),
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
        cmocka_unit_test(test_L7_a_refused_command_changes_nothing_and_has_no_effects),
        cmocka_unit_test(test_L8_done_is_for_ever_and_dead_ends_by_redrive_alone),
        cmocka_unit_test(test_lease_time_is_useful_wasted_or_neither),
        cmocka_unit_test(test_a_nack_waits_as_it_says_or_as_the_queue_says),
        cmocka_unit_test(test_backoff_doubles_from_min_to_max_and_half_of_it_is_drawn),
        cmocka_unit_test(test_a_task_expires_by_age_if_its_queue_says_so),
        cmocka_unit_test(test_a_checkpoint_lasts_until_the_task_is_done),
        cmocka_unit_test(test_random_commands_keep_every_invariant),
        cmocka_unit_test(test_names_are_those_of_the_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
