/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checker.c -- worlds: how a batch changes them, how they part, how they are ruled out.
 */
#include "checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "judge.h"
#include "sim.h"

static void judge_batch(struct checker *self, struct sim *sim);
static void rule_out(struct checker *self);

void checker_init(struct checker *self, struct sim *sim)
{
    map_init(&self->tokens);
    ASSERT(map_reserve(&self->tokens, CHECKER_TOKENS_MAX));
    self->token_list = calloc(CHECKER_TOKENS_MAX, sizeof *self->token_list);
    ASSERT(self->token_list != NULL);
    self->worlds[0].alive = true;
    self->limits = sim->broker.limits;
}

void checker_deinit(struct checker *self)
{
    map_deinit(&self->tokens);
    free(self->token_list);
}

/* ---- worlds ---- */

static int count_worlds(const struct checker *self)
{
    int count = 0;

    for (int i = 0; i < WORLDS_MAX; i++)
        count += self->worlds[i].alive;
    return count;
}

static void enter(struct checker *self, int at)
{
    self->quiet = false;
    for (int i = 0; i < at; i++)
        self->quiet |= self->worlds[i].alive;
    self->at = at;
    self->world = &self->worlds[at];
    self->wrong = false;
}

bool tells(const struct checker *self)
{
    return !self->quiet && !self->blind;
}

static bool has_doubt(const struct model *model)
{
    for (int i = 0; i < model->session_count; i++)
        if (model->sessions[i].open && model->sessions[i].maybe_lost)
            return true;
    for (int i = 0; i < MODEL_TASKS; i++)
        if (model->tasks[i].state == TASK_DELAYED && model->tasks[i].due_ms >= MODEL_DUE_UNKNOWN)
            return true;
    return false;
}

bool checker_is_sure(const struct checker *self)
{
    if (self->squeezed || count_worlds(self) > WORLDS_MAX / 2)
        return false;
    for (int i = 0; i < WORLDS_MAX; i++)
        for (int queue = 0; queue < SIM_QUEUES && self->worlds[i].alive; queue++)
            if (has_doubt(&self->worlds[i].models[queue]))
                return false;
    return true;
}

bool checker_all_is_done(const struct checker *self)
{
    for (int i = 0; i < WORLDS_MAX; i++)
        for (int queue = 0; queue < SIM_QUEUES && self->worlds[i].alive; queue++) {
            struct model_counts counts = model_counts(&self->worlds[i].models[queue]);

            if (counts.ready + counts.delayed + counts.leased + counts.dead > 0)
                return false;
        }
    return true;
}

void checker_judge(struct checker *self, struct sim *sim, const struct batch_seen *batch)
{
    self->batch = *batch;
    self->batches++;
    self->blind = false;
    for (int i = 0; i < WORLDS_MAX; i++) {
        if (!self->worlds[i].alive)
            continue;
        enter(self, i);
        judge_batch(self, sim);
        if (self->wrong)
            rule_out(self);
    }
}

static void rule_out(struct checker *self)
{
    self->world->alive = false;
    if (count_worlds(self) == 0)
        story_fail("%s", self->why);
}

static bool was_confirmed(const struct sim *sim)
{
    LIST_EACH (link, &sim->broker.visits) {
        const struct visit *visit = CONTAINER_OF(link, struct visit, link);

        if (visit->answered && visit->in_time && visit->status == STATUS_OK &&
            judge_changes(visit->method))
            return true;
    }
    return false;
}

static int free_world(const struct checker *self)
{
    for (int i = 0; i < WORLDS_MAX; i++)
        if (!self->worlds[i].alive)
            return i;
    ASSERT(false); /* checker_is_sure was asked */
    return -1;
}

/* The world at `from` with the batch, beside the one without. */
static void part(struct checker *self, struct sim *sim, int from)
{
    int to = free_world(self);

    self->worlds[to] = self->worlds[from];
    LIST_EACH (link, &sim->broker.visits) {
        struct visit *visit = CONTAINER_OF(link, struct visit, link);

        visit->seen[to] = visit->seen[from];
    }
    enter(self, to);
    self->maybe_happened |= 1u << to;
    judge_batch(self, sim);
    if (self->wrong)
        self->worlds[to].alive = false;
    if (!was_confirmed(sim))
        return;
    enter(self, from);
    expect(self, false, "I1: it was confirmed before it was stored");
    rule_out(self);
}

