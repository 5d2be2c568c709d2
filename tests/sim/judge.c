/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c -- the table of judges, and what the checker asks by itself.
 */
#include "judge.h"

#include <stdio.h>

#include "sim.h"

static const struct row {
    judge_function *judge;
    bool changes;
    bool may_go_on; /* the answer may come with a later batch */
} rows[METHOD_COUNT] = {
    [METHOD_queue_create] = {judge_queue_create, true, false},
    [METHOD_queue_get] = {judge_queue_get, false, false},
    [METHOD_queue_update] = {judge_queue_update, true, false},
    [METHOD_queue_pause] = {judge_pause, true, false},
    [METHOD_queue_resume] = {judge_resume, true, false},
    [METHOD_queue_purge] = {judge_purge, true, true},
    [METHOD_publish] = {judge_publish, true, false},
    [METHOD_lease] = {judge_lease, true, true},
    [METHOD_renew] = {judge_renew, true, false},
    [METHOD_ack] = {judge_ack, true, false},
    [METHOD_nack] = {judge_nack, true, false},
    [METHOD_save_checkpoint] = {judge_checkpoint, true, false},
    [METHOD_task_get] = {judge_task_get, false, false},
    [METHOD_task_list] = {judge_task_list, false, false},
    [METHOD_task_cancel] = {judge_cancel, true, false},
    [METHOD_session_open] = {judge_session_open, true, false},
    [METHOD_session_heartbeat] = {judge_heartbeat, false, false},
    [METHOD_session_close] = {judge_session_close, true, true},
    [METHOD_session_list] = {judge_session_list, false, false},
    [METHOD_dead_redrive] = {judge_redrive, true, true},
    [METHOD_dead_delete] = {judge_dead_delete, true, true},
    [METHOD_result_list] = {judge_results, false, false},
};

bool judge_changes(enum method_number method)
{
    return rows[method].changes;
}

bool is_known(const struct checker *self, const struct visit *visit)
{
    (void)self;
    return visit->answered && visit->in_time;
}

static const char *name_of(const struct visit *visit)
{
    return visit->exchange == NULL ? "the checker" : visit->exchange->actor->name;
}

void judge(struct checker *self, struct visit *visit)
{
    const struct row *row = &rows[visit->method];
    bool known = is_known(self, visit);

    if (known && visit->status == STATUS_STORE_FULL) {
        expect(self, self->batch.may_be_full, "%s finds the store full, which it is not",
               method_at(visit->method)->name);
        if (tells(self))
            story_tell("%s of %s finds no room", method_at(visit->method)->name, name_of(visit));
        return;
    }
    if (!known && !self->blind)
        expect(self, row->may_go_on, "%s of %s gets no answer", method_at(visit->method)->name,
               name_of(visit));
    row->judge(self, visit);
}

void expect_more(struct checker *self, const struct visit *visit)
{
    expect(self, !is_known(self, visit), "%s is answered (%s) before it is done",
           method_at(visit->method)->name, status_name(visit->status));
}

void expect_counts(struct checker *self, const struct model *model, int64_t ready, int64_t delayed,
                   int64_t leased)
{
    struct model_counts counts = model_counts(model);

    expect(self, ready == counts.ready && delayed == counts.delayed && leased == counts.leased,
           "I6: ready, delayed, leased are told as %d, %d, %d and must be %d, %d, %d", (int)ready,
           (int)delayed, (int)leased, (int)counts.ready, (int)counts.delayed, (int)counts.leased);
}

void expect_outcome(struct checker *self, const char *what, const char *id,
                    const struct Ackd__V1__ErrorDetail *error, enum status expected)
{
    enum status status = error == NULL ? STATUS_OK : (enum status)error->status;

    expect(self, status == expected, "%s of %s must end as %s; it ended as %s", what, id,
           status_name(expected), status_name(status));
}

/* ---- what the checker asks ---- */

static char *queue_name(int queue)
{
    static char names[SIM_QUEUES][4];

    snprintf(names[queue], sizeof names[queue], "q%d", queue);
    return names[queue];
}

void judge_ask_for_counts(struct sim *sim, int queue)
{
    PB(GetQueueRequest) request = ACKD__V1__GET_QUEUE_REQUEST__INIT;

    request.name = queue_name(queue);
    broker_ask(sim, METHOD_queue_get, &request.base);
}

void judge_ask_for_all(struct sim *sim, int queue)
{
    PB(ListTasksRequest) tasks = ACKD__V1__LIST_TASKS_REQUEST__INIT;
    PB(ListResultsRequest) results = ACKD__V1__LIST_RESULTS_REQUEST__INIT;
    PB(ListSessionsRequest) sessions = ACKD__V1__LIST_SESSIONS_REQUEST__INIT;

    tasks.queue = results.queue = sessions.queue = queue_name(queue);
    tasks.page_size = results.page_size = 1000;
    tasks.with_payload = true;
    broker_ask(sim, METHOD_task_list, &tasks.base); /* first: it tells backoffs */
    broker_ask(sim, METHOD_result_list, &results.base);
    broker_ask(sim, METHOD_session_list, &sessions.base);
    judge_ask_for_counts(sim, queue);
}

static void ask_for_task(struct checker *self, struct sim *sim, const char *text)
{
    const struct token_seen *token = token_find(self, text);
    PB(GetTaskRequest) request = ACKD__V1__GET_TASK_REQUEST__INIT;

    if (token == NULL)
        return;
    request.queue = queue_name(token->queue);
    request.task_id = (char *)(uintptr_t)id_of_task(token->task);
    broker_ask(sim, METHOD_task_get, &request.base);
}

void judge_ask_for_backoffs(struct checker *self, struct sim *sim, const struct visit *visit)
{
    PB(NackItem) **items = NULL;
    size_t count = 0;

    if (visit->method == METHOD_nack) {
        items = ((const PB(NackRequest) *)(const void *)visit->asked)->items;
        count = ((const PB(NackRequest) *)(const void *)visit->asked)->n_items;
    } else if (visit->method == METHOD_lease) {
        items = ((const PB(LeaseRequest) *)(const void *)visit->asked)->nacks;
        count = ((const PB(LeaseRequest) *)(const void *)visit->asked)->n_nacks;
    }
    for (size_t i = 0; i < count; i++)
        ask_for_task(self, sim, items[i]->lease_token);
}
