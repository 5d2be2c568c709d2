/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option.c -- the rows of the config table as data, and the units their values are written in.
 */
#include "daemon/option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
#define X(group_, field, flag_, kind_, values_, min_, max_, fallback_, text_)                      \
    {.group = OPTION_##group_,                                                                     \
     .kind = OPTION_##kind_,                                                                       \
     .flag = flag_,                                                                                \
     .values = values_,                                                                            \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .fallback = fallback_,                                                                        \
     .text = text_,                                                                                \
     .offset = offsetof(struct config, field)},
    CONFIG_TABLE(X)
#undef X
#define X(name, flag_, unit, min_, max_, fallback_, text_)                                         \
    {.group = OPTION_LIMITS,                                                                       \
     .kind = OPTION_LIMIT,                                                                         \
     .flag = flag_,                                                                                \
     .values = unit,                                                                               \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .fallback = #fallback_,                                                                       \
     .text = text_,                                                                                \
     .offset = offsetof(struct config, limits.name)},
        LIMITS_TABLE(X)
#undef X
};

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, as option_format wants them. */
static const struct unit size_units[] = {
    {"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {0}};
static const struct unit duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                             {"s", 1000},     {"ms", 1},      {0}};
static const struct unit count_units[] = {{"", 1}, {0}};

size_t option_count(void)
{
    return sizeof options / sizeof *options;
}

const struct option *option_at(size_t index)
{
    return &options[index];
}

const struct option *option_find(const char *flag, size_t length)
{
    for (size_t i = 0; i < option_count(); i++) {
        if (strlen(options[i].flag) == length && memcmp(options[i].flag, flag, length) == 0)
            return &options[i];
    }
    return NULL;
}

/* The table of limits has its unit as a text: bytes are sizes, all else is counted. */
static enum option_kind kind_of(const struct option *self)
{
    if (self->kind != OPTION_LIMIT)
        return self->kind;
    return strcmp(self->values, "bytes") == 0 ? OPTION_SIZE : OPTION_COUNT;
}

static const struct unit *units_of(const struct option *self)
{
    if (kind_of(self) == OPTION_SIZE)
        return size_units;
    return kind_of(self) == OPTION_DURATION ? duration_units : count_units;
}

/* "64MiB", "64 MiB", or a plain number of the smallest unit. */
static bool read_number(const struct option *self, const char *text, int64_t *ret_value)
{
    char *end;
    long long number;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    number = strtoll(text, &end, 10);
    while (*end == ' ')
        end++;
    if (errno != 0)
        return false;
    *ret_value = number;
    if (*end == '\0')
        return true;
    for (const struct unit *unit = units_of(self); unit->name != NULL; unit++) {
        if (*unit->name != '\0' && strcmp(unit->name, end) == 0)
            return !__builtin_mul_overflow(number, unit->factor, ret_value);
    }
    return false;
}

static enum status set_number(const struct option *self, int64_t *member, const char *text,
                              struct error *error)
{
    static const char *const examples[] = {[OPTION_COUNT] = "a number",
                                           [OPTION_SIZE] = "a size such as 64MiB",
                                           [OPTION_DURATION] = "a time such as 500ms or 10s"};
    char min[32];
    char max[32];

    if (!read_number(self, text, member))
        return error_set(error, STATUS_INVALID, "--%s needs %s, not \"%s\"", self->flag,
                         examples[kind_of(self)], text);
    option_format(self, self->min, min, sizeof min);
    option_format(self, self->max, max, sizeof max);
    if (*member < self->min || *member > self->max)
        return error_set(error, STATUS_INVALID, "--%s must be from %s to %s, not %s", self->flag,
                         min, max, text);
    return STATUS_OK;
}

static enum status set_choice(const struct option *self, int64_t *member, const char *text,
                              struct error *error)
{
    size_t length = strlen(text);
    const char *value = self->values;

    for (int64_t index = 0;; index++) {
        size_t size = strcspn(value, "|");

        if (size == length && memcmp(value, text, size) == 0) {
            *member = index;
            return STATUS_OK;
        }
        if (value[size] == '\0')
            return error_set(error, STATUS_INVALID, "--%s must be one of %s, not \"%s\"",
                             self->flag, self->values, text);
        value += size + 1;
    }
}

static enum status add_item(const struct option *self, struct config_list *list, const char *text,
                            struct error *error)
{
    if (list->count == CONFIG_LISTEN_MAX)
        return error_set(error, STATUS_INVALID, "--%s can be given at most %d times", self->flag,
                         CONFIG_LISTEN_MAX);
    list->items[list->count++] = text;
    return STATUS_OK;
}

enum status option_set(const struct option *self, struct config *config, const char *text,
                       struct error *error)
{
    void *member = (char *)config + self->offset;

    switch (self->kind) {
    case OPTION_TEXT:
        *(const char **)member = text;
        return STATUS_OK;
    case OPTION_LIST:
        return add_item(self, member, text, error);
    case OPTION_CHOICE:
    case OPTION_SWITCH:
        return set_choice(self, member, text, error);
    default:
        return set_number(self, member, text, error);
    }
}

void option_environment_name(const struct option *self, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "ACKD_%s", self->flag);
    for (char *at = ret_name; *at != '\0'; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
}

void option_format(const struct option *self, int64_t value, char *ret_text, size_t size)
{
    const struct unit *unit = units_of(self);

    while (unit->factor > 1 && (value == 0 || value % unit->factor != 0))
        unit++;
    snprintf(ret_text, size, *unit->name == '\0' ? "%" PRId64 "%s" : "%" PRId64 " %s",
             value / unit->factor, unit->name);
}
