/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points.c -- see points.h.
 */
#include "points.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    bool are_told;
    const char *hold;
    const char *gate;
} points;

/* One worker a process: so is its sink. */
static struct {
    struct ackd_sink sink;
    struct ackd_sink *inner;
} around;

void points_begin(const char *hold, const char *gate)
{
    points.are_told = true;
    points.hold = hold;
    points.gate = gate;
}

static void tell(const char *point, const char *task_id)
{
    struct timespec now;

    if (!points.are_told)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("at %s %s %lld\n", point, task_id, (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void await_gate(const char *point)
{
    const struct timespec moment = {.tv_nsec = 2000000};

    if (points.hold == NULL || strcmp(point, points.hold) != 0)
        return;
    while (access(points.gate, F_OK) != 0)
        nanosleep(&moment, NULL);
}

void points_pass(const char *point, const char *task_id)
{
    tell(point, task_id);
    await_gate(point);
}

static enum ackd_status around_open(struct ackd_sink *sink, struct ackd_error *error)
{
    return around.inner->open == NULL ? ACKD_OK : around.inner->open(around.inner, error);
}

static enum ackd_status around_find_done(struct ackd_sink *sink, const char *queue,
                                         const char *const *task_ids, size_t count, bool *ret_done,
                                         struct ackd_error *error)
{
    for (size_t i = 0; i < count; i++)
        tell("leased", task_ids[i]);
    await_gate("leased");
    if (around.inner->find_done == NULL)
        return ACKD_OK;
    return around.inner->find_done(around.inner, queue, task_ids, count, ret_done, error);
}

static enum ackd_status around_commit(struct ackd_sink *sink,
                                      const struct ackd_sink_result *results, size_t count,
                                      struct ackd_error *error)
{
    enum ackd_status status;

    for (size_t i = 0; i < count; i++)
        tell("committing", results[i].task_id);
    await_gate("committing");
    status = around.inner->commit(around.inner, results, count, error);
    if (status != ACKD_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        tell("committed", results[i].task_id);
    await_gate("committed");
    return status;
}

static void around_free(struct ackd_sink *sink)
{
    ackd_sink_free(around.inner);
}

struct ackd_sink *points_around(struct ackd_sink *sink)
{
    around.inner = sink;
    around.sink = (struct ackd_sink){.size = sizeof around.sink,
                                     .name = sink->name,
                                     .open = around_open,
                                     .find_done = around_find_done,
                                     .commit = sink->commit == NULL ? NULL : around_commit,
                                     .free = around_free};
    return &around.sink;
}
