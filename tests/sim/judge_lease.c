/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_lease.c -- leases: which tasks, to whom, in what order; and those who wait for them.
 */
#include "bytes.h"
#include "judge.h"
#include "sim.h"

/* Whether the lease's session still is, as far as it matters to a lease in this batch. */
static bool session_serves(struct checker *self, const struct visit *visit, const char *id,
                           int queue, int *ret_session)
{
    bool known = is_known(self, visit);
    struct model_session *session;
    int its_queue;

    *ret_session = -1;
    if (id[0] == '\0')
        return true;
    if (!session_of_id(self, id, &its_queue, ret_session) || its_queue != queue)
        return false;
    session = &self->world->models[queue].sessions[*ret_session];
    /* One that is closed in this very batch, or was lost unseen: the answer tells. */
    if (session->open && (session->closing || session->maybe_lost) && known) {
        if (session->maybe_lost && visit->status == STATUS_SESSION_NOT_FOUND)
            session->closing = true; /* it goes with the next pass */
        return visit->status != STATUS_SESSION_NOT_FOUND;
    }
    return session->open && (!session->closing || !known);
}

static void judge_task(struct checker *self, int queue, int task, const PB(LeasedTask) *leased)
{
    const struct model_task *model = &self->world->models[queue].tasks[task];
    unsigned checkpoint = leased->has_checkpoint_case != 0 ? bytes_read(leased->checkpoint) : 0;

    expect(self, strcmp(leased->task_id, id_of_task(task)) == 0,
           "task %s is leased; it is the turn of %s", leased->task_id, id_of_task(task));
    expect(self,
           leased->fence == (int64_t)model->fence && leased->deliveries == (int)model->deliveries,
           "I2, I5: %s is leased with fence %d, delivery %d; these must be %d", leased->task_id,
           (int)leased->fence, leased->deliveries, (int)model->fence);
    expect(self,
           leased->failures == (int)model->failures && leased->losses == (int)model->losses &&
               leased->preemptions == (int)model->preemptions,
           "I5: %s has %d failures, %d losses, %d preemptions; these must be %d, %d, %d",
           leased->task_id, leased->failures, leased->losses, leased->preemptions,
           (int)model->failures, (int)model->losses, (int)model->preemptions);
    expect(self,
           leased->priority == (int)model->priority && leased->deadline_unix_ms == model->due_ms,
           "%s has priority %d and is leased until %lld, not %d and %lld", leased->task_id,
           leased->priority, (long long)leased->deadline_unix_ms, model->priority,
           (long long)model->due_ms);
    expect(self, bytes_read(leased->payload) == model->payload, "I1: %s has another payload",
           leased->task_id);
    expect(self, checkpoint == model->checkpoint, "I1: %s comes with checkpoint %u; it must be %u",
           leased->task_id, checkpoint, model->checkpoint);
    token_note(self, queue, task, leased->lease_token);
}

static void judge_tasks(struct checker *self, const struct visit *visit, int queue,
                        const int *tasks, int count)
{
    const PB(LeaseResponse) *reply = (const void *)visit->reply;

    if (!is_known(self, visit) || !expect_status(self, visit, STATUS_OK))
        return;
    if (!expect(self, (int)reply->n_tasks == count, "%d tasks of q%d are leased; it must be %d",
                (int)reply->n_tasks, queue, count))
        return;
    for (int i = 0; i < count; i++)
        judge_task(self, queue, tasks[i], reply->tasks[i]);
    if (!tells(self))
        return;
    visit->sim->figures->leased += count;
    for (int i = 0; i < count && visit->exchange != NULL; i++)
        story_tell("%s leases task %s of q%d -> fence %d", visit->exchange->actor->name,
                   reply->tasks[i]->task_id, queue, (int)reply->tasks[i]->fence);
}

static void judge_situation(struct checker *self, const struct visit *visit, int queue)
{
    const PB(LeaseResponse) *reply = (const void *)visit->reply;

    if (is_known(self, visit) && visit->status == STATUS_OK)
        expect_counts(self, &self->world->models[queue], reply->situation->ready,
                      reply->situation->delayed, reply->situation->leased);
}

/* ---- those who wait ---- */

static void forget_waiter(struct checker *self, int queue, int at)
{
    struct world *world = self->world;
    int last = --world->waiter_counts[queue];

    world->waiters[queue][at]->seen[self->at].is_over = true;
    for (int i = at; i < last; i++) {
        world->waiters[queue][i] = world->waiters[queue][i + 1];
        world->waits_until_ms[queue][i] = world->waits_until_ms[queue][i + 1];
    }
}

void judge_gone_waiters(struct checker *self, bool all)
{
    struct world *world = self->world;

    for (int queue = 0; queue < SIM_QUEUES; queue++)
        for (int i = 0; i < world->waiter_counts[queue]; i++) {
            struct visit *visit = world->waiters[queue][i];

            if (visit->hung_up) {
                if (!self->blind)
                    expect_status(self, visit, STATUS_CANCELED);
            } else if (all || world->waits_until_ms[queue][i] <= self->batch.now_ms) {
                expect(self, self->blind || visit->answered, "a long poll is not over in time");
                judge_tasks(self, visit, queue, NULL, 0);
            } else {
                continue;
            }
            forget_waiter(self, queue, i--);
        }
}