void checker_judge_last(struct checker *self, struct sim *sim, const struct batch_seen *batch)
{
    bool before[WORLDS_MAX];

    self->batch = *batch;
    self->blind = true;
    self->maybe_happened = 0;
    sim->figures->maybes++;
    for (int i = 0; i < WORLDS_MAX; i++)
        before[i] = self->worlds[i].alive;
    for (int i = 0; i < WORLDS_MAX; i++)
        if (before[i])
            part(self, sim, i);
    self->blind = false;
}

/* Worlds that can't be told apart are one. */
static void drop_twins(struct checker *self)
{
    for (int i = 0; i < WORLDS_MAX; i++)
        for (int k = i + 1; k < WORLDS_MAX; k++)
            if (self->worlds[i].alive && self->worlds[k].alive &&
                memcmp(self->worlds[i].models, self->worlds[k].models,
                       sizeof self->worlds[i].models) == 0)
                self->worlds[k].alive = false;
}

static void count_resolved(struct checker *self, struct sim *sim)
{
    unsigned alive = 0;

    for (int i = 0; i < WORLDS_MAX; i++)
        alive |= (unsigned)self->worlds[i].alive << i;
    if (self->maybe_happened != 0 && (alive & ~self->maybe_happened) == 0)
        sim->figures->maybes_stored++;
    if (self->maybe_happened != 0)
        story_tell("the last batch %s", (alive & ~self->maybe_happened) == 0 ? "did take place"
                                        : (alive & self->maybe_happened) == 0
                                            ? "did not take place"
                                            : "may have taken place");
    self->maybe_happened = 0;
}

void checker_restart(struct checker *self, struct sim *sim)
{
    for (int i = 0; i < WORLDS_MAX; i++) {
        struct world *world = &self->worlds[i];

        if (!world->alive)
            continue;
        for (int queue = 0; queue < SIM_QUEUES; queue++) {
            model_tick(&world->models[queue], machine_process_ms());
            model_restart(&world->models[queue], BROKER_GRACE_MS);
            world->waiter_counts[queue] = 0;
        }
    }
    checker_look(self, sim);
    drop_twins(self);
    count_resolved(self, sim);
}

/* ---- asking ---- */

void checker_look(struct checker *self, struct sim *sim)
{
    (void)self;
    for (int i = 0; i < SIM_QUEUES; i++)
        judge_ask_for_all(sim, i);
    broker_settle(sim);
}

void checker_ask_along(struct checker *self, struct sim *sim)
{
    struct broker *broker = &sim->broker;
    struct list *last = broker->visits.prev;

    if (last == &broker->visits && chance_percent(&sim->chance, 70))
        return;
    for (struct list *link = broker->visits.next; link != &broker->visits; link = link->next) {
        judge_ask_for_backoffs(self, sim, CONTAINER_OF(link, struct visit, link));
        if (link == last)
            break;
    }
    judge_ask_for_counts(sim, chance_below(&sim->chance, SIM_QUEUES));
}

/* ---- a batch ---- */

static bool is_waiting(const struct world *world, const struct visit *visit)
{
    for (int queue = 0; queue < SIM_QUEUES; queue++)
        for (int i = 0; i < world->waiter_counts[queue]; i++)
            if (world->waiters[queue][i] == visit)
                return true;
    return false;
}

static int count_sessions(const struct world *world)
{
    int count = 0;

    for (int queue = 0; queue < SIM_QUEUES; queue++)
        for (int i = 0; i < world->models[queue].session_count; i++)
            count += world->models[queue].sessions[i].open;
    return count;
}

static void pass_time(struct checker *self, struct model *model)
{
    const struct batch_seen *batch = &self->batch;

    if (!batch->puts_off) {
        model_pass(model, batch->now_ms);
        if (batch->expires)
            model_expire(model);
        return;
    }
    for (int i = 0; i < model->session_count; i++)
        model->sessions[i].maybe_lost |=
            model->sessions[i].open && model->sessions[i].deadline_ms <= batch->now_ms;
}

static void judge_batch(struct checker *self, struct sim *sim)
{
    struct world *world = self->world;

    for (int queue = 0; queue < SIM_QUEUES; queue++)
        model_tick(&world->models[queue], self->batch.now_ms);
    judge_gone_waiters(self, sim->broker.draining);
    LIST_EACH (link, &sim->broker.visits)
        if (CONTAINER_OF(link, struct visit, link)->presence == VISIT_IN_TIME)
            judge_keep_alive(self, CONTAINER_OF(link, struct visit, link));
    world->sessions_at_start = count_sessions(world);
    world->sessions_opened = 0;
    for (int queue = 0; queue < SIM_QUEUES; queue++)
        pass_time(self, &world->models[queue]);
    LIST_EACH (link, &sim->broker.visits) {
        struct visit *visit = CONTAINER_OF(link, struct visit, link);

        if (visit->presence != VISIT_LATE && !is_waiting(world, visit) &&
            !visit->seen[self->at].is_over && !self->wrong) {
            if (visit->presence == VISIT_JOINED)
                judge_keep_alive(self, visit);
            judge(self, visit);
        }
    }
    for (int queue = 0; queue < SIM_QUEUES; queue++) {
        judge_served(self, queue);
        model_settle(&world->models[queue]);
    }
    judge_waiters(self);
}

