/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_settle.c -- what holders say of their leases: ack, nack, renew, checkpoint.
 */
#include "bytes.h"
#include "judge.h"
#include "sim.h"

/* The task that a token is about; NULL if it was never given out. */
static struct model *model_of_token(struct checker *self, const char *text,
                                    const struct token_seen **ret_token)
{
    *ret_token = token_find(self, text);
    if (!expect(self, *ret_token != NULL, "a lease token nobody was given"))
        return NULL;
    return &self->world->models[(*ret_token)->queue];
}

static void judge_ack_item(struct checker *self, const PB(AckItem) *item,
                           const PB(AckOutcome) *outcome)
{
    const struct token_seen *token;
    struct model *model = model_of_token(self, item->lease_token, &token);
    unsigned result = item->has_result_case != 0 ? bytes_read(item->result) : 0;
    bool salvaged;
    bool repeated;
    enum status expected;

    if (model == NULL)
        return;
    expected =
        model_ack(model, token->task, token->incarnation, token->fence,
                  item->committed || item->has_result_case != 0, result, &salvaged, &repeated);
    if (outcome == NULL)
        return;
    expect_outcome(self, "I3, I4: an ack", id_of_task(token->task), outcome->error, expected);
    expect(self,
           expected != STATUS_OK ||
               (outcome->salvaged == salvaged && outcome->repeated == repeated),
           "an ack of %s is told as salvaged %d, repeated %d; it must be %d, %d",
           id_of_task(token->task), outcome->salvaged, outcome->repeated, salvaged, repeated);
    if (tells(self))
        story_tell("ack of task %s of q%d with fence %u: %s%s", id_of_task(token->task),
                   token->queue, token->fence, status_name(expected),
                   salvaged   ? ", salvaged"
                   : repeated ? ", again"
                              : "");
}

void judge_ack_items(struct checker *self, PB(AckItem) **items, size_t count,
                     PB(AckOutcome) **outcomes)
{
    for (size_t i = 0; i < count; i++)
        judge_ack_item(self, items[i], outcomes == NULL ? NULL : outcomes[i]);
}

void judge_ack(struct checker *self, struct visit *visit)
{
    const PB(AckRequest) *request = (const void *)visit->asked;
    const PB(AckResponse) *reply = (const void *)visit->reply;

    if (is_known(self, visit) && !expect_status(self, visit, STATUS_OK))
        return;
    judge_ack_items(self, request->items, request->n_items, reply == NULL ? NULL : reply->outcomes);
}

static const char *reason_name(PB(NackReason) reason)
{
    static const char *const names[] = {"?", "failed", "preempted", "released"};

    return names[reason];
}

static void judge_nack_item(struct checker *self, const PB(NackItem) *item,
                            const PB(Outcome) *outcome)
{
    static const enum task_command_kind kinds[] = {TASK_NACK_FAILED, TASK_NACK_FAILED,
                                                   TASK_NACK_PREEMPTED, TASK_NACK_RELEASED};
    const struct token_seen *token;
    struct model *model = model_of_token(self, item->lease_token, &token);
    enum task_command_kind kind = kinds[item->reason];
    int64_t delay_ms = 0;
    enum status expected;

    if (model == NULL)
        return;
    if (item->has_delay_ms_case != 0)
        delay_ms = item->delay_ms;
    else if (kind == TASK_NACK_FAILED)
        delay_ms = MODEL_DUE_UNKNOWN;
    expected = model_nack(model, token->task, token->incarnation, token->fence, kind,
                          item->permanent, item->unstarted, delay_ms,
                          item->has_checkpoint_case != 0 ? bytes_read(item->checkpoint) : 0);
    if (outcome == NULL)
        return;
    expect_outcome(self, "I3: a nack", id_of_task(token->task), outcome->error, expected);
    if (tells(self))
        story_tell("nack (%s) of task %s of q%d with fence %u: %s", reason_name(item->reason),
                   id_of_task(token->task), token->queue, token->fence, status_name(expected));
}

void judge_nack_items(struct checker *self, PB(NackItem) **items, size_t count,
                      PB(Outcome) **outcomes)
{
    for (size_t i = 0; i < count; i++)
        judge_nack_item(self, items[i], outcomes == NULL ? NULL : outcomes[i]);
}

void judge_nack(struct checker *self, struct visit *visit)
{
    const PB(NackRequest) *request = (const void *)visit->asked;
    const PB(NackResponse) *reply = (const void *)visit->reply;

    if (is_known(self, visit) && !expect_status(self, visit, STATUS_OK))
        return;
    judge_nack_items(self, request->items, request->n_items,
                     reply == NULL ? NULL : reply->outcomes);
}

static void judge_renew_item(struct checker *self, const PB(RenewItem) *item,
                             const PB(RenewOutcome) *outcome)
{
    const struct token_seen *token;
    struct model *model = model_of_token(self, item->lease_token, &token);
    enum status expected;

    if (model == NULL)
        return;
    expected = model_renew(model, token->task, token->incarnation, token->fence,
                           item->lease_ms > 0 ? item->lease_ms : model->config.lease_ms);
    if (outcome == NULL)
        return;
    expect_outcome(self, "I3: a renewal", id_of_task(token->task), outcome->error, expected);
    expect(self,
           expected != STATUS_OK || outcome->deadline_unix_ms == model->tasks[token->task].due_ms,
           "%s is renewed until %lld; it must be %lld", id_of_task(token->task),
           (long long)outcome->deadline_unix_ms, (long long)model->tasks[token->task].due_ms);
    if (tells(self))
        story_tell("renewal of task %s of q%d with fence %u: %s", id_of_task(token->task),
                   token->queue, token->fence, status_name(expected));
}

void judge_renew(struct checker *self, struct visit *visit)
{
    const PB(RenewRequest) *request = (const void *)visit->asked;
    const PB(RenewResponse) *reply = (const void *)visit->reply;

    if (is_known(self, visit) && !expect_status(self, visit, STATUS_OK))
        return;
    for (size_t i = 0; i < request->n_items; i++)
        judge_renew_item(self, request->items[i], reply == NULL ? NULL : reply->outcomes[i]);
}

void judge_checkpoint(struct checker *self, struct visit *visit)
{
    const PB(SaveCheckpointRequest) *request = (const void *)visit->asked;
    const struct token_seen *token;
    struct model *model = model_of_token(self, request->lease_token, &token);
    enum status expected;

    if (model == NULL)
        return;
    expected = model_checkpoint(model, token->task, token->incarnation, token->fence,
                                bytes_read(request->data));
    if (!is_known(self, visit))
        return;
    expect_status(self, visit, expected);
    if (tells(self))
        story_tell("checkpoint of task %s of q%d with fence %u: %s", id_of_task(token->task),
                   token->queue, token->fence, status_name(expected));
}
