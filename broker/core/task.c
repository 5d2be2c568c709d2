/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.c -- one function a command, and the table that finds it.
 */
#include "core/task.h"

#include <string.h>

#include "base/assert.h"
#include "core/limits.h"

struct step {
    struct task *task; /* a copy: taken over only if the command is carried out */
    const struct task_command *command;
    const struct queue_config *config;
    int64_t now_ms;
    uint64_t random;
    struct task_effects *effects;
};

typedef enum status step_function(struct step *step);

static step_function step_publish, step_lease, step_renew, step_checkpoint, step_ack,
    step_nack_failed, step_nack_preempted, step_nack_released, step_lose, step_wake, step_expire,
    step_cancel, step_redrive;

static step_function *const steps[TASK_COMMAND_COUNT] = {
    [TASK_PUBLISH] = step_publish,
    [TASK_LEASE] = step_lease,
    [TASK_RENEW] = step_renew,
    [TASK_CHECKPOINT] = step_checkpoint,
    [TASK_ACK] = step_ack,
    [TASK_NACK_FAILED] = step_nack_failed,
    [TASK_NACK_PREEMPTED] = step_nack_preempted,
    [TASK_NACK_RELEASED] = step_nack_released,
    [TASK_LOSE] = step_lose,
    [TASK_WAKE] = step_wake,
    [TASK_EXPIRE] = step_expire,
    [TASK_CANCEL] = step_cancel,
    [TASK_REDRIVE] = step_redrive,
};

enum status task_step(struct task *task, const struct task_command *command,
                      const struct queue_config *config, int64_t now_ms, uint64_t random,
                      struct task_effects *ret_effects)
{
    struct task after = *task;
    struct step step = {&after, command, config, now_ms, random, ret_effects};
    enum status status;

    ASSERT(command->kind < TASK_COMMAND_COUNT);
    memset(ret_effects, 0, sizeof *ret_effects);

    status = steps[command->kind](&step);
    if (status != STATUS_OK)
        return status; /* L7 */

    task_check(&after);
    ASSERT(after.fence >= task->fence); /* L2 */
    *task = after;
    return STATUS_OK;
}

static bool is_open(const struct task *task)
{
    return task->state == TASK_READY || task->state == TASK_DELAYED || task->state == TASK_LEASED;
}

/* L3, L4: whether the command comes from the one who holds the task now. */
static bool holds_lease(const struct step *step)
{
    const struct task *task = step->task;

    return task->state == TASK_LEASED && task->fence == step->command->fence &&
           (task->session != 0 || step->now_ms < task->at_ms);
}

static int64_t lease_time_ms(const struct step *step)
{
    int64_t held_ms = step->now_ms - step->task->leased_ms;

    return held_ms > 0 ? held_ms : 0;
}

/* The lease is over: forgets who had it. */
static void end_lease(struct step *step)
{
    step->effects->ended_session = step->task->session;
    step->effects->ended_fence = step->task->fence;
    step->task->session = 0;
    step->task->leased_ms = 0;
    step->task->at_ms = 0;
}

static void become_waiting(struct step *step, int64_t delay_ms)
{
    step->task->state = delay_ms > 0 ? TASK_DELAYED : TASK_READY;
    step->task->at_ms = delay_ms > 0 ? step->now_ms + delay_ms : 0;
}

static void become_dead(struct step *step, enum dead_reason reason)
{
    step->task->state = TASK_DEAD;
    step->task->dead_reason = reason;
    step->task->at_ms = step->now_ms;
}

static enum status step_publish(struct step *step)
{
    if (step->task->state != TASK_NONE)
        return STATUS_WRONG_STATE;
    step->task->published_ms = step->now_ms;
    become_waiting(step, step->command->delay_ms);
    return STATUS_OK;
}

static enum status step_lease(struct step *step)
{
    struct task *task = step->task;

