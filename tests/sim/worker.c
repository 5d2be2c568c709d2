/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c -- what a worker does next, and what it makes of the answers.
 */
#include "worker.h"

#include <stdio.h>

#include "bytes.h"
#include "sim.h"

#define PATIENCE_MS 8000
#define TRIES_MAX 6
#define SURPLUS_BEATS 2

/* How a worker behaves; all but the name are of a hundred times. */
struct temper {
    const char *name;
    int session;    /* works in one */
    int silent;     /* leaves a heartbeat out */
    int dies;       /* when it is its turn */
    int old;        /* says something of an old lease instead of leasing */
    int fails;      /* instead of an ack */
    int preempted;  /* likewise */
    int releases;   /* likewise */
    int closes;     /* the session */
    int checkpoint; /* before it goes on */
    int renews;     /* likewise */
    int forgets;    /* what it holds, as if it hung */
    int work_ms_max;
};

static const struct temper tempers[] = {
    /*            session silent dies old fails preempted releases closes checkpoint renews forgets
     */
    {"honest", 100, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 4000},
    {"honest, alone", 0, 0, 0, 0, 0, 0, 0, 0, 10, 60, 0, 4000},
    {"slow", 50, 5, 0, 5, 5, 0, 0, 0, 20, 10, 5, 40000},
    {"dying", 70, 0, 12, 0, 5, 10, 5, 5, 20, 5, 0, 6000},
    {"zombie", 70, 70, 3, 40, 10, 0, 5, 0, 20, 10, 15, 25000},
    {"repeating", 50, 10, 2, 60, 10, 5, 5, 2, 20, 20, 0, 3000},
    {"giving back", 60, 0, 5, 10, 40, 20, 20, 20, 40, 5, 0, 3000},
};

enum tag {
    TAG_OPEN,
    TAG_LEASE,
    TAG_ACK,
    TAG_NACK,
    TAG_CHECKPOINT,
    TAG_RENEW,
    TAG_OLD,
    TAG_CLOSE,
    TAG_BEAT
};

static void wake(struct sim *sim, struct actor *actor);
static void hear(struct sim *sim, struct actor *actor, int tag, enum status status,
                 const ProtobufCMessage *reply);
static void beat(struct sim *sim, struct event *event);

static const struct actor_kind kind = {wake, hear};

static void alarm_rings(struct sim *sim, struct event *event)
{
    struct actor *actor = CONTAINER_OF(event, struct actor, alarm);

    actor->kind->wake(sim, actor);
}

static const struct temper *temper_of(const struct sim *sim, const struct worker *self)
{
    return sim->calm ? &tempers[self->temper->session > 0 ? 0 : 1] : self->temper;
}

static void pause(struct sim *sim, struct worker *self, int from_ms, int to_ms)
{
    schedule_after(&sim->schedule, &self->actor.alarm,
                   chance_between(&sim->chance, from_ms, to_ms));
}

static void begin_life(struct sim *sim, struct worker *self)
{
    self->temper = &tempers[chance_below(&sim->chance, sizeof tempers / sizeof tempers[0])];
    self->queue = self->index % SIM_QUEUES; /* so that none is left without workers */
    self->has_session = false;
    self->hand_count = 0;
    self->old_count = 0;
    self->carried = 0;
    self->tries = 0;
    pause(sim, self, 0, 3000);
}

void worker_init(struct sim *sim, int index)
{
    struct worker *self = &sim->workers[index];

    self->index = index;
    self->actor.kind = &kind;
    snprintf(self->actor.name, sizeof self->actor.name, "worker %c", 'a' + index);
    event_init(&self->actor.alarm, alarm_rings);
    event_init(&self->beat, beat);
    begin_life(sim, self);
}

static void die(struct sim *sim, struct worker *self)
{
    story_tell("%s (%s) dies with %d tasks", self->actor.name, self->temper->name,
               self->hand_count);
    self->actor.life++;
    self->actor.calls = 0;
    schedule_cancel(&sim->schedule, &self->beat);
    begin_life(sim, self);
}

/* ---- what it says ---- */

static const char *queue_name(const struct worker *self)
{
    static const char *const names[SIM_QUEUES] = {"q0", "q1"};

    return names[self->queue];
}

static void send(struct sim *sim, struct worker *self, enum tag tag, enum method_number method,
                 const ProtobufCMessage *request)
{
    network_call(sim, &self->actor, tag, method, request, PATIENCE_MS);
}

