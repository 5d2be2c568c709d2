/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c -- the rules of DESIGN's task life as straight-line code over one array of tasks.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "support/check.h"

#define REPEATABLE_MS INT64_C(600000) /* an ack may be repeated this long */

void model_init(struct model *self, struct queue_config config, int64_t now_ms)
{
    memset(self, 0, sizeof *self);
    self->config = config;
    self->now_ms = now_ms;
    self->passed_ms = now_ms;
    self->next_seq = 1;
}

static bool is_open(const struct model_task *task)
{
    return task->state == TASK_READY || task->state == TASK_DELAYED || task->state == TASK_LEASED;
}

static void wait_or_ready(struct model *self, struct model_task *task, int64_t delay_ms)
{
    task->state = delay_ms > 0 ? TASK_DELAYED : TASK_READY;
    task->due_ms = delay_ms > 0 ? self->now_ms + delay_ms : 0;
    task->waits_since_ms = self->now_ms;
    task->fresh = false;
}

static int64_t held_ms(const struct model *self, const struct model_task *task)
{
    int64_t held_ms = self->now_ms - task->leased_ms;

    return held_ms > 0 ? held_ms
                       : 0; /* the clock may have been set back, and the broker restarted */
}

/* Whether the ID of a done task is free again. */
static bool is_forgotten(const struct model *self, const struct model_task *task)
{
    return task->state == TASK_DONE &&
           task->done_ms + self->config.dedup_retention_ms <= self->now_ms;
}

static void die(struct model_task *task, enum dead_reason reason)
{
    task->state = TASK_DEAD;
    task->dead_reason = reason;
    task->fresh = false;
}

static bool has_outlived(const struct model *self, const struct model_task *task)
{
    return self->config.task_ttl_ms > 0 &&
           self->now_ms - task->published_ms >= self->config.task_ttl_ms;
}

enum status model_publish(struct model *self, int id, int priority, int64_t delay_ms,
                          unsigned payload)
{
    struct model_task *task = &self->tasks[id];
    int incarnation = task->incarnation + 1;

    if (task->exists && !is_forgotten(self, task))
        return STATUS_DUPLICATE;
    *task = (struct model_task){.exists = true,
                                .incarnation = incarnation,
                                .priority = priority,
                                .seq = self->next_seq++,
                                .published_ms = self->now_ms,
                                .payload = payload,
                                .result = task->result};
    wait_or_ready(self, task, delay_ms);
    task->fresh = delay_ms == 0;
    self->events.published++;
    return STATUS_OK;
}

/* Whether `a` is served before `b`. */
static bool goes_before(const struct model_task *a, const struct model_task *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    if (a->fresh != b->fresh)
        return b->fresh;
    return a->seq < b->seq;
}

static int next_ready(const struct model *self)
{
    int best = -1;

    for (int i = 0; i < MODEL_TASKS; i++) {
        const struct model_task *task = &self->tasks[i];

        if (task->exists && task->state == TASK_READY &&
            (best < 0 || goes_before(task, &self->tasks[best])))
            best = i;
    }
    return best;
}

int model_lease(struct model *self, int max, int session, int64_t lease_ms, int ret_tasks[])
{
    int count = 0;
    int id;

    while (!self->paused && count < max && (id = next_ready(self)) >= 0) {
        struct model_task *task = &self->tasks[id];

        if (self->config.max_leased > 0 && model_counts(self).leased >= self->config.max_leased)
            break;
        if (has_outlived(self, task)) {
            die(task, DEAD_EXPIRED);
            continue;
        }
        task->state = TASK_LEASED;
        task->fresh = false;
        task->fence++;
        task->deliveries++;
        task->session = session;
        task->leased_ms = self->now_ms;
        task->due_ms =
            session >= 0 ? 0 : self->now_ms + (lease_ms > 0 ? lease_ms : self->config.lease_ms);
        task->kept_due_ms = task->due_ms;
        self->events.deliveries++;
        ret_tasks[count++] = id;
    }
    return count;
}

static struct model_task *holder(struct model *self, int id, int incarnation, uint32_t fence)
{
    struct model_task *task = &self->tasks[id];

