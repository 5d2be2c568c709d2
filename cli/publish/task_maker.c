/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_maker.c -- from a row to a task.
 */
#include "cli/publish/task_maker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/traceparent.h"
#include "cli/path.h"

#define TASK_ID_BYTES_MAX 256 /* the contract's: proto/ackd/v1/task.proto */

void task_maker_init(struct task_maker *self, const struct cli *cli)
{
    *self = (struct task_maker){.id_field = cli_text(cli, "id"),
                                .payload_field = cli_text(cli, "payload"),
                                .priority = (int32_t)cli_number(cli, "priority"),
                                .delay_ms = cli_number(cli, "delay")};
    self->attributes = cli_list(cli, "attr", &self->attribute_count);
    self->traceparent = cli_text(cli, "traceparent");
    if (self->traceparent != NULL && !traceparent_is_valid(slice_of_string(self->traceparent)))
        self->traceparent = NULL; /* the environment's: the command refuses one that was given */
}

/* IDs must be printable UTF-8 and not begin with '@', whatever files are called. */
static void make_printable(char *prefix)
{
    bool is_printable = utf8_is_printable(slice_of_string(prefix));

    if (prefix[0] == '@')
        prefix[0] = '_';
    for (char *at = prefix; *at != '\0' && !is_printable; at++)
        if ((uint8_t)*at < 0x20 || (uint8_t)*at >= 0x7F)
            *at = '_';
}

void task_maker_begin_file(struct task_maker *self, const char *path, const char *dataset)
{
    const char *name = strcmp(path, "-") == 0 ? "" : path_base_name(path);
    char whole[1024];
    size_t length;

    if (dataset[0] == '\0' && name[0] == '\0')
        dataset = "stdin";
    if (strcmp(dataset, name) == 0 || name[0] == '\0')
        snprintf(whole, sizeof whole, "%s", dataset);
    else
        snprintf(whole, sizeof whole, "%s/%s", dataset, name);
    length = strlen(whole);
    if (length < sizeof self->prefix)
        memcpy(self->prefix, whole, length + 1);
    else /* its end tells more than its beginning */
        snprintf(self->prefix, sizeof self->prefix, "%08x-%s", crc32c(0, whole, length),
                 whole + length - sizeof self->prefix + 10);
    make_printable(self->prefix);
}

