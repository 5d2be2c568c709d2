/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_rest.c -- sessions, queues, dead letters.
 */
#include "judge.h"
#include "sim.h"

/* ---- sessions ---- */

void judge_session_open(struct checker *self, struct visit *visit)
{
    const PB(OpenSessionRequest) *request = (const void *)visit->asked;
    const PB(OpenSessionResponse) *reply = (const void *)visit->reply;
    struct world *world = self->world;
    struct model *model = model_of(self, request->queue);
    int max = (int)self->limits.sessions_max;
    int session;

    if (is_known(self, visit) && visit->status == STATUS_LIMIT_REACHED) {
        expect(self, world->sessions_at_start + world->sessions_opened >= max,
               "a session is refused though only %d are open", world->sessions_at_start);
        return;
    }
    if (!is_known(self, visit) && world->sessions_at_start >= max)
        return;
    if (is_known(self, visit) && !expect_status(self, visit, STATUS_OK))
        return;
    session = model_open(model, 0, request->session_ms);
    world->sessions_opened++;
    if (is_known(self, visit))
        session_note(self, (int)(model - world->models), session, reply->session_id);
    if (tells(self) && visit->exchange != NULL)
        story_tell("%s opens session %s", visit->exchange->actor->name, reply->session_id);
}

static struct model_session *find_session(struct checker *self, const char *id, int *ret_queue,
                                          int *ret_session)
{
    if (!expect(self, session_of_id(self, id, ret_queue, ret_session), "a session nobody opened"))
        return NULL;
    return &self->world->models[*ret_queue].sessions[*ret_session];
}

void judge_keep_alive(struct checker *self, const struct visit *visit)
{
    const PB(HeartbeatRequest) *request = (const void *)visit->asked;
    struct model_session *session;
    int queue;
    int number;

    if (visit->method != METHOD_session_heartbeat)
        return;
    session = find_session(self, request->session_id, &queue, &number);
    if (session == NULL || !session->open)
        return;
    if (session->maybe_lost && is_known(self, visit)) {
        session->closing |= visit->status != STATUS_OK; /* it goes with the next pass */
        session->maybe_lost = false;
    }
    model_keep_alive(&self->world->models[queue], number);
}

void judge_heartbeat(struct checker *self, struct visit *visit)
{
    const PB(HeartbeatRequest) *request = (const void *)visit->asked;
    const PB(HeartbeatResponse) *reply = (const void *)visit->reply;
    int queue;
    int number;
    struct model_session *session = find_session(self, request->session_id, &queue, &number);
    int fresh;
    int told;

    if (session == NULL)
        return;
    if (is_known(self, visit) && session->open && session->closing &&
        visit->status == STATUS_OK) /* it is closed in this very batch */
        return;
    fresh = session->fresh_stops;
    told = model_heartbeat(&self->world->models[queue], number);
    if (!is_known(self, visit))
        return;
    if (!expect_status(self, visit, told < 0 ? STATUS_SESSION_NOT_FOUND : STATUS_OK) || told < 0)
        return;
    /* Those of this batch may be told where its calls ran one by one. */
    expect(self, (int)reply->n_stops >= told && (int)reply->n_stops <= told + fresh,
           "a heartbeat brings %d notices; it must be %d", (int)reply->n_stops, told);
    session->fresh_stops -= (int)reply->n_stops - told;
}

void judge_session_close(struct checker *self, struct visit *visit)
{
    const PB(CloseSessionRequest) *request = (const void *)visit->asked;
    const PB(CloseSessionResponse) *reply = (const void *)visit->reply;
    struct progress_seen *seen = &visit->seen[self->at];
    int queue;
    int number;
    struct model_session *session = find_session(self, request->session_id, &queue, &number);
    int returned;

    if (session == NULL)
        return;
    if (!seen->begun) {
        bool in_doubt = session->open && (session->maybe_lost || session->closing);

        if (in_doubt && is_known(self, visit) && visit->status == STATUS_SESSION_NOT_FOUND) {
            session->closing = true;
            return;
        }
        if (!model_begin_close(&self->world->models[queue], number) && !in_doubt) {
            if (is_known(self, visit) || !self->blind)
                expect_status(self, visit, STATUS_SESSION_NOT_FOUND);
            return;
        }
        session->maybe_lost = false;
        seen->begun = true;
        expect_more(self, visit);
        return;
    }
    returned = model_end_close(&self->world->models[queue], number);
    if (!is_known(self, visit) || !expect_status(self, visit, STATUS_OK))
        return;
    expect(self, reply->returned == returned, "%d leases of a session go back; it must be %d",
           (int)reply->returned, returned);
    if (tells(self))
        story_tell("session %s is closed, %d leases go back", request->session_id, returned);
}