    return task->exists && task->incarnation == incarnation && task->state == TASK_LEASED &&
                   task->fence == fence && (task->session >= 0 || self->now_ms < task->due_ms)
               ? task
               : NULL;
}

static void close_task(struct model *self, struct model_task *task, uint32_t fence, unsigned result)
{
    task->state = TASK_DONE;
    task->fresh = false;
    task->done_ms = self->now_ms;
    task->checkpoint = 0;
    if (result != 0)
        task->result = result;
    assert_true(self->tombstone_count < MODEL_TOMBSTONES);
    self->tombstones[self->tombstone_count++] = (struct model_tombstone){
        (int)(task - self->tasks), task->incarnation, fence, self->now_ms + REPEATABLE_MS};
    self->events.done++;
}

static bool may_be_repeated(const struct model *self, int task, int incarnation, uint32_t fence)
{
    for (int i = 0; i < self->tombstone_count; i++) {
        const struct model_tombstone *tombstone = &self->tombstones[i];

        if (tombstone->task == task && tombstone->incarnation == incarnation &&
            tombstone->fence == fence)
            return self->passed_ms < tombstone->until_ms;
    }
    return false;
}

static void tell(struct model *self, const struct model_task *task)
{
    if (task->session >= 0)
        self->sessions[task->session].fresh_stops++;
}

enum status model_ack(struct model *self, int id, int incarnation, uint32_t fence, bool proves,
                      unsigned result, bool *ret_salvaged, bool *ret_repeated)
{
    struct model_task *task = holder(self, id, incarnation, fence);

    *ret_salvaged = *ret_repeated = false;
    if (task != NULL) {
        self->events.useful_ms += held_ms(self, task);
        close_task(self, task, fence, result);
        return STATUS_OK;
    }
    *ret_repeated = may_be_repeated(self, id, incarnation, fence);
    if (*ret_repeated)
        return STATUS_OK;
    task = &self->tasks[id];
    if (!task->exists || task->incarnation != incarnation || !is_open(task) || !proves ||
        self->config.late_results != LATE_RESULTS_SALVAGE)
        return STATUS_LEASE_LOST;
    if (task->state == TASK_LEASED && task->fence == fence) {
        self->events.useful_ms += held_ms(self, task); /* overdue, though nobody has noticed */
    } else if (task->state == TASK_LEASED) {
        self->events.wasted_ms += held_ms(self, task);
        tell(self, task);
    }
    *ret_salvaged = true;
    self->events.salvaged++;
    close_task(self, task, fence, result);
    return STATUS_OK;
}

void model_backoff(const struct model *self, uint32_t failures, int64_t *ret_min_ms,
                   int64_t *ret_max_ms)
{
    int64_t wait_ms = self->config.backoff_min_ms;

    for (uint32_t i = 1; i < failures && wait_ms < self->config.backoff_max_ms; i++)
        wait_ms *= 2;
    if (wait_ms > self->config.backoff_max_ms)
        wait_ms = self->config.backoff_max_ms;
    *ret_min_ms = wait_ms / 2;
    *ret_max_ms = wait_ms;
}

enum status model_nack(struct model *self, int id, int incarnation, uint32_t fence,
                       enum task_command_kind kind, bool permanent, bool unstarted,
                       int64_t delay_ms, unsigned checkpoint)
{
    struct model_task *task = holder(self, id, incarnation, fence);

    if (task == NULL)
        return STATUS_LEASE_LOST;
    if (checkpoint != 0)
        task->checkpoint = checkpoint;
    if (!unstarted)
        self->events.wasted_ms += held_ms(self, task);
    if (kind == TASK_NACK_PREEMPTED) {
        task->preemptions++;
        self->events.preemptions++;
    }
    if (kind == TASK_NACK_FAILED) {
        task->failures++;
        self->events.failures++;
        if (permanent || task->failures >= self->config.max_failures) {
            die(task, DEAD_FAILURES);
            return STATUS_OK;
        }
    }
    wait_or_ready(self, task, delay_ms);
    return STATUS_OK;
}