void checker_judge_at_once(struct checker *self, struct visit *visit)
{
    story_tell("%s is refused at once: %s", method_at(visit->method)->name,
               visit->request.call.error.message);
    if (visit->status != STATUS_INVALID && visit->status != STATUS_MALFORMED &&
        visit->status != STATUS_SESSION_NOT_FOUND && visit->status != STATUS_TOO_LARGE)
        story_fail("%s was refused without a batch: %s", method_at(visit->method)->name,
                   status_name(visit->status));
    (void)self;
}

/* ---- what judges need ---- */

bool expect(struct checker *self, bool holds, const char *format, ...)
{
    va_list args;

    if (holds || self->wrong)
        return holds;
    self->wrong = true;
    va_start(args, format);
    vsnprintf(self->why, sizeof self->why, format, args);
    va_end(args);
    return false;
}

bool expect_status(struct checker *self, const struct visit *visit, enum status expected)
{
    return expect(self, visit->status == expected, "%s must be answered %s; it was %s: %s",
                  method_at(visit->method)->name, status_name(expected), status_name(visit->status),
                  visit->request.call.error.message);
}

struct model *model_of(struct checker *self, const char *queue)
{
    int number = queue[0] == 'q' && queue[1] >= '0' ? queue[1] - '0' : SIM_QUEUES;

    return number < SIM_QUEUES ? &self->world->models[number] : NULL;
}

int task_of_id(const char *id)
{
    int task = id[0] == 't' ? atoi(id + 1) : -1;

    return task < MODEL_TASKS ? task : -1;
}

const char *id_of_task(int task)
{
    static char ids[MODEL_TASKS][8];

    snprintf(ids[task], sizeof ids[task], "t%d", task);
    return ids[task];
}

static struct token_seen *find_token(const struct checker *self, const char *text)
{
    uint64_t hash = hash_bytes(slice_of_string(text));

    for (struct map_node *node = map_first_of(&self->tokens, hash); node != NULL;
         node = map_next_of(node)) {
        struct token_seen *token = CONTAINER_OF(node, struct token_seen, node);

        if (strcmp(token->text, text) == 0)
            return token;
    }
    return NULL;
}

const struct token_seen *token_find(const struct checker *self, const char *text)
{
    return find_token(self, text);
}

static struct token_seen *new_token(struct checker *self, const char *text)
{
    struct token_seen *token = &self->token_list[self->token_count++];

    ASSERT(self->token_count < CHECKER_TOKENS_MAX);
    snprintf(token->text, sizeof token->text, "%s", text);
    map_insert(&self->tokens, &token->node, hash_bytes(slice_of_string(text)));
    return token;
}

/* Each world has its own opinion of what a token is for; that of the last which is not ruled out
 * counts. */
void token_note(struct checker *self, int queue, int task, const char *text)
{
    const struct model_task *known = &self->world->models[queue].tasks[task];
    struct token_seen *token = find_token(self, text);

    if (self->wrong ||
        !expect(self, token == NULL || (token->batch == self->batches && token->at != self->at),
                "I2: a lease token was given out twice"))
        return;
    if (token == NULL) {
        token = new_token(self, text);
        token->at = self->at;
    }
    token->queue = queue;
    token->task = task;
    token->incarnation = known->incarnation;
    token->fence = known->fence;
    token->batch = self->batches;
}

void session_note(struct checker *self, int queue, int session, const char *text)
{
    if (!tells(self))
        return;
    ASSERT(self->session_count < CHECKER_SESSIONS_MAX);
    self->sessions[self->session_count] = (struct session_seen){.queue = queue, .session = session};
    snprintf(self->sessions[self->session_count++].text, sizeof self->sessions[0].text, "%s", text);
}

bool session_of_id(const struct checker *self, const char *id, int *ret_queue, int *ret_session)
{
    for (int i = self->session_count; i-- > 0;) {
        if (strcmp(self->sessions[i].text, id) != 0)
            continue;
        *ret_queue = self->sessions[i].queue;
        *ret_session = self->sessions[i].session;
        return true;
    }
    return false;
}