static void open_session(struct sim *sim, struct worker *self)
{
    PB(OpenSessionRequest) request = ACKD__V1__OPEN_SESSION_REQUEST__INIT;

    self->session_ms = chance_between(&sim->chance, 2000, 20000);
    request.queue = (char *)(uintptr_t)queue_name(self);
    request.worker = self->actor.name;
    request.session_ms = self->session_ms;
    send(sim, self, TAG_OPEN, METHOD_session_open, &request.base);
}

static void beat(struct sim *sim, struct event *event)
{
    struct worker *self = CONTAINER_OF(event, struct worker, beat);
    PB(HeartbeatRequest) request = ACKD__V1__HEARTBEAT_REQUEST__INIT;

    if (!self->has_session)
        return;
    schedule_after(&sim->schedule, &self->beat, self->session_ms / 3);
    if (chance_percent(&sim->chance, temper_of(sim, self)->silent))
        return;
    request.session_id = self->session;
    send(sim, self, TAG_BEAT, METHOD_session_heartbeat, &request.base);
}

struct acks {
    PB(AckItem) items[HANDS_MAX];
    PB(AckItem) *list[HANDS_MAX];
};

static void make_ack(struct sim *sim, struct acks *acks, int at, const struct hand *hand)
{
    PB(AckItem) *item = &acks->items[at];

    ackd__v1__ack_item__init(item);
    item->lease_token = (char *)(uintptr_t)hand->token;
    item->committed = hand->result % 3 == 0;
    if (hand->result != 0) {
        item->has_result_case = ACKD__V1__ACK_ITEM__HAS_RESULT_RESULT;
        item->result = bytes_make(&sim->memory, hand->result);
    }
    acks->list[at] = item;
}

/* Acks of all it holds, each with a result that stays the same if it must be said again. */
static void make_acks(struct sim *sim, struct worker *self, struct acks *acks)
{
    for (int i = 0; i < self->hand_count; i++) {
        struct hand *hand = &self->hands[i];

        if (hand->result == 0 && chance_percent(&sim->chance, 80))
            hand->result = ++sim->next_bytes;
        make_ack(sim, acks, i, hand);
    }
    self->carried = self->hand_count;
}

static void send_lease(struct sim *sim, struct worker *self, bool carry)
{
    PB(LeaseRequest) request = ACKD__V1__LEASE_REQUEST__INIT;
    struct acks acks;

    request.queue = (char *)(uintptr_t)queue_name(self);
    request.max_tasks = chance_between(&sim->chance, 1, HANDS_MAX);
    if (self->has_session)
        request.session_id = self->session;
    if (chance_percent(&sim->chance, 50))
        request.lease_ms = chance_between(&sim->chance, 1000, 20000);
    if (carry) {
        make_acks(sim, self, &acks);
        request.acks = acks.list;
        request.n_acks = (size_t)self->carried;
    } else if (chance_percent(&sim->chance, 50)) {
        request.wait_ms = chance_between(&sim->chance, 1, 20000);
    }
    network_call(sim, &self->actor, TAG_LEASE, METHOD_lease, &request.base,
                 request.wait_ms + PATIENCE_MS);
}

static void send_acks(struct sim *sim, struct worker *self)
{
    PB(AckRequest) request = ACKD__V1__ACK_REQUEST__INIT;
    struct acks acks;

    make_acks(sim, self, &acks);
    request.items = acks.list;
    request.n_items = (size_t)self->carried;
    send(sim, self, TAG_ACK, METHOD_ack, &request.base);
}

static void send_nack(struct sim *sim, struct worker *self, enum tag tag, const struct hand *hand,
                      PB(NackReason) reason)
{
    PB(NackRequest) request = ACKD__V1__NACK_REQUEST__INIT;
    PB(NackItem) item = ACKD__V1__NACK_ITEM__INIT;
    PB(NackItem) *list = &item;
    bool failed = reason == ACKD__V1__NACK_REASON__NACK_REASON_FAILED;

    item.lease_token = (char *)(uintptr_t)hand->token;
    item.reason = reason;
    item.error = failed ? (char *)(uintptr_t) "it failed" : item.error;
    item.permanent = failed && chance_percent(&sim->chance, 10);
    item.unstarted = chance_percent(&sim->chance, 20);
    if (chance_percent(&sim->chance, 40)) {
        item.has_delay_ms_case = ACKD__V1__NACK_ITEM__HAS_DELAY_MS_DELAY_MS;
        item.delay_ms =
            chance_percent(&sim->chance, 50) ? 0 : chance_between(&sim->chance, 1, 4000);
    }
    if (chance_percent(&sim->chance, 30)) {
        item.has_checkpoint_case = ACKD__V1__NACK_ITEM__HAS_CHECKPOINT_CHECKPOINT;
        item.checkpoint = bytes_make(&sim->memory, ++sim->next_bytes);
    }
    request.items = &list;
    request.n_items = 1;
    send(sim, self, tag, METHOD_nack, &request.base);
}