enum status model_renew(struct model *self, int id, int incarnation, uint32_t fence,
                        int64_t lease_ms)
{
    struct model_task *task = holder(self, id, incarnation, fence);

    if (task == NULL)
        return STATUS_LEASE_LOST;
    if (task->session < 0 && self->now_ms + lease_ms > task->due_ms)
        task->due_ms = self->now_ms + lease_ms;
    task->kept_due_ms = task->due_ms;
    return STATUS_OK;
}

enum status model_checkpoint(struct model *self, int id, int incarnation, uint32_t fence,
                             unsigned checkpoint)
{
    struct model_task *task = holder(self, id, incarnation, fence);

    if (task == NULL)
        return STATUS_LEASE_LOST;
    task->checkpoint = checkpoint;
    task->kept_due_ms = task->due_ms;
    return STATUS_OK;
}

enum status model_cancel(struct model *self, int id)
{
    struct model_task *task = &self->tasks[id];

    if (!task->exists || is_forgotten(self, task))
        return STATUS_TASK_NOT_FOUND;
    if (!is_open(task))
        return STATUS_WRONG_STATE;
    if (task->state == TASK_LEASED) {
        self->events.wasted_ms += held_ms(self, task);
        tell(self, task);
    }
    die(task, DEAD_CANCELLED);
    return STATUS_OK;
}

static bool is_behind(const struct model_walk *walk, const struct model_task *task)
{
    return !walk->begun || task->priority < walk->priority ||
           (task->priority == walk->priority && task->seq > walk->seq);
}

/* Visits the tasks behind `walk`, which it moves to the last of them. */
static bool step_on(struct model *self, struct model_walk *walk, bool dead_only,
                    void (*visit)(struct model *self, struct model_walk *walk,
                                  struct model_task *task))
{
    struct model_walk last = *walk;
    bool found = false;

    if (!walk->begun)
        walk->seq_end = self->next_seq;
    for (int i = 0; i < MODEL_TASKS; i++) {
        struct model_task *task = &self->tasks[i];

        if (!task->exists || !is_behind(walk, task) ||
            (dead_only ? task->state != TASK_DEAD : task->state == TASK_DONE))
            continue;
        if (!found || is_behind(&last, task))
            last = (struct model_walk){.begun = true, task->priority, task->seq};
        found = true;
        visit(self, walk, task);
    }
    walk->begun = true;
    if (found) {
        walk->priority = last.priority;
        walk->seq = last.seq;
    }
    return found;
}

static void redrive(struct model *self, struct model_walk *walk, struct model_task *task)
{
    task->failures = 0;
    task->losses = 0;
    task->dead_reason = DEAD_NOT;
    task->published_ms = self->now_ms;
    wait_or_ready(self, task, 0);
    walk->changed++;
}

bool model_redrive(struct model *self, struct model_walk *walk)
{
    return step_on(self, walk, true, redrive);
}

static void erase(struct model *self, struct model_walk *walk, struct model_task *task)
{
    task->exists = false;
    self->events.purged++;
    walk->changed++;
}

bool model_delete_dead(struct model *self, struct model_walk *walk)
{
    return step_on(self, walk, true, erase);
}

static void purge(struct model *self, struct model_walk *walk, struct model_task *task)
{
    if ((task->state == TASK_READY || task->state == TASK_DELAYED) && task->seq < walk->seq_end)
        erase(self, walk, task);
}

bool model_purge(struct model *self, struct model_walk *walk)
{
    return step_on(self, walk, false, purge);
}

int model_open(struct model *self, uint64_t id, int64_t session_ms)
{
    assert_true(self->session_count < MODEL_SESSIONS);
    self->sessions[self->session_count] = (struct model_session){
        .open = true,
        .id = id,
        .session_ms = session_ms,
        .deadline_ms = self->now_ms + session_ms,
    };
    return self->session_count++;
}

void model_keep_alive(struct model *self, int index)
{
    struct model_session *session = &self->sessions[index];

    if (session->open && !session->closing)
        session->deadline_ms = self->now_ms + session->session_ms;
}

int model_heartbeat(struct model *self, int index)
{
    struct model_session *session = &self->sessions[index];
    int stops = session->stops;

    if (!session->open || session->closing)
        return -1;
    model_keep_alive(self, index);
    session->stops = 0;
    return stops;
}