    if (task->state != TASK_READY)
        return STATUS_WRONG_STATE; /* L1 */
    task->state = TASK_LEASED;
    task->fence++; /* L2 */
    task->deliveries++;
    task->session = step->command->session;
    task->leased_ms = step->now_ms;
    task->at_ms = task->session != 0 ? 0 : step->now_ms + step->command->lease_ms;
    return STATUS_OK;
}

static enum status step_renew(struct step *step)
{
    int64_t deadline_ms = step->now_ms + step->command->lease_ms;

    ASSERT(step->command->lease_ms > 0 && step->command->lease_ms <= LEASE_MS_MAX);
    if (!holds_lease(step))
        return STATUS_LEASE_LOST;
    if (step->task->session == 0 && deadline_ms > step->task->at_ms)
        step->task->at_ms = deadline_ms; /* L5 */
    return STATUS_OK;
}

static enum status step_checkpoint(struct step *step)
{
    if (!holds_lease(step))
        return STATUS_LEASE_LOST;
    step->task->has_checkpoint = step->command->has_data;
    return STATUS_OK;
}

static void close_task(struct step *step)
{
    step->task->state = TASK_DONE;
    step->task->done_fence = step->command->fence;
    step->task->has_checkpoint = false;
    step->task->at_ms = step->now_ms;
}

/* Finished work is not thrown away: an old lease's proof closes a task that is still open. The
 * time of a newer lease is then lost, and its holder told. */
static enum status salvage(struct step *step)
{
    struct task *task = step->task;

    if (!is_open(task) || !step->command->proves_completion ||
        step->config->late_results != LATE_RESULTS_SALVAGE || step->command->fence == 0 ||
        step->command->fence > task->fence)
        return STATUS_LEASE_LOST;

    step->effects->salvaged = true;
    if (task->state == TASK_LEASED) {
        bool own = task->fence == step->command->fence; /* expired, though not yet swept */
        *(own ? &step->effects->useful_ms : &step->effects->wasted_ms) = lease_time_ms(step);
        step->effects->holder_stops = own ? STOP_NOT : STOP_DONE;
        end_lease(step);
    }
    close_task(step);
    return STATUS_OK;
}

static enum status step_ack(struct step *step)
{
    if (step->task->state == TASK_DONE && step->task->done_fence == step->command->fence) {
        step->effects->repeated = true;
        return STATUS_OK;
    }
    if (!holds_lease(step))
        return salvage(step);
    step->effects->useful_ms = lease_time_ms(step);
    end_lease(step);
    close_task(step);
    return STATUS_OK;
}

static void give_back(struct step *step)
{
    if (!step->command->unstarted)
        step->effects->wasted_ms = lease_time_ms(step);
    end_lease(step);
}

static enum status step_nack_failed(struct step *step)
{
    struct task *task = step->task;
    int64_t delay_ms = step->command->delay_ms;

    if (!holds_lease(step))
        return STATUS_LEASE_LOST;
    give_back(step);
    task->failures++;
    if (step->command->permanent || task->failures >= step->config->max_failures) { /* L6 */
        become_dead(step, DEAD_FAILURES);
        return STATUS_OK;
    }
    if (delay_ms == TASK_DELAY_BACKOFF)
        delay_ms = task_backoff_ms(step->config, task->failures, step->random);
    become_waiting(step, delay_ms);
    return STATUS_OK;
}

static enum status nack_unharmed(struct step *step)
{
    int64_t delay_ms = step->command->delay_ms;

    if (!holds_lease(step))
        return STATUS_LEASE_LOST;
    give_back(step);
    become_waiting(step, delay_ms == TASK_DELAY_BACKOFF ? 0 : delay_ms);
    return STATUS_OK;
}

static enum status step_nack_preempted(struct step *step)
{
    enum status status = nack_unharmed(step);

    if (status == STATUS_OK)
        step->task->preemptions++; /* L6: counted, never fatal */
    return status;
}

static enum status step_nack_released(struct step *step)
{
    return nack_unharmed(step);
}

static enum status step_lose(struct step *step)
{
    struct task *task = step->task;