void judge_session_list(struct checker *self, struct visit *visit)
{
    const PB(ListSessionsRequest) *request = (const void *)visit->asked;
    const PB(ListSessionsResponse) *reply = (const void *)visit->reply;
    const struct model *model = model_of(self, request->queue);
    int surely = 0;
    int perhaps = 0;

    if (!is_known(self, visit) || !expect_status(self, visit, STATUS_OK))
        return;
    for (int i = 0; i < model->session_count; i++) {
        bool open = model->sessions[i].open;

        surely += open && !model->sessions[i].maybe_lost && !model->sessions[i].closing;
        perhaps += open;
    }
    expect(self, (int)reply->n_sessions >= surely && (int)reply->n_sessions <= perhaps,
           "I1: %d sessions are open; it must be %d", (int)reply->n_sessions, surely);
}

/* ---- queues ---- */

#define SAME(name) counts->name == expected.name
static void judge_queue(struct checker *self, const struct visit *visit, const struct model *model,
                        const PB(Queue) *told)
{
    const PB(Counts) *counts = told->counts;
    struct model_counts expected = model_counts(model);
    int queue = (int)(model - self->world->models);

    expect_counts(self, model, counts->ready, counts->delayed, counts->leased);
    expect(self, SAME(done) && SAME(dead) && SAME(published) && SAME(purged),
           "I6: done, dead, published, purged are told as %d, %d, %d, %d and must be %d, %d, %d, "
           "%d",
           (int)counts->done, (int)counts->dead, (int)counts->published, (int)counts->purged,
           (int)expected.done, (int)expected.dead, (int)expected.published, (int)expected.purged);
    expect(self,
           told->deliveries == expected.deliveries && told->failures == expected.failures &&
               told->preemptions == expected.preemptions && told->losses == expected.losses &&
               told->salvaged == expected.salvaged,
           "I6: deliveries, failures, preemptions, losses, salvaged are told as %d, %d, %d, %d, %d "
           "and must be %d, %d, %d, %d, %d",
           (int)told->deliveries, (int)told->failures, (int)told->preemptions, (int)told->losses,
           (int)told->salvaged, (int)expected.deliveries, (int)expected.failures,
           (int)expected.preemptions, (int)expected.losses, (int)expected.salvaged);
    expect(self,
           told->useful_lease_ms == expected.useful_ms &&
               told->wasted_lease_ms == expected.wasted_ms,
           "I6: useful and wasted lease time are told as %lld, %lld and must be %lld, %lld",
           (long long)told->useful_lease_ms, (long long)told->wasted_lease_ms,
           (long long)expected.useful_ms, (long long)expected.wasted_ms);
    expect(self, told->paused == model->paused, "the queue is %spaused",
           told->paused ? "" : "not ");
    expect(self, self->batch.may_be_full || told->waiters == self->world->waiter_counts[queue],
           "%d wait; it must be %d", (int)told->waiters, self->world->waiter_counts[queue]);
    (void)visit;
}
#undef SAME

static void judge_queue_reply(struct checker *self, struct visit *visit, const char *name,
                              const PB(Queue) *told)
{
    if (is_known(self, visit) && expect_status(self, visit, STATUS_OK))
        judge_queue(self, visit, model_of(self, name), told);
}