static void lose(struct model *self, struct model_task *task)
{
    self->events.wasted_ms += held_ms(self, task);
    self->events.losses++;
    task->losses++;
    if (task->losses >= self->config.max_losses)
        die(task, DEAD_LOSSES);
    else
        wait_or_ready(self, task, 0);
}

bool model_begin_close(struct model *self, int index)
{
    struct model_session *session = &self->sessions[index];

    if (!session->open || session->closing)
        return false;
    session->closing = true;
    return true;
}

int model_end_close(struct model *self, int index)
{
    int returned = 0;

    self->sessions[index].open = false;
    for (int i = 0; i < MODEL_TASKS; i++) {
        struct model_task *task = &self->tasks[i];

        if (!task->exists || task->state != TASK_LEASED || task->session != index)
            continue;
        self->events.wasted_ms += held_ms(self, task);
        self->events.preemptions++;
        task->preemptions++;
        wait_or_ready(self, task, 0);
        returned++;
    }
    return returned;
}

void model_tick(struct model *self, int64_t now_ms)
{
    self->now_ms = now_ms;
}

void model_pass(struct model *self, int64_t now_ms)
{
    self->now_ms = now_ms;
    self->passed_ms = now_ms;
    for (int i = 0; i < self->session_count; i++)
        self->sessions[i].open &= self->sessions[i].deadline_ms > now_ms;
    for (int i = 0; i < MODEL_TASKS; i++) {
        struct model_task *task = &self->tasks[i];

        if (!task->exists)
            continue;
        if (task->state == TASK_DELAYED && task->due_ms <= now_ms)
            wait_or_ready(self, task, 0);
        else if (task->state == TASK_LEASED &&
                 (task->session >= 0 ? !self->sessions[task->session].open
                                     : task->due_ms <= now_ms))
            lose(self, task);
    }
}

void model_expire(struct model *self)
{
    for (int i = 0; i < MODEL_TASKS; i++) {
        struct model_task *task = &self->tasks[i];

        if (task->exists && task->state == TASK_READY && has_outlived(self, task))
            die(task, DEAD_EXPIRED);
    }
}

void model_end_backoff(const struct model *self, struct model_task *task, bool expires)
{
    assert_true(task->state == TASK_DELAYED && task->due_ms >= MODEL_DUE_UNKNOWN);
    task->state = TASK_READY;
    task->due_ms = 0;
    if (expires && has_outlived(self, task))
        die(task, DEAD_EXPIRED);
}

void model_settle(struct model *self)
{
    for (int i = 0; i < self->session_count; i++) {
        self->sessions[i].stops += self->sessions[i].fresh_stops;
        self->sessions[i].fresh_stops = 0;
    }
}

void model_restart(struct model *self, int64_t grace_ms)
{
    for (int i = 0; i < self->session_count; i++) {
        struct model_session *session = &self->sessions[i];

        session->stops = 0;
        session->fresh_stops = 0;
        session->closing = false;
        session->maybe_lost = false;
        session->deadline_ms =
            self->now_ms + (session->session_ms > grace_ms ? session->session_ms : grace_ms);
    }
    for (int i = 0; i < MODEL_TASKS; i++) {
        struct model_task *task = &self->tasks[i];

        if (task->state != TASK_LEASED || task->session >= 0)
            continue;
        task->due_ms = task->kept_due_ms;
        if (task->due_ms < self->now_ms + grace_ms)
            task->due_ms = self->now_ms + grace_ms;
    }
    for (int i = 0; i < self->tombstone_count; i++)
        if (self->tombstones[i].until_ms > self->passed_ms)
            self->tombstones[i].until_ms = self->now_ms + REPEATABLE_MS;
}

struct model_counts model_counts(const struct model *self)
{
    struct model_counts counts = self->events;

    for (int i = 0; i < MODEL_TASKS; i++) {
        const struct model_task *task = &self->tasks[i];

        if (!task->exists)
            continue;
        counts.ready += task->state == TASK_READY;
        counts.delayed += task->state == TASK_DELAYED;
        counts.leased += task->state == TASK_LEASED;
        counts.dead += task->state == TASK_DEAD;
    }
    return counts;
}