static bool is_left_waiting(const struct checker *self, const struct visit *visit)
{
    return (self->batch.may_be_full || self->batch.serves_later) && !visit->answered;
}

static bool has_room_for_lease(const struct model *model)
{
    struct model_counts counts = model_counts(model);

    return counts.ready > 0 && !model->paused &&
           (model->config.max_leased == 0 || counts.leased < model->config.max_leased);
}

/* One whose session is gone is told so when it is its turn. */
static bool judge_sessionless(struct checker *self, const struct visit *visit,
                              const struct model *model)
{
    if (!self->blind && !visit->answered)
        return expect(self, !has_room_for_lease(model), "I8: a dead waiter stands in the way") &&
               false;
    if (!self->blind)
        expect_status(self, visit, STATUS_SESSION_NOT_FOUND);
    return true;
}

void judge_served(struct checker *self, int queue)
{
    struct world *world = self->world;
    struct model *model = &world->models[queue];

    while (world->waiter_counts[queue] > 0 && model_counts(model).ready > 0 && !model->paused) {
        struct visit *visit = world->waiters[queue][0];
        const PB(LeaseRequest) *request = (const void *)visit->asked;
        int tasks[MODEL_TASKS];
        int session;
        int count;

        if (is_left_waiting(self, visit))
            return;
        if (!session_serves(self, visit, request->session_id, queue, &session)) {
            if (!judge_sessionless(self, visit, model))
                return;
            forget_waiter(self, queue, 0);
            continue;
        }
        count = model_lease(model, request->max_tasks, session, request->lease_ms, tasks);
        if (count == 0)
            return;
        expect(self, self->blind || visit->answered, "I8: a long poll is not served");
        judge_tasks(self, visit, queue, tasks, count);
        judge_situation(self, visit, queue);
        forget_waiter(self, queue, 0);
    }
}

/* Told that its session is gone: that holds whatever became of the batch. */
static bool was_told_to_go(struct checker *self, int queue, int at)
{
    const struct visit *visit = self->world->waiters[queue][at];
    const PB(LeaseRequest) *request = (const void *)visit->asked;
    int session;

    return visit->answered && visit->status == STATUS_SESSION_NOT_FOUND &&
           !session_serves(self, visit, request->session_id, queue, &session);
}

void judge_waiters(struct checker *self)
{
    const struct world *world = self->world;

    for (int queue = 0; queue < SIM_QUEUES && !self->blind; queue++)
        for (int i = 0; i < world->waiter_counts[queue]; i++) {
            if (was_told_to_go(self, queue, i)) {
                forget_waiter(self, queue, i--);
                continue;
            }
            expect(self, !world->waiters[queue][i]->answered,
                   "a long poll of q%d is answered (%s) though nothing is ready and its time is "
                   "not over",
                   queue, status_name(world->waiters[queue][i]->status));
        }
}

static int count_waiters(const struct world *world)
{
    int count = 0;

    for (int queue = 0; queue < SIM_QUEUES; queue++)
        count += world->waiter_counts[queue];
    return count;
}

static void begin_to_wait(struct checker *self, struct visit *visit, int queue, int64_t wait_ms)
{
    struct world *world = self->world;
    int at = world->waiter_counts[queue];

    if (count_waiters(world) >= self->limits.waiters_max) {
        if (!self->blind)
            expect_status(self, visit, STATUS_LIMIT_REACHED);
        return;
    }
    expect(self, at < WORLD_WAITERS_MAX, "too many wait");
    if (self->wrong)
        return;
    world->waiters[queue][at] = visit;
    world->waits_until_ms[queue][at] = self->batch.now_ms + wait_ms;
    world->waiter_counts[queue]++;
}

void judge_lease(struct checker *self, struct visit *visit)
{
    const PB(LeaseRequest) *request = (const void *)visit->asked;
    const PB(LeaseResponse) *reply = (const void *)visit->reply; /* NULL: none, or refused */
    struct model *model = model_of(self, request->queue);
    int queue = (int)(model - self->world->models);
    bool carries = request->n_acks + request->n_nacks > 0;
    int tasks[MODEL_TASKS];
    int session;
    int count;

    judge_ack_items(self, request->acks, request->n_acks,
                    reply == NULL ? NULL : reply->ack_outcomes);
    judge_nack_items(self, request->nacks, request->n_nacks,
                     reply == NULL ? NULL : reply->nack_outcomes);
    if (!session_serves(self, visit, request->session_id, queue, &session) || visit->hung_up) {
        if (is_known(self, visit) || !self->blind)
            expect(self,
                   visit->answered && (visit->status == STATUS_SESSION_NOT_FOUND ||
                                       (visit->hung_up && visit->status == STATUS_CANCELED)),
                   "a lease without session, or without client, is answered %s",
                   status_name(visit->status));
        return;
    }
    judge_served(self, queue);
    count = model_lease(model, request->max_tasks, session, request->lease_ms, tasks);
    if (count == 0 && request->wait_ms > 0 && request->max_tasks > 0 && !carries &&
        !visit->sim->broker.draining) {
        begin_to_wait(self, visit, queue, request->wait_ms);
        return;
    }
    expect(self, self->blind || visit->answered, "a lease gets no answer");
    judge_tasks(self, visit, queue, tasks, count);
    judge_situation(self, visit, queue);
}