/* Fields that are set, over those the queue has. */
static void merge(struct queue_config *config, const PB(QueueConfig) *set)
{
#define X(name, min, max, fallback)                                                                \
    if (set->has_##name##_case != 0)                                                               \
        config->name = set->name;
    QUEUE_CONFIG_TABLE(X)
#undef X
}

void judge_queue_create(struct checker *self, struct visit *visit)
{
    const PB(CreateQueueRequest) *request = (const void *)visit->asked;
    const PB(CreateQueueResponse) *reply = (const void *)visit->reply;
    struct queue_config config = queue_config_default();

    merge(&config, request->config);
    model_init(model_of(self, request->name), config, self->batch.now_ms);
    judge_queue_reply(self, visit, request->name, reply == NULL ? NULL : reply->queue);
}

void judge_queue_get(struct checker *self, struct visit *visit)
{
    const PB(GetQueueRequest) *request = (const void *)visit->asked;
    const PB(GetQueueResponse) *reply = (const void *)visit->reply;

    judge_queue_reply(self, visit, request->name, reply == NULL ? NULL : reply->queue);
}

void judge_queue_update(struct checker *self, struct visit *visit)
{
    const PB(UpdateQueueRequest) *request = (const void *)visit->asked;
    const PB(UpdateQueueResponse) *reply = (const void *)visit->reply;

    merge(&model_of(self, request->name)->config, request->config);
    judge_queue_reply(self, visit, request->name, reply == NULL ? NULL : reply->queue);
    if (tells(self))
        story_tell("the rules of %s change", request->name);
}

void judge_pause(struct checker *self, struct visit *visit)
{
    const PB(PauseQueueRequest) *request = (const void *)visit->asked;
    const PB(PauseQueueResponse) *reply = (const void *)visit->reply;

    model_of(self, request->name)->paused = true;
    judge_queue_reply(self, visit, request->name, reply == NULL ? NULL : reply->queue);
    if (tells(self))
        story_tell("%s is paused", request->name);
}

void judge_resume(struct checker *self, struct visit *visit)
{
    const PB(ResumeQueueRequest) *request = (const void *)visit->asked;
    const PB(ResumeQueueResponse) *reply = (const void *)visit->reply;

    model_of(self, request->name)->paused = false;
    judge_queue_reply(self, visit, request->name, reply == NULL ? NULL : reply->queue);
    if (tells(self))
        story_tell("%s goes on", request->name);
}

/* ---- work in steps ---- */

static void judge_walk(struct checker *self, struct visit *visit, const char *queue,
                       bool (*step)(struct model *self, struct model_walk *walk),
                       const int64_t *told)
{
    struct model_walk *walk = &visit->seen[self->at].walk;

    if (step(model_of(self, queue), walk)) {
        expect_more(self, visit);
        return;
    }
    expect(self, self->blind || visit->answered, "%s does not end", method_at(visit->method)->name);
    if (!is_known(self, visit) || !expect_status(self, visit, STATUS_OK))
        return;
    expect(self, *told == walk->changed, "%s changes %d tasks; it must be %d",
           method_at(visit->method)->name, (int)*told, walk->changed);
    if (tells(self))
        story_tell("%s of %s changes %d tasks", method_at(visit->method)->name, queue,
                   walk->changed);
}

void judge_purge(struct checker *self, struct visit *visit)
{
    const PB(PurgeQueueRequest) *request = (const void *)visit->asked;
    const PB(PurgeQueueResponse) *reply = (const void *)visit->reply;

    judge_walk(self, visit, request->name, model_purge, reply == NULL ? NULL : &reply->purged);
}

void judge_redrive(struct checker *self, struct visit *visit)
{
    const PB(RedriveRequest) *request = (const void *)visit->asked;
    const PB(RedriveResponse) *reply = (const void *)visit->reply;

    judge_walk(self, visit, request->queue, model_redrive, reply == NULL ? NULL : &reply->redriven);
}

void judge_dead_delete(struct checker *self, struct visit *visit)
{
    const PB(DeleteDeadRequest) *request = (const void *)visit->asked;
    const PB(DeleteDeadResponse) *reply = (const void *)visit->reply;

    judge_walk(self, visit, request->queue, model_delete_dead,
               reply == NULL ? NULL : &reply->deleted);
}
