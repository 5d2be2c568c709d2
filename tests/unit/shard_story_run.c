/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_story_run.c -- how a story goes: batches of ops drawn one after the other, each judged by
 * the model when it has run, and everything that can be compared compared.
 */
#include <stdio.h>

#include "shard_story.h"
#include "support/check.h"

static const struct op_kind *draw_kind(struct story *self, bool alone_too)
{
    int total = 0;
    int at;

    for (size_t i = 0; i < story_kind_count; i++)
        total += story_kinds[i].alone && !alone_too ? 0 : story_kinds[i].weight;
    at = story_below(self, total);
    for (size_t i = 0; i < story_kind_count; i++) {
        at -= story_kinds[i].alone && !alone_too ? 0 : story_kinds[i].weight;
        if (at < 0)
            return &story_kinds[i];
    }
    return &story_kinds[0];
}

/* The jitter is the shard's to choose, within bounds. */
static void learn_backoffs(struct story *self)
{
    for (int i = 0; i < MODEL_TASKS; i++) {
        struct model_task *task = &self->model.tasks[i];
        struct task_get_call *get;
        int64_t min_ms;
        int64_t max_ms;

        if (!task->exists || task->state != TASK_DELAYED || task->due_ms < MODEL_DUE_UNKNOWN)
            continue;
        get = bench_get(self->bench, "q", story_task_names[i]);
        bench_assert_ok(&get->call);
        assert_int_equal(get->view.task.state, TASK_DELAYED);
        model_backoff(&self->model, task->failures, &min_ms, &max_ms);
        task->due_ms = get->view.task.at_ms;
        assert_in_range(task->due_ms - self->bench->now_ms, min_ms, max_ms);
    }
}

static void judge_counts(struct story *self)
{
    struct tally tally = bench_tally(self->bench, "q");
    struct model_counts counts = model_counts(&self->model);

#define SAME(name) assert_int_equal(tally.name, counts.name) /* I5 */
    SAME(ready);
    SAME(delayed);
    SAME(leased);
    SAME(done);
    SAME(dead);
    SAME(published);
    SAME(purged);
    SAME(deliveries);
    SAME(failures);
    SAME(preemptions);
    SAME(losses);
    SAME(salvaged);
    SAME(useful_ms);
    SAME(wasted_ms);
#undef SAME
}

static void arm_fault(struct story *self)
{
    if (story_chance(self, 80))
        return;
    if (story_chance(self, 30))
        bench_fault(self->bench, STORE_MEM_FAULT_COMMIT_FULL, 1);
    else
        bench_fault(self->bench, STORE_MEM_FAULT_WRITE_FULL, 1 + (uint64_t)story_below(self, 60));
}

static void note(struct story *self, const char *name)
{
    char *line = self->lines[self->line % STORY_LINES];
    size_t size = strlen(line);

    snprintf(line + size, sizeof self->lines[0] - size, "%s%s", size == 0 ? "" : ", ", name);
}

void story_run_batch(struct story *self)
{
    struct op ops[STORY_OPS_MAX] = {0};
    int wanted = 1 + story_below(self, STORY_OPS_MAX);
    int count = 0;

    self->line++;
    self->lines[self->line % STORY_LINES][0] = '\0';
    for (int i = 0; i < wanted; i++) {
        struct op *op = &ops[count];

        *op = (struct op){.kind = draw_kind(self, count == 0), .session = -1};
        if (!op->kind->send(self, op))
            continue;
        note(self, op->kind->name);
        if (op->call != NULL)
            bench_send(self->bench, op->call);
        count++;
        if (op->kind->alone)
            break;
    }
    if (count > 0 && ops[0].call != NULL)
        arm_fault(self);
    bench_run(self->bench);
    bench_fault(self->bench, STORE_MEM_FAULT_NONE, 0);
    for (int i = 0; i < count; i++)
        if (ops[i].kind->judge != NULL)
            ops[i].kind->judge(self, &ops[i]);
    story_judge_served(self);
    for (int i = 0; i < self->waiter_count; i++)
        assert_false(bench_is_answered(&self->waiters[i].call->call));
    model_settle(&self->model);
    learn_backoffs(self);
    judge_counts(self);
    bench_check(self->bench); /* I6 */
}

static struct queue_config draw_config(struct story *self)
{
    struct queue_config config = queue_config_default();

    config.lease_ms = 1000 + story_below(self, 20000);
    config.max_failures = 1 + story_below(self, 4);
    config.max_losses = 1 + story_below(self, 4);
    config.backoff_min_ms = 500;
    config.backoff_max_ms = 500 + story_below(self, 8000);
    config.dedup_retention_ms = story_chance(self, 50) ? 0 : 30000;
    config.late_results = story_chance(self, 70) ? LATE_RESULTS_SALVAGE : LATE_RESULTS_REFUSE;
    config.max_leased = story_chance(self, 30) ? 1 + story_below(self, 10) : 0;
    return config;
}

static void judge_results(struct story *self)
{
    struct result_list_call *list = bench_results(self->bench, "q");
    size_t expected = 0;

    for (int i = 0; i < MODEL_TASKS; i++)
        expected += self->model.tasks[i].result != 0;
    assert_int_equal(list->view_count, expected);
    for (size_t k = 0; k < list->view_count; k++)
        for (int i = 0; i < MODEL_TASKS; i++)
            if (slice_equal(list->views[k].id, text(story_task_names[i])))
                story_assert_bytes(&list->call, list->views[k].data, self->model.tasks[i].result);
}

void story_begin(struct story *self)
{
    self->bench = bench_new();
    model_init(&self->model, draw_config(self), self->bench->now_ms);
    bench_queue_with(self->bench, "q", self->model.config);
}

void story_end(struct story *self)
{
    judge_results(self);
    bench_free(self->bench);
    self->bench = NULL;
}

void story_print_lines(const struct story *self)
{
    for (int i = 1; i <= STORY_LINES; i++)
        print_message("  %s\n", self->lines[(self->line + i) % STORY_LINES]);
}
