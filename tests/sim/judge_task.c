/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_task.c -- tasks by their IDs: publish, cancel, get, list; and results.
 */
#include "bytes.h"
#include "core/history.h"
#include "judge.h"
#include "sim.h"

static enum status publish(struct checker *self, struct model *model, const PB(NewTask) *item)
{
    if ((int64_t)item->payload.len > self->limits.payload_bytes_max)
        return STATUS_TOO_LARGE;
    return model_publish(model, task_of_id(item->task_id), item->priority, item->delay_ms,
                         bytes_read(item->payload));
}

void judge_publish(struct checker *self, struct visit *visit)
{
    const PB(PublishRequest) *request = (const void *)visit->asked;
    const PB(PublishResponse) *reply = (const void *)visit->reply;
    struct model *model = model_of(self, request->queue);
    bool known = is_known(self, visit);

    if (known && !expect_status(self, visit, STATUS_OK))
        return;
    if (known && !expect(self, reply->n_outcomes == request->n_tasks, "outcomes are missing"))
        return;
    for (size_t i = 0; i < request->n_tasks; i++) {
        const PB(NewTask) *item = request->tasks[i];
        enum status expected = publish(self, model, item);

        if (!known)
            continue;
        expect_outcome(self, "I7: publish", item->task_id, reply->outcomes[i]->error, expected);
        if (!tells(self))
            continue;
        story_tell("task %s is published to q%c: %s", item->task_id, request->queue[1],
                   status_name(expected));
        visit->sim->figures->published += expected == STATUS_OK;
        if (expected == STATUS_OK && item->delay_ms == 0)
            coverage_note_publish();
    }
}

void judge_cancel(struct checker *self, struct visit *visit)
{
    const PB(CancelTasksRequest) *request = (const void *)visit->asked;
    const PB(CancelTasksResponse) *reply = (const void *)visit->reply;
    struct model *model = model_of(self, request->queue);

    if (is_known(self, visit) && !expect_status(self, visit, STATUS_OK))
        return;
    for (size_t i = 0; i < request->n_task_ids; i++) {
        enum status expected = model_cancel(model, task_of_id(request->task_ids[i]));

        if (reply != NULL)
            expect_outcome(self, "cancel", request->task_ids[i], reply->outcomes[i]->error,
                           expected);
        if (tells(self))
            story_tell("task %s of q%c is cancelled: %s", request->task_ids[i], request->queue[1],
                       status_name(expected));
    }
}

/* The broker draws backoffs within bounds, and tells when it is asked. */
static void learn_backoff(struct checker *self, struct model *model, struct model_task *task,
                          const PB(Task) *told)
{
    int64_t min_ms;
    int64_t max_ms;
    int64_t wait_ms;

    if (task->state != TASK_DELAYED || task->due_ms < MODEL_DUE_UNKNOWN)
        return;
    model_backoff(model, task->failures, &min_ms, &max_ms);
    if ((enum task_state)told->state != TASK_DELAYED &&
        task->waits_since_ms + min_ms <= model->now_ms) {
        model_end_backoff(model, task, self->batch.expires); /* as this batch began */
        return;
    }
    wait_ms = told->due_unix_ms - task->waits_since_ms;
    expect(self, wait_ms >= min_ms && wait_ms <= max_ms,
           "%s backs off for %d ms after %d failures; it must be %d to %d", told->task_id,
           (int)wait_ms, (int)task->failures, (int)min_ms, (int)max_ms);
    task->due_ms = told->due_unix_ms;
}

static void judge_view(struct checker *self, struct model *model, struct model_task *task,
                       const PB(Task) *told)
{
    bool waits = task->state == TASK_DELAYED;

    learn_backoff(self, model, task, told);
    waits = task->state == TASK_DELAYED || task->state == TASK_LEASED;
    expect(self, (enum task_state)told->state == task->state, "I1: %s is %s; it must be %s",
           told->task_id, task_state_name((enum task_state)told->state),
           task_state_name(task->state));
    expect(self,
           told->fence == (int64_t)task->fence && told->deliveries == (int)task->deliveries &&
               told->failures == (int)task->failures && told->losses == (int)task->losses &&
               told->preemptions == (int)task->preemptions,
           "I5: %s has fence %d, %d deliveries, %d failures, %d losses, %d preemptions; these must "
           "be %d, %d, %d, %d, %d",
           told->task_id, (int)told->fence, told->deliveries, told->failures, told->losses,
           told->preemptions, (int)task->fence, (int)task->deliveries, (int)task->failures,
           (int)task->losses, (int)task->preemptions);
    expect(self, !waits || told->due_unix_ms == task->due_ms, "%s is due at %lld; it must be %lld",
           told->task_id, (long long)told->due_unix_ms, (long long)task->due_ms);
    expect(self, told->priority == task->priority && bytes_read(told->payload) == task->payload,
           "I1: %s has another payload or priority", told->task_id);
    expect(self, told->has_checkpoint == (task->checkpoint != 0), "I1: %s has %s checkpoint",
           told->task_id, told->has_checkpoint ? "a" : "no");
    expect(self,
           task->state != TASK_DEAD || (enum dead_reason)told->dead_reason == task->dead_reason,
           "%s is dead for reason %d; it must be %d", told->task_id, told->dead_reason,
           task->dead_reason);
}

