/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_task.c -- the rules: every state by every command, and all invariants under random
 * commands.
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

static void test_L7_a_refused_command_changes_nothing_and_has_no_effects(void **state)
{
    struct queue_config config = config_of((struct switches){0});

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (int kind = 0; kind < TASK_COMMAND_COUNT; kind++) {
            static const struct task_effects none;
            struct task_command command = {
                .kind = (enum task_command_kind)kind, .fence = 9, .session = 9, .lease_ms = 5};
            struct task task = rows[i].task;
            struct task_effects effects;

            if (task_step(&task, &command, &config, NOW_MS, 1, &effects) == STATUS_OK)
                continue;
            assert_memory_equal(&task, &rows[i].task, sizeof task);
            assert_memory_equal(&effects, &none, sizeof effects);
        }
    }
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
        cmocka_unit_test(test_L7_a_refused_command_changes_nothing_and_has_no_effects),
        cmocka_unit_test(test_random_commands_keep_every_invariant),
        cmocka_unit_test(test_names_are_those_of_the_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