static void send_checkpoint(struct sim *sim, struct worker *self, enum tag tag,
                            const struct hand *hand)
{
    PB(SaveCheckpointRequest) request = ACKD__V1__SAVE_CHECKPOINT_REQUEST__INIT;

    request.lease_token = (char *)(uintptr_t)hand->token;
    if (chance_percent(&sim->chance, 85))
        request.data = bytes_make(&sim->memory, ++sim->next_bytes);
    send(sim, self, tag, METHOD_save_checkpoint, &request.base);
}

static void send_renewal(struct sim *sim, struct worker *self, enum tag tag,
                         const struct hand *hand)
{
    PB(RenewRequest) request = ACKD__V1__RENEW_REQUEST__INIT;
    PB(RenewItem) item = ACKD__V1__RENEW_ITEM__INIT;
    PB(RenewItem) *list = &item;

    item.lease_token = (char *)(uintptr_t)hand->token;
    item.lease_ms =
        chance_percent(&sim->chance, 50) ? 0 : chance_between(&sim->chance, 1000, 20000);
    request.items = &list;
    request.n_items = 1;
    send(sim, self, tag, METHOD_renew, &request.base);
}

static void close_session(struct sim *sim, struct worker *self)
{
    PB(CloseSessionRequest) request = ACKD__V1__CLOSE_SESSION_REQUEST__INIT;

    request.session_id = self->session;
    send(sim, self, TAG_CLOSE, METHOD_session_close, &request.base);
}

/* Something about a lease that it had before, and may not have any more. */
static void speak_of_old(struct sim *sim, struct worker *self)
{
    int kept = self->old_count < OLD_LEASES_MAX ? self->old_count : OLD_LEASES_MAX;
    const struct hand *old = &self->olds[chance_below(&sim->chance, kept)];
    PB(AckRequest) request = ACKD__V1__ACK_REQUEST__INIT;
    struct acks acks;

    switch (chance_below(&sim->chance, 8)) {
    case 0:
        send_nack(sim, self, TAG_OLD, old,
                  (PB(NackReason))chance_between(&sim->chance, 1, 3)); /* of any reason */
        return;
    case 1:
        send_checkpoint(sim, self, TAG_OLD, old);
        return;
    case 2:
        send_renewal(sim, self, TAG_OLD, old);
        return;
    default:
        make_ack(sim, &acks, 0, old);
        request.items = acks.list;
        request.n_items = 1;
        send(sim, self, TAG_OLD, METHOD_ack, &request.base);
    }
}

/* ---- what it does next ---- */

static void let_go(struct worker *self)
{
    for (int i = 0; i < self->hand_count; i++)
        self->olds[self->old_count++ % OLD_LEASES_MAX] = self->hands[i];
    self->hand_count = 0;
    self->carried = 0;
}

static void let_go_of_last(struct worker *self)
{
    if (self->hand_count > 0)
        self->olds[self->old_count++ % OLD_LEASES_MAX] = self->hands[--self->hand_count];
}

static void go_on_working(struct sim *sim, struct worker *self)
{
    const struct temper *temper = temper_of(sim, self);
    struct hand *hand = &self->hands[self->hand_count - 1];
    struct chance *chance = &sim->chance;

    if (chance_percent(chance, temper->checkpoint))
        send_checkpoint(sim, self, TAG_CHECKPOINT, hand);
    else if (chance_percent(chance, temper->renews))
        send_renewal(sim, self, TAG_RENEW, hand);
    else if (chance_percent(chance, temper->fails))
        send_nack(sim, self, TAG_NACK, hand, ACKD__V1__NACK_REASON__NACK_REASON_FAILED);
    else if (chance_percent(chance, temper->preempted))
        send_nack(sim, self, TAG_NACK, hand, ACKD__V1__NACK_REASON__NACK_REASON_PREEMPTED);
    else if (chance_percent(chance, temper->releases))
        send_nack(sim, self, TAG_NACK, hand, ACKD__V1__NACK_REASON__NACK_REASON_RELEASED);
    else if (chance_percent(chance, 50))
        send_acks(sim, self);
    else
        send_lease(sim, self, true);
}

