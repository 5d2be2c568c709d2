/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.c -- the tasks of one publish request.
 */
#include "cli/publish/batch.h"

#include <string.h>

#include "base/assert.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)

void batch_init(struct batch *self)
{
    arena_init(&self->arena, ARENA_BYTES_MAX);
    self->count = 0;
}

void batch_deinit(struct batch *self)
{
    arena_deinit(&self->arena);
}

void batch_clear(struct batch *self)
{
    arena_reset(&self->arena);
    self->count = 0;
}

bool batch_is_full(const struct batch *self)
{
    return self->count == BATCH_TASKS_MAX || self->arena.used_bytes >= BATCH_BYTES_MAX;
}

Ackd__V1__NewTask *batch_add(struct batch *self, struct origin origin)
{
    Ackd__V1__NewTask *task = ARENA_NEW(&self->arena, Ackd__V1__NewTask);

    ASSERT(self->count < BATCH_TASKS_MAX);
    if (task == NULL)
        return NULL;
    ackd__v1__new_task__init(task);
    self->origins[self->count] = origin;
    self->tasks[self->count++] = task;
    return task;
}

void batch_drop_last(struct batch *self)
{
    ASSERT(self->count > 0);
    self->count--;
}

void origin_describe(struct origin origin, int64_t column, struct buffer *out)
{
    buffer_append_string(out, strcmp(origin.path, "-") == 0 ? "stdin" : origin.path);
    if (origin.line > 0)
        buffer_append_printf(out, ":%lld", (long long)origin.line);
    if (column > 0)
        buffer_append_printf(out, ":%lld", (long long)column);
    buffer_append_string(out, ": ");
}
