/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attempt.c -- a task's history: what steps add to it, and what Get shows of it.
 *
 * It lies in the active row, which such a step writes anyway, so that a hundred thousand leases
 * lost at once cost a hundred thousand longer rows and no further ones.
 */
#include "shard/state.h"

static struct slice unless_equal(struct slice name, struct slice other)
{
    return slice_equal(name, other) ? SLICE_EMPTY : name;
}

void attempt_note(struct shard *shard, struct held *held, const struct task *before,
                  const struct task *after, const struct task_command *command,
                  const struct slice *error)
{
    struct attempt attempt = attempt_of_step(before, after, command, shard->batch.now_ms);
    const struct session *session =
        attempt.session == 0 ? NULL : session_find(shard, attempt.session);

    if (attempt.end == ATTEMPT_GOES_ON)
        return;
    if (session != NULL) {
        attempt.worker = session->names.worker;
        attempt.pod = unless_equal(session->names.pod, attempt.worker);
        attempt.node = session->names.node;
    }
    if (error != NULL)
        attempt.error = *error;
    history_add(&held->history, &attempt);
}

/* The one that goes on. */
static bool show_holder(struct shard *shard, const struct task *task, struct arena *arena,
                        struct task_view *view)
{
    const struct session *session = task->session == 0 ? NULL : session_find(shard, task->session);

    if (session == NULL)
        return true;
    return copy_slice(arena, session->names.worker, &view->worker) &&
           copy_slice(arena, unless_equal(session->names.pod, session->names.worker), &view->pod) &&
           copy_slice(arena, session->names.node, &view->node);
}

enum status attempt_show(struct shard *shard, const struct held *held, struct arena *arena,
                         struct task_view *view)
{
    return copy_slice(arena, history_slice(&held->history), &view->history) &&
                   show_holder(shard, &held->task, arena, view)
               ? STATUS_OK
               : STATUS_TOO_LARGE;
}
