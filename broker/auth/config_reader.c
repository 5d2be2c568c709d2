/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_reader.c -- takes members out of a config's JSON.
 */
#include "auth/config_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_SHOWN 40 /* bytes of a name that somebody wrote there */

struct config_place config_item(const struct config_place *parent, const char *array,
                                const json_t *json, size_t index)
{
    struct config_place item = {.json = json};

    snprintf(item.path, sizeof item.path, "%.40s%s%.20s[%zu]", parent->path,
             *parent->path == '\0' ? "" : ".", array, index);
    return item;
}

/* "FILE: PATH.MEMBER: why". */
bool config_refuse(struct config_reader *self, const struct config_place *place, const char *member,
                   const char *format, ...)
{
    const char *dot = *place->path == '\0' || *member == '\0' ? "" : ".";
    char why[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    error_set(self->error, STATUS_INVALID, "%.100s: %s%s%s%s%s", self->file, place->path, dot,
              member, *place->path == '\0' && *member == '\0' ? "" : ": ", why);
    snprintf(self->error->field, sizeof self->error->field, "%.50s%s%.40s", place->path, dot,
             member);
    return false;
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

bool config_members(struct config_reader *self, const struct config_place *place,
                    const char *const *known)
{
    const char *name;
    json_t *value;

    if (!json_is_object(place->json))
        return config_refuse(self, place, "", "it must be an object");
    json_object_foreach((json_t *)place->json, name, value)
    {
        if (!is_one_of(name, known))
            return config_refuse(self, place, "", "\"%.*s\" has no meaning here", NAME_SHOWN, name);
    }
    return true;
}

bool config_text(struct config_reader *self, const struct config_place *place, const char *member,
                 size_t size_max, const char **ret_text)
{
    const json_t *json = json_object_get(place->json, member);

    *ret_text = json_string_value(json);
    if (json == NULL)
        return config_refuse(self, place, member, "it is missing");
    if (*ret_text != NULL && json_string_length(json) > 0 && json_string_length(json) <= size_max)
        return true;
    return config_refuse(self, place, member, "it must be a text of 1 to %zu bytes", size_max);
}

bool config_text_or_none(struct config_reader *self, const struct config_place *place,
                         const char *member, size_t size_max, const char **ret_text)
{
    *ret_text = NULL;
    return json_object_get(place->json, member) == NULL ||
           config_text(self, place, member, size_max, ret_text);
}

bool config_number(struct config_reader *self, const struct config_place *place, const char *member,
                   int64_t min, int64_t max, int64_t fallback, int64_t *ret_number)
{
    const json_t *json = json_object_get(place->json, member);

    *ret_number = json == NULL ? fallback : json_integer_value(json);
    if (json == NULL || (json_is_integer(json) && *ret_number >= min && *ret_number <= max))
        return true;
    return config_refuse(self, place, member,
                         "it must be a whole number of %" PRId64 " to %" PRId64, min, max);
}

const json_t *config_array(struct config_reader *self, const struct config_place *place,
                           const char *member, size_t count_min, size_t count_max)
{
    const json_t *json = json_object_get(place->json, member);

    if (json_is_array(json) && json_array_size(json) >= count_min &&
        json_array_size(json) <= count_max)
        return json;
    (void)config_refuse(self, place, member, "it must be an array of %zu to %zu", count_min,
                        count_max);
    return NULL;
}
