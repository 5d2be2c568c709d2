/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coverage.c -- the state table as a list of transitions, and how often each was taken.
 */
#include "coverage.h"

#include <inttypes.h>
#include <stdio.h>

/* Every transition that the rules know. */
#define TRANSITIONS(X)                                                                             \
    X(NONE, PUBLISH, READY)                                                                        \
    X(NONE, PUBLISH, DELAYED)                                                                      \
    X(READY, LEASE, LEASED)                                                                        \
    X(LEASED, RENEW, LEASED)                                                                       \
    X(LEASED, CHECKPOINT, LEASED)                                                                  \
    X(LEASED, ACK, DONE)                                                                           \
    X(READY, ACK, DONE)                                                                            \
    X(DELAYED, ACK, DONE)                                                                          \
    X(DONE, ACK, DONE)                                                                             \
    X(LEASED, NACK_FAILED, READY)                                                                  \
    X(LEASED, NACK_FAILED, DELAYED)                                                                \
    X(LEASED, NACK_FAILED, DEAD)                                                                   \
    X(LEASED, NACK_PREEMPTED, READY)                                                               \
    X(LEASED, NACK_PREEMPTED, DELAYED)                                                             \
    X(LEASED, NACK_RELEASED, READY)                                                                \
    X(LEASED, NACK_RELEASED, DELAYED)                                                              \
    X(LEASED, LOSE, READY)                                                                         \
    X(LEASED, LOSE, DEAD)                                                                          \
    X(DELAYED, WAKE, READY)                                                                        \
    X(READY, EXPIRE, DEAD)                                                                         \
    X(READY, CANCEL, DEAD)                                                                         \
    X(DELAYED, CANCEL, DEAD)                                                                       \
    X(LEASED, CANCEL, DEAD)                                                                        \
    X(DEAD, REDRIVE, READY)

/* And those that it must have refused: what a stale, a repeated or a foolish command may meet. */
#define REFUSALS(X)                                                                                \
    X(READY, ACK)                                                                                  \
    X(DELAYED, ACK)                                                                                \
    X(LEASED, ACK)                                                                                 \
    X(DONE, ACK)                                                                                   \
    X(DEAD, ACK)                                                                                   \
    X(READY, NACK_FAILED)                                                                          \
    X(DELAYED, NACK_FAILED)                                                                        \
    X(LEASED, NACK_FAILED)                                                                         \
    X(DONE, NACK_FAILED)                                                                           \
    X(DEAD, NACK_FAILED)                                                                           \
    X(READY, NACK_PREEMPTED)                                                                       \
    X(LEASED, NACK_PREEMPTED)                                                                      \
    X(READY, RENEW)                                                                                \
    X(DELAYED, RENEW)                                                                              \
    X(LEASED, RENEW)                                                                               \
    X(DONE, RENEW)                                                                                 \
    X(READY, CHECKPOINT)                                                                           \
    X(LEASED, CHECKPOINT)                                                                          \
    X(DONE, CHECKPOINT)                                                                            \
    X(DEAD, CANCEL)

static struct coverage *coverage;

enum status __real_task_step(struct task *task, const struct task_command *command,
                             const struct queue_config *config, int64_t now_ms, uint64_t random,
                             struct task_effects *ret_effects);
enum status __wrap_task_step(struct task *task, const struct task_command *command,
                             const struct queue_config *config, int64_t now_ms, uint64_t random,
                             struct task_effects *ret_effects);

enum status __wrap_task_step(struct task *task, const struct task_command *command,
                             const struct queue_config *config, int64_t now_ms, uint64_t random,
                             struct task_effects *ret_effects)
{
    enum task_state before = task->state;
    enum status status = __real_task_step(task, command, config, now_ms, random, ret_effects);

    if (coverage != NULL && status == STATUS_OK)
        coverage->steps[before][command->kind][task->state]++;
    else if (coverage != NULL)
        coverage->refusals[before][command->kind]++;
    return status;
}

void coverage_use(struct coverage *self)
{
    coverage = self;
}

void coverage_note_publish(void)
{
    coverage->steps[TASK_NONE][TASK_PUBLISH][TASK_READY]++;
}

void coverage_add(struct coverage *self, const struct coverage *other)
{
    for (int from = 0; from < TASK_STATE_COUNT; from++)
        for (int kind = 0; kind < TASK_COMMAND_COUNT; kind++) {
            self->refusals[from][kind] += other->refusals[from][kind];
            for (int to = 0; to < TASK_STATE_COUNT; to++)
                self->steps[from][kind][to] += other->steps[from][kind][to];
        }
}

struct row {
    enum task_state from;
    enum task_command_kind kind;
    enum task_state to; /* TASK_NONE: refused */
};

static const struct row rows[] = {
#define X(from, kind, to) {TASK_##from, TASK_##kind, TASK_##to},
    TRANSITIONS(X)
#undef X
#define X(from, kind) {TASK_##from, TASK_##kind, TASK_NONE},
        REFUSALS(X)
#undef X
};

int coverage_report(const struct coverage *self)
{
    int row_count = sizeof rows / sizeof rows[0];
    int missing = 0;

    for (int i = 0; i < row_count; i++) {
        const struct row *row = &rows[i];
        int64_t count = row->to == TASK_NONE ? self->refusals[row->from][row->kind]
                                             : self->steps[row->from][row->kind][row->to];

        if (count > 0)
            continue;
        missing++;
        printf("never seen: %s %s -> %s\n", task_state_name(row->from),
               task_command_name(row->kind),
               row->to == TASK_NONE ? "refused" : task_state_name(row->to));
    }
    printf("%d of %d transitions and refusals of the state table were taken\n", row_count - missing,
           row_count);
    return missing;
}