static void wake(struct sim *sim, struct actor *actor)
{
    struct worker *self = CONTAINER_OF(actor, struct worker, actor);
    const struct temper *temper = temper_of(sim, self);
    struct chance *chance = &sim->chance;

    if (chance_percent(chance, temper->dies)) {
        die(sim, self);
    } else if (!self->has_session && self->hand_count == 0 && self->tries == 0 &&
               chance_percent(chance, temper->session)) {
        open_session(sim, self);
    } else if (self->has_session && chance_percent(chance, temper->closes)) {
        close_session(sim, self);
    } else if (self->old_count > 0 && chance_percent(chance, temper->old)) {
        speak_of_old(sim, self);
    } else if (self->hand_count == 0) {
        send_lease(sim, self, false);
    } else if (chance_percent(chance, temper->forgets)) {
        let_go(self);
        pause(sim, self, 0, temper->work_ms_max);
    } else {
        go_on_working(sim, self);
    }
}

/* ---- what it hears ---- */

static void begin_session(struct sim *sim, struct worker *self,
                          const PB(OpenSessionResponse) *reply)
{
    snprintf(self->session, sizeof self->session, "%s", reply->session_id);
    self->has_session = true;
    self->surplus = 0;
    schedule_after(&sim->schedule, &self->beat, self->session_ms / 3);
}

static void lose_session(struct sim *sim, struct worker *self)
{
    self->has_session = false;
    schedule_cancel(&sim->schedule, &self->beat);
}

/* Leases that it knows nothing of: the reply that told of them was lost, or the call was doubled.
 * They go back with the session, which it lets expire. While a call is under way the answer may
 * count what that call has leased: it says nothing, neither for a surplus nor against. */
static void look_for_surplus(struct sim *sim, struct worker *self,
                             const PB(HeartbeatResponse) *reply)
{
    if (self->actor.calls > 0)
        return;
    self->surplus = reply->leased > self->hand_count ? self->surplus + 1 : 0;
    if (self->surplus >= SURPLUS_BEATS)
        lose_session(sim, self);
}

static void take(struct worker *self, const PB(LeaseResponse) *reply)
{
    let_go(self); /* their acks were carried */
    for (size_t i = 0; i < reply->n_tasks; i++) {
        struct hand *hand = &self->hands[self->hand_count++];

        *hand = (struct hand){.task = task_of_id(reply->tasks[i]->task_id)};
        snprintf(hand->token, sizeof hand->token, "%s", reply->tasks[i]->lease_token);
    }
}

static void take_answer(struct sim *sim, struct worker *self, enum tag tag,
                        const ProtobufCMessage *reply)
{
    switch (tag) {
    case TAG_OPEN:
        begin_session(sim, self, (const void *)reply);
        break;
    case TAG_LEASE:
        take(self, (const void *)reply);
        break;
    case TAG_ACK:
        let_go(self);
        break;
    case TAG_NACK:
        let_go_of_last(self);
        break;
    case TAG_CLOSE:
        lose_session(sim, self);
        let_go(self);
        break;
    default:
        break;
    }
}

static void hear(struct sim *sim, struct actor *actor, int tag, enum status status,
                 const ProtobufCMessage *reply)
{
    struct worker *self = CONTAINER_OF(actor, struct worker, actor);
    const struct temper *temper = temper_of(sim, self);

    if (status == STATUS_SESSION_NOT_FOUND)
        lose_session(sim, self);
    if (tag == TAG_LEASE && status == STATUS_TIMEOUT)
        lose_session(sim, self); /* tasks may have been leased to nobody */
    if (tag == TAG_BEAT) {
        if (status == STATUS_OK)
            look_for_surplus(sim, self, (const void *)reply);
        return;
    }
    if (status == STATUS_OK) {
        self->tries = 0;
        take_answer(sim, self, (enum tag)tag, reply);
    } else if (++self->tries > TRIES_MAX || status == STATUS_LEASE_LOST) {
        self->tries = 0; /* it gives up; what it held comes back by itself */
        let_go(self);
    }
    if (self->hand_count > 0)
        pause(sim, self, 0, chance_percent(&sim->chance, 50) ? temper->work_ms_max : 500);
    else
        pause(sim, self, 0, sim->calm ? 2000 : 1500);
}
