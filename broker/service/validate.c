/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate.c -- what callers may send, with a sentence for each refusal.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/digits.h"
#include "service/internal.h"

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool queue_name_is_valid(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > QUEUE_NAME_BYTES_MAX || !is_name_char(name[0]))
        return false;
    for (size_t i = 1; i < size; i++)
        if (!is_name_char(name[i]) && strchr("._-", name[i]) == NULL)
            return false;
    return true;
}

struct field_path field_of(const char *list, size_t index, const char *field)
{
    struct field_path path;

    snprintf(path.text, sizeof path.text, "%s[%zu].%s", list, index, field);
    return path;
}

enum status check_queue_name(const char *name, const char *field, struct error *error)
{
    if (queue_name_is_valid(name))
        return STATUS_OK;
    if (name[0] == '\0')
        return error_limit(error, STATUS_INVALID, field, 0, 0, "the queue's name is missing");
    return error_limit(error, STATUS_INVALID, field, QUEUE_NAME_BYTES_MAX, (int64_t)strlen(name),
                       "\"%.64s\" is no queue name: lower-case letters, digits and . _ -, "
                       "beginning with a letter or digit, at most %d characters",
                       name, QUEUE_NAME_BYTES_MAX);
}

static enum status check_text(const char *text, size_t max, const char *field, struct error *error)
{
    size_t size = strlen(text);

    if (size > max)
        return error_limit(error, STATUS_TOO_LARGE, field, (int64_t)max, (int64_t)size,
                           "%s has %zu bytes; the limit is %zu", field, size, max);
    if (!utf8_is_printable(slice_of(text, size)))
        return error_limit(error, STATUS_INVALID, field, 0, 0,
                           "%s must be UTF-8 without control characters", field);
    return STATUS_OK;
}

enum status check_dataset_name(const char *name, struct error *error)
{
    return check_text(name, DATASET_NAME_BYTES_MAX, "dataset", error);
}

enum status check_task_id(const char *id, const char *field, struct error *error)
{
    if (id[0] == '\0')
        return error_limit(error, STATUS_INVALID, field, 0, 0, "%s is missing", field);
    return check_text(id, TASK_ID_BYTES_MAX, field, error);
}

enum status check_range(int64_t value, int64_t min, int64_t max, const char *field,
                        const char *unit, struct error *error)
{
    if (value >= min && value <= max)
        return STATUS_OK;
    return error_limit(error, STATUS_INVALID, field, value < min ? min : max, value,
                       "%s is %" PRId64 "; it must be %" PRId64 " to %" PRId64 "%s%s", field, value,
                       min, max, unit[0] == '\0' ? "" : " ", unit);
}

enum status check_count(size_t count, size_t min, const struct limits *limits, const char *field,
                        struct error *error)
{
    if (count < min)
        return error_limit(error, STATUS_INVALID, field, (int64_t)min, (int64_t)count,
                           "%s is empty", field);
    if (count > (size_t)limits->batch_items_max)
        return error_limit(error, STATUS_TOO_LARGE, field, limits->batch_items_max, (int64_t)count,
                           "%s has %zu items; the limit of one request is %" PRId64, field, count,
                           limits->batch_items_max);
    return STATUS_OK;
}

enum status check_page_size(int32_t *page_size, struct error *error)
{
    if (*page_size == 0)
        *page_size = PAGE_SIZE_DEFAULT;
    return check_range(*page_size, 1, PAGE_SIZE_MAX, "page_size", "", error);
}

enum status read_page_token(struct service_call *call, const char *token, struct slice *ret_key)
{
    size_t size = strlen(token);
    uint8_t *key;

    *ret_key = SLICE_EMPTY;
    if (size == 0)
        return STATUS_OK;
    key = size > 2 * STORE_KEY_MAX ? NULL : arena_alloc(call->arena, size + 3);
    if (key == NULL || !base64_decode(slice_of(token, size), key, &size) ||
        size > TASK_ID_BYTES_MAX + 8)
        return error_limit(&call->error, STATUS_INVALID, "page_token", 0, 0,
                           "page_token is not one that this broker gave out");
    *ret_key = slice_of(key, size);
    return STATUS_OK;
}

char *write_page_token(struct arena *arena, struct slice key)
{
    char *text = arena_alloc(arena, base64_size(key.size));

    if (text != NULL)
        base64url_encode(key, text);
    return text;
}

enum status read_session_id(const char *text, uint64_t *ret_id, struct error *error)
{
    if (digits_read_16(slice_of_string(text), ret_id) && *ret_id != 0)
        return STATUS_OK;
    return error_limit(error, STATUS_INVALID, "session_id", 0, 0,
                       "\"%.32s\" is no session ID of this broker", text);
}

enum status read_lease_token(const char *text, const char *field, struct lease_token *ret_token,
                             struct error *error)
{
    if (token_read(slice_of_string(text), ret_token))
        return STATUS_OK;
    return error_limit(error, STATUS_INVALID, field, 0, 0, "%s is no lease token", field);
}
