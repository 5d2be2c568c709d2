/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_progress.c -- which tasks a heartbeat says came nearer to their end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "worker_internal.h"

enum { HEARTBEAT_MAX = 10000, TASKS = 2 * HEARTBEAT_MAX + 500 };

struct world {
    struct ackd_worker worker;
    struct session session;
    struct task *tasks;
    char (*tokens)[16];
    int *told; /* times, of each task */
};

static void world_open(struct world *self, int tasks)
{
    *self = (struct world){.told = calloc((size_t)tasks, sizeof(int))};
    self->tasks = calloc((size_t)tasks, sizeof *self->tasks);
    self->tokens = calloc((size_t)tasks, sizeof *self->tokens);
    pthread_mutex_init(&self->worker.lock, NULL);
    list_init(&self->worker.running);
    self->worker.progress_max = HEARTBEAT_MAX;
    for (int i = 0; i < tasks; i++) {
        struct task *task = &self->tasks[i];

        (void)snprintf(self->tokens[i], sizeof self->tokens[i], "%d", i);
        task->session = &self->session;
        task->lease_token = self->tokens[i];
        list_append(&self->worker.running, &task->link);
    }
}

static void world_close(struct world *self)
{
    pthread_mutex_destroy(&self->worker.lock);
    free(self->tasks);
    free(self->tokens);
    free(self->told);
}

static void step(struct world *self, int tasks)
{
    for (int i = 0; i < tasks; i++)
        ackd_task_progress(&self->tasks[i].face);
}

/* One heartbeat: how many tasks it told. */
static size_t beat(struct world *self, bool is_answered)
{
    size_t count;
    char **tokens = progress_take(&self->worker, &self->session, &count);

    for (size_t i = 0; i < count && is_answered; i++)
        self->told[atoi(tokens[i])]++;
    progress_free(tokens, count);
    if (is_answered)
        progress_told(&self->worker, &self->session);
    return count;
}

static void test_tasks_that_all_move_are_told_in_turn(void **state)
{
    struct world world;

    world_open(&world, TASKS);
    for (int i = 0; i < 3; i++) {
        step(&world, TASKS);
        assert_int_equal(beat(&world, true), HEARTBEAT_MAX);
    }
    for (int i = 0; i < TASKS; i++)
        assert_in_range(world.told[i], 1, 2);
    world_close(&world);
}

static void test_what_a_lost_heartbeat_carried_the_next_carries_again(void **state)
{
    struct world world;

    world_open(&world, 3);
    step(&world, 2);
    assert_int_equal(beat(&world, false), 2);
    assert_int_equal(beat(&world, true), 2);
    assert_int_equal(beat(&world, true), 0);
    assert_int_equal(world.told[0] + world.told[1], 2);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_that_all_move_are_told_in_turn),
        cmocka_unit_test(test_what_a_lost_heartbeat_carried_the_next_carries_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
