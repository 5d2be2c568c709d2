/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_group.c -- dead letters grouped by why they died.
 */
#include "cli/dead_group.h"

#include <stdlib.h>
#include <string.h>

static const char *const reason_names[] = {"any", "failures", "losses", "expired", "cancelled"};

const char *dead_reason_name(Ackd__V1__DeadReason reason)
{
    return (size_t)reason < sizeof reason_names / sizeof reason_names[0] ? reason_names[reason]
                                                                         : "unknown";
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice dead_error_line(const char *error)
{
    size_t end = strlen(error);
    size_t start;

    while (end > 0 && is_blank(error[end - 1]))
        end--;
    start = end;
    while (start > 0 && error[start - 1] != '\n')
        start--;
    return slice_of(error + start, end - start);
}

void dead_groups_init(struct dead_groups *self, struct arena *arena)
{
    map_init(&self->map);
    self->arena = arena;
}

void dead_groups_deinit(struct dead_groups *self)
{
    map_deinit(&self->map);
}

static struct dead_group *group_of(struct map_node *node)
{
    return (struct dead_group *)node; /* its first member */
}

static struct dead_group *find(struct dead_groups *self, Ackd__V1__DeadReason reason,
                               struct slice error, uint64_t hash)
{
    struct map_node *node = map_first_of(&self->map, hash);

    for (; node != NULL; node = map_next_of(node))
        if (group_of(node)->reason == reason && slice_equal(group_of(node)->error, error))
            return group_of(node);
    return NULL;
}

static struct dead_group *add_group(struct dead_groups *self, const Ackd__V1__DeadLetter *letter,
                                    struct slice error, uint64_t hash)
{
    struct dead_group *group = ARENA_NEW(self->arena, struct dead_group);

    if (group == NULL || !map_reserve(&self->map, 1))
        return NULL;
    group->reason = letter->reason;
    group->error = arena_copy(self->arena, error);
    group->example = arena_string(
        self->arena, slice_of_string(letter->task == NULL ? "" : letter->task->task_id));
    map_insert(&self->map, &group->node, hash);
    return group;
}

bool dead_groups_add(struct dead_groups *self, const Ackd__V1__DeadLetter *letter)
{
    struct slice error = dead_error_line(letter->error);
    uint64_t hash = hash_bytes(error) ^ hash_u64((uint64_t)letter->reason);
    struct dead_group *group = find(self, letter->reason, error, hash);

    if (group == NULL)
        group = add_group(self, letter, error, hash);
    if (group == NULL)
        return false;
    group->count++;
    if (letter->dead_unix_ms > group->last_unix_ms)
        group->last_unix_ms = letter->dead_unix_ms;
    return true;
}

static int larger_first(const void *a, const void *b)
{
    const struct dead_group *first = *(struct dead_group *const *)a;
    const struct dead_group *second = *(struct dead_group *const *)b;

    if (first->count != second->count)
        return first->count < second->count ? 1 : -1;
    return slice_compare(first->error, second->error);
}

struct dead_group **dead_groups_sorted(const struct dead_groups *self, size_t *ret_count)
{
    struct dead_group **groups = ARENA_ARRAY(self->arena, self->map.count, struct dead_group *);
    struct map_node *node = NULL;

    *ret_count = 0;
    if (groups == NULL)
        return NULL;
    while ((node = map_next(&self->map, node)) != NULL)
        groups[(*ret_count)++] = group_of(node);
    qsort(groups, *ret_count, sizeof *groups, larger_first);
    return groups;
}
