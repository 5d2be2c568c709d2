/* SPDX-License-Identifier: Apache-2.0 */
/*
 * environment.c -- the variables by which a program learns what its task is.
 */
#include "cli/work/environment.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#define OWN_MAX 16

struct list {
    struct arena *arena;
    const char **entries;
    size_t count;
    bool failed;
};

static void add(struct list *self, char *entry)
{
    self->failed |= entry == NULL;
    self->entries[self->count++] = entry;
}

/* Ours would be hidden by one of the same name that came first; and the trace that this process
 * was started in is not the task's. */
static bool is_ours(const char *entry)
{
    return strncmp(entry, "ACKD_", 5) == 0 || strncmp(entry, "TRACEPARENT=", 12) == 0;
}

static void add_inherited(struct list *self)
{
    for (char **entry = environ; *entry != NULL; entry++)
        if (!is_ours(*entry))
            add(self, *entry);
}

/* ACKD_ATTR_ and the key in capitals, anything but letters and digits as '_'. */
static void add_attribute(struct list *self, const struct ackd_attribute *attribute)
{
    char *entry = arena_printf(self->arena, "ACKD_ATTR_%s=%s", attribute->key, attribute->value);
    char *end = entry == NULL ? NULL : entry + strlen("ACKD_ATTR_") + strlen(attribute->key);

    for (char *at = entry; at < end; at++)
        *at = isalnum((unsigned char)*at) ? (char)toupper((unsigned char)*at) : '_';
    add(self, entry);
}

static void add_task(struct list *self, const struct ackd_task *task)
{
    struct arena *arena = self->arena;

    add(self, arena_printf(arena, "ACKD_TASK_ID=%s", task->id));
    add(self, arena_printf(arena, "ACKD_QUEUE=%s", task->queue));
    add(self, arena_printf(arena, "ACKD_DATASET=%s", task->dataset));
    add(self, arena_printf(arena, "ACKD_ATTEMPT=%d", task->deliveries));
    add(self, arena_printf(arena, "ACKD_FAILURES=%d", task->failures));
    add(self, arena_printf(arena, "ACKD_FENCE=%lld", (long long)task->fence));
    add(self, arena_printf(arena, "ACKD_PRIORITY=%d", task->priority));
    if (ackd_task_traceparent(task) != NULL)
        add(self, arena_printf(arena, "TRACEPARENT=%s", ackd_task_traceparent(task)));
    for (size_t i = 0; i < task->attribute_count; i++)
        add_attribute(self, &task->attributes[i]);
}

static size_t count_inherited(void)
{
    size_t count = 0;

    while (environ[count] != NULL)
        count++;
    return count;
}

const char *const *environment_make(struct arena *arena, const struct ackd_task *task,
                                    const char *url, const char *checkpoint_path,
                                    const char *payload_path)
{
    struct list list = {.arena = arena};

    list.entries =
        ARENA_ARRAY(arena, count_inherited() + task->attribute_count + OWN_MAX, const char *);
    if (list.entries == NULL)
        return NULL;
    add_inherited(&list);
    add_task(&list, task);
    add(&list, arena_printf(arena, "ACKD_URL=%s", url));
    if (checkpoint_path != NULL)
        add(&list, arena_printf(arena, "ACKD_CHECKPOINT_FILE=%s", checkpoint_path));
    if (payload_path != NULL)
        add(&list, arena_printf(arena, "ACKD_PAYLOAD_FILE=%s", payload_path));
    return list.failed ? NULL : list.entries;
}
