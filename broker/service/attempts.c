/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attempts.c -- a task's history as protobuf messages.
 */
#include "core/history.h"
#include "service/internal.h"

static PB(Attempt) *build_attempt(struct arena *arena, const struct attempt *from)
{
    PB(Attempt) *attempt = PB_NEW(arena, Attempt, attempt);

    if (attempt == NULL)
        return NULL;
    attempt->fence = from->fence;
    attempt->end = (PB(AttemptEnd))from->end; /* the numbers are the same */
    attempt->leased_unix_ms = from->leased_ms;
    attempt->ended_unix_ms = from->ended_ms;
    attempt->session_id = wire_session_id(arena, from->session);
    attempt->worker = wire_string(arena, from->worker);
    attempt->pod = wire_string(arena, from->pod);
    attempt->node = wire_string(arena, from->node);
    attempt->error = wire_string(arena, from->error);
    attempt->has_checkpoint = from->has_checkpoint;
    attempt->unstarted = from->unstarted;
    attempt->dead_reason = (PB(DeadReason))from->dead_reason;
    return attempt->session_id == NULL || attempt->worker == NULL || attempt->pod == NULL ||
                   attempt->node == NULL || attempt->error == NULL
               ? NULL
               : attempt;
}

static bool add(struct arena *arena, const struct attempt *attempt, PB(Task) *task)
{
    task->attempts[task->n_attempts] = build_attempt(arena, attempt);
    return task->attempts[task->n_attempts++] != NULL;
}

bool wire_attempts(struct arena *arena, const struct task_view *view, PB(Task) *task)
{
    struct attempt attempt;
    struct slice rest;

    task->attempts_left_out = history_begin(view->history, &rest);
    task->attempts = ARENA_ARRAY(arena, HISTORY_ATTEMPTS_MAX + 1, PB(Attempt) *);
    if (task->attempts == NULL)
        return false;
    while (task->n_attempts < HISTORY_ATTEMPTS_MAX && history_next(&rest, &attempt))
        if (!add(arena, &attempt, task))
            return false;
    if (view->task.state != TASK_LEASED)
        return true;
    attempt = (struct attempt){
        .end = ATTEMPT_GOES_ON,
        .fence = view->task.fence,
        .session = view->task.session,
        .leased_ms = view->task.leased_ms,
        .worker = view->worker,
        .pod = view->pod,
        .node = view->node,
        .has_checkpoint = view->task.has_checkpoint,
    };
    return add(arena, &attempt, task);
}