    if (task->state != TASK_LEASED || task->session != step->command->session)
        return STATUS_WRONG_STATE;
    if (task->session == 0 && step->now_ms < task->at_ms)
        return STATUS_WRONG_STATE; /* L4: renewed meanwhile */
    step->effects->wasted_ms = lease_time_ms(step);
    step->effects->holder_stops = STOP_LOST;
    end_lease(step);
    task->losses++;
    if (task->losses >= step->config->max_losses) /* L6 */
        become_dead(step, DEAD_LOSSES);
    else
        become_waiting(step, 0);
    return STATUS_OK;
}

static enum status step_wake(struct step *step)
{
    if (step->task->state != TASK_DELAYED || step->now_ms < step->task->at_ms)
        return STATUS_WRONG_STATE;
    become_waiting(step, 0);
    return STATUS_OK;
}

static enum status step_expire(struct step *step)
{
    if (step->task->state != TASK_READY ||
        !task_is_expired(step->config, step->task->published_ms, step->now_ms))
        return STATUS_WRONG_STATE;
    become_dead(step, DEAD_EXPIRED);
    return STATUS_OK;
}

static enum status step_cancel(struct step *step)
{
    if (!is_open(step->task))
        return STATUS_WRONG_STATE; /* L8 */
    if (step->task->state == TASK_LEASED) {
        step->effects->wasted_ms = lease_time_ms(step);
        step->effects->holder_stops = STOP_CANCELLED;
        end_lease(step);
    }
    become_dead(step, DEAD_CANCELLED);
    return STATUS_OK;
}

static enum status step_redrive(struct step *step)
{
    struct task *task = step->task;

    if (task->state != TASK_DEAD)
        return STATUS_WRONG_STATE;
    task->dead_reason = DEAD_NOT;
    task->failures = 0;
    task->losses = 0;
    task->published_ms = step->now_ms; /* or a task that expired would expire again at once */
    become_waiting(step, 0);
    return STATUS_OK;
}

int64_t task_backoff_ms(const struct queue_config *config, uint32_t failures, uint64_t random)
{
    int64_t wait_ms = config->backoff_min_ms;

    for (uint32_t i = 1; i < failures && wait_ms > 0 && wait_ms < config->backoff_max_ms; i++)
        wait_ms *= 2; /* at most backoff_max_ms * 2: no overflow */
    if (wait_ms > config->backoff_max_ms)
        wait_ms = config->backoff_max_ms;
    if (wait_ms < 2)
        return wait_ms;
    return wait_ms / 2 + (int64_t)(random % (uint64_t)(wait_ms - wait_ms / 2 + 1));
}

bool task_is_expired(const struct queue_config *config, int64_t published_ms, int64_t now_ms)
{
    return config->task_ttl_ms > 0 && now_ms - published_ms >= config->task_ttl_ms;
}

void task_check(const struct task *task)
{
    bool leased = task->state == TASK_LEASED;
    bool done = task->state == TASK_DONE;

    ASSERT((unsigned)task->state < TASK_STATE_COUNT);
    ASSERT(task->deliveries == task->fence); /* each lease is one delivery */
    ASSERT(leased ? task->fence > 0 : task->session == 0 && task->leased_ms == 0);
    ASSERT(done == (task->done_fence != 0) && task->done_fence <= task->fence);
    ASSERT((task->state == TASK_DEAD) == (task->dead_reason != DEAD_NOT));
    ASSERT(task->state != TASK_READY || task->at_ms == 0);
    ASSERT(task->state != TASK_DELAYED || task->at_ms > 0);
}

const char *task_state_name(enum task_state state)
{
    static const char *const names[TASK_STATE_COUNT] = {"NONE",   "READY", "DELAYED",
                                                        "LEASED", "DONE",  "DEAD"};

    return (unsigned)state < TASK_STATE_COUNT ? names[state] : "?";
}

const char *task_command_name(enum task_command_kind kind)
{
    static const char *const names[TASK_COMMAND_COUNT] = {
#define X(name) #name,
        TASK_COMMANDS(X)
#undef X
    };

    return (unsigned)kind < TASK_COMMAND_COUNT ? names[kind] : "?";
}