static bool fail(struct task_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(struct task_fault *fault, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
    return false;
}

static bool no_memory(struct task_fault *fault)
{
    return fail(fault, "the row is too large to be published");
}

/* A field as text in the arena. */
static bool copy_field(const json_t *value, struct arena *arena, struct slice *ret_text)
{
    struct buffer text = BUFFER_EMPTY;
    bool ok = row_value_text(value, &text);

    *ret_text = arena_copy(arena, buffer_view(&text));
    buffer_deinit(&text);
    return ok && (ret_text->data != NULL || ret_text->size == 0);
}

static const json_t *need_field(const struct row *row, const char *name,
                                struct task_fault *ret_fault)
{
    const json_t *value;

    if (!json_is_object(row->json)) {
        (void)fail(ret_fault,
                   row->json == NULL ? "the row has no fields, so none is \"%s\""
                                     : "the row is no JSON object, so it has no field \"%s\"",
                   name);
        return NULL;
    }
    value = row_field(row, name);
    if (value == NULL)
        (void)fail(ret_fault, "the row has no field \"%s\"", name);
    return value;
}

static bool check_id(struct slice id, struct task_fault *ret_fault)
{
    if (id.size == 0)
        return fail(ret_fault, "the task ID is empty");
    if (id.size > TASK_ID_BYTES_MAX)
        return fail(ret_fault, "the task ID is too long (limit %d bytes, was %zu)",
                    TASK_ID_BYTES_MAX, id.size);
    if (!utf8_is_printable(id))
        return fail(ret_fault, "the task ID has control characters or is not UTF-8");
    if (id.data[0] == '@')
        return fail(ret_fault, "the task ID begins with @, as only the broker's own do");
    return true;
}

static bool set_id(Ackd__V1__NewTask *task, struct arena *arena, struct slice id,
                   struct task_fault *ret_fault)
{
    if (!check_id(id, ret_fault))
        return false;
    task->task_id = arena_string(arena, id);
    return task->task_id != NULL || no_memory(ret_fault);
}

static bool set_id_from_field(const struct task_maker *self, const struct row *row,
                              Ackd__V1__NewTask *task, struct arena *arena,
                              struct task_fault *ret_fault)
{
    const json_t *value = need_field(row, self->id_field, ret_fault);
    struct slice id;

    if (value == NULL)
        return false;
    if (!json_is_string(value) && !json_is_number(value))
        return fail(ret_fault, "the field \"%s\" is no string or number, so it can't be the ID",
                    self->id_field);
    if (!copy_field(value, arena, &id))
        return no_memory(ret_fault);
    return set_id(task, arena, id, ret_fault);
}

/* What a row says: the same row makes the same ID, a changed one another. */
static uint32_t checksum_of(const Ackd__V1__NewTask *task)
{
    uint32_t sum = crc32c(0, task->payload.data, task->payload.len);

    for (size_t i = 0; i < task->n_attributes; i++) {
        sum = crc32c(sum, task->attributes[i]->key, strlen(task->attributes[i]->key) + 1);
        sum = crc32c(sum, task->attributes[i]->value, strlen(task->attributes[i]->value) + 1);
    }
    return sum;
}

static bool set_id_from_place(const struct task_maker *self, int64_t first, int64_t last,
                              Ackd__V1__NewTask *task, struct arena *arena)
{
    char range[24] = "";

    if (last != first)
        snprintf(range, sizeof range, "-%06lld", (long long)last);
    task->task_id = arena_printf(arena, "%s:%06lld%s:%08x", self->prefix, (long long)first, range,
                                 checksum_of(task));
    return task->task_id != NULL;
}

static bool set_payload(const struct task_maker *self, const struct row *row,
                        Ackd__V1__NewTask *task, struct arena *arena, struct task_fault *ret_fault)
{
    struct slice payload;

    if (self->payload_field == NULL) {
        payload = arena_copy(arena, row->text);
    } else {
        const json_t *value = need_field(row, self->payload_field, ret_fault);

        if (value == NULL)
            return false;
        if (!copy_field(value, arena, &payload))
            return no_memory(ret_fault);
    }
    if (payload.data == NULL && payload.size > 0)
        return no_memory(ret_fault);
    task->payload.data = (uint8_t *)payload.data;
    task->payload.len = payload.size;
    return true;
}

static bool add_attribute(Ackd__V1__NewTask *task, struct arena *arena, struct slice key,
                          struct slice value)
{
    Ackd__V1__NewTask__AttributesEntry *entry =
        ARENA_NEW(arena, Ackd__V1__NewTask__AttributesEntry);

    if (entry == NULL)
        return false;
    ackd__v1__new_task__attributes_entry__init(entry);
    entry->key = arena_string(arena, key);
    entry->value = arena_string(arena, value);
    task->attributes[task->n_attributes++] = entry;
    return entry->key != NULL && entry->value != NULL;
}

/* KEY=VALUE for every task; FIELD copies the row's own, if it has one. */
static bool set_attribute(const struct row *row, const char *attribute, Ackd__V1__NewTask *task,
                          struct arena *arena)
{
    const char *equals = strchr(attribute, '=');
    const json_t *value;
    struct slice text;

    if (equals != NULL)
        return add_attribute(task, arena, slice_of(attribute, (size_t)(equals - attribute)),
                             slice_of_string(equals + 1));
    value = row == NULL ? NULL : row_field(row, attribute);
    if (value == NULL)
        return true;
    return copy_field(value, arena, &text) &&
           add_attribute(task, arena, slice_of_string(attribute), text);
}

static bool set_trace(const struct task_maker *self, Ackd__V1__NewTask *task, struct arena *arena)
{
    if (self->traceparent == NULL)
        return true;
    for (size_t i = 0; i < task->n_attributes; i++)
        if (strcmp(task->attributes[i]->key, TRACEPARENT_KEY) == 0)
            return true;
    return add_attribute(task, arena, slice_of_string(TRACEPARENT_KEY),
                         slice_of_string(self->traceparent));
}

/* `row` NULL: there is none, only KEY=VALUE counts. */
static bool set_attributes(const struct task_maker *self, const struct row *row,
                           Ackd__V1__NewTask *task, struct arena *arena)
{
    if (self->attribute_count == 0 && self->traceparent == NULL)
        return true;
    task->attributes =
        ARENA_ARRAY(arena, self->attribute_count + 1, Ackd__V1__NewTask__AttributesEntry *);
    for (size_t i = 0; task->attributes != NULL && i < self->attribute_count; i++)
        if (!set_attribute(row, self->attributes[i], task, arena))
            return false;
    return task->attributes != NULL && set_trace(self, task, arena);
}

bool task_maker_fill(const struct task_maker *self, const struct row *row, Ackd__V1__NewTask *task,
                     struct arena *arena, struct task_fault *ret_fault)
{
    task->priority = self->priority;
    task->delay_ms = self->delay_ms;
    if (!set_payload(self, row, task, arena, ret_fault))
        return false;
    if (!set_attributes(self, row, task, arena))
        return no_memory(ret_fault);
    if (row->path != NULL)
        return set_id(task, arena, slice_of_string(row->path), ret_fault);
    if (self->id_field != NULL)
        return set_id_from_field(self, row, task, arena, ret_fault);
    return set_id_from_place(self, row->number, row->number, task, arena) || no_memory(ret_fault);
}

bool task_maker_fill_joined(const struct task_maker *self, struct slice text, int64_t first,
                            int64_t last, Ackd__V1__NewTask *task, struct arena *arena,
                            struct task_fault *ret_fault)
{
    struct slice payload = arena_copy(arena, text);

    task->priority = self->priority;
    task->delay_ms = self->delay_ms;
    task->payload.data = (uint8_t *)payload.data;
    task->payload.len = payload.size;
    if (payload.data == NULL || !set_attributes(self, NULL, task, arena))
        return no_memory(ret_fault);
    return set_id_from_place(self, first, last, task, arena) || no_memory(ret_fault);
}