/* The story says what the model's counters say, and who is at it now. */
static void judge_attempts(struct checker *self, const struct model_task *task,
                           const PB(Task) *told)
{
    uint32_t ended[ATTEMPT_END_COUNT] = {0};
    bool goes_on = false;

    for (size_t i = 0; i < told->n_attempts; i++) {
        const PB(Attempt) *attempt = told->attempts[i];

        ended[attempt->end]++;
        if ((enum attempt_end)attempt->end == ATTEMPT_REDRIVEN)
            ended[ATTEMPT_FAILED] = ended[ATTEMPT_LOST] = ended[ATTEMPT_EXPIRED] = 0;
        goes_on = (enum attempt_end)attempt->end == ATTEMPT_GOES_ON &&
                  attempt->fence == (int64_t)task->fence &&
                  attempt->leased_unix_ms == task->leased_ms;
    }
    expect(self, goes_on == (task->state == TASK_LEASED), "%s: who holds it is told wrongly",
           told->task_id);
    expect(self,
           told->attempts_left_out > 0 ||
               (ended[ATTEMPT_FAILED] == task->failures &&
                ended[ATTEMPT_LOST] + ended[ATTEMPT_EXPIRED] == task->losses &&
                ended[ATTEMPT_PREEMPTED] == task->preemptions),
           "%s: its history tells of %d failures, %d losses, %d preemptions; these must be %d, %d, "
           "%d",
           told->task_id, (int)ended[ATTEMPT_FAILED],
           (int)(ended[ATTEMPT_LOST] + ended[ATTEMPT_EXPIRED]), (int)ended[ATTEMPT_PREEMPTED],
           (int)task->failures, (int)task->losses, (int)task->preemptions);
}

static bool is_remembered(const struct model *model, const struct model_task *task)
{
    return task->exists && (task->state != TASK_DONE ||
                            task->done_ms + model->config.dedup_retention_ms > model->now_ms);
}

void judge_task_get(struct checker *self, struct visit *visit)
{
    const PB(GetTaskRequest) *request = (const void *)visit->asked;
    const PB(GetTaskResponse) *reply = (const void *)visit->reply;
    struct model *model = model_of(self, request->queue);
    struct model_task *task = &model->tasks[task_of_id(request->task_id)];

    if (!is_known(self, visit))
        return;
    if (!is_remembered(model, task)) {
        expect(self,
               visit->status == STATUS_TASK_NOT_FOUND ||
                   (task->exists && (enum task_state)reply->task->state == TASK_DONE),
               "%s is still there", request->task_id);
        return;
    }
    if (!expect_status(self, visit, STATUS_OK))
        return;
    if (task->state == TASK_DONE)
        expect(self, (enum task_state)reply->task->state == TASK_DONE, "I4: %s is not done",
               request->task_id);
    else {
        judge_view(self, model, task, reply->task);
        judge_attempts(self, task, reply->task);
    }
}

void judge_task_list(struct checker *self, struct visit *visit)
{
    const PB(ListTasksRequest) *request = (const void *)visit->asked;
    const PB(ListTasksResponse) *reply = (const void *)visit->reply;
    struct model *model = model_of(self, request->queue);
    int expected = 0;

    if (!is_known(self, visit) || !expect_status(self, visit, STATUS_OK))
        return;
    for (int i = 0; i < MODEL_TASKS; i++)
        expected += model->tasks[i].exists && model->tasks[i].state != TASK_DONE;
    expect(self, (int)reply->n_tasks == expected, "I1: %d tasks are open or dead; it must be %d",
           (int)reply->n_tasks, expected);
    for (size_t i = 0; i < reply->n_tasks; i++) {
        struct model_task *task = &model->tasks[task_of_id(reply->tasks[i]->task_id)];

        if (expect(self, task->exists && task->state != TASK_DONE, "I4: %s is there again",
                   reply->tasks[i]->task_id))
            judge_view(self, model, task, reply->tasks[i]);
    }
}

void judge_results(struct checker *self, struct visit *visit)
{
    const PB(ListResultsRequest) *request = (const void *)visit->asked;
    const PB(ListResultsResponse) *reply = (const void *)visit->reply;
    struct model *model = model_of(self, request->queue);
    int expected = 0;

    if (!is_known(self, visit) || !expect_status(self, visit, STATUS_OK))
        return;
    for (int i = 0; i < MODEL_TASKS; i++)
        expected += model->tasks[i].result != 0;
    expect(self, (int)reply->n_results == expected, "I1: there are %d results; it must be %d",
           (int)reply->n_results, expected);
    for (size_t i = 0; i < reply->n_results; i++) {
        const PB(Result) *result = reply->results[i];

        expect(self, bytes_read(result->data) == model->tasks[task_of_id(result->task_id)].result,
               "I1: %s has another result", result->task_id);
    }
}
