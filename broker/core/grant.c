/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grant.c -- rights and patterns of queue names.
 */
#include "core/grant.h"

#include <stdio.h>
#include <string.h>

#include "base/pattern.h"

struct right_name {
    uint8_t bit;
    const char *text;
};

static const struct right_name names[] = {
#define X(name, bit, text) {bit, text},
    RIGHTS_TABLE(X)
#undef X
};
#define NAME_COUNT (sizeof names / sizeof *names)

static bool pattern_is_valid(struct slice pattern)
{
    if (pattern.size == 0 || pattern.size > QUEUE_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < pattern.size; i++) {
        char c = (char)pattern.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c == '\0' || !strchr("._-*", c)))
            return false;
    }
    return true;
}

static uint8_t right_of(struct slice text)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (slice_equal(slice_of_string(names[i].text), text))
            return names[i].bit;
    return 0;
}

/* "read,work". 0: one of them is unknown. */
static uint8_t rights_of(struct slice text)
{
    uint8_t rights = 0;

    for (;;) {
        const uint8_t *comma = text.size == 0 ? NULL : memchr(text.data, ',', text.size);
        size_t size = comma == NULL ? text.size : (size_t)(comma - text.data);
        uint8_t right = right_of(slice_of(text.data, size));

        if (right == 0)
            return 0;
        rights |= right;
        if (comma == NULL)
            return rights;
        text = slice_of(comma + 1, text.size - size - 1);
    }
}

bool grant_read(struct slice text, struct grant *ret_grant)
{
    const uint8_t *colon = text.size == 0 ? NULL : memchr(text.data, ':', text.size);
    struct slice pattern;
    size_t size;

    if (colon == NULL)
        return false;
    size = (size_t)(colon - text.data);
    pattern = slice_of(colon + 1, text.size - size - 1);
    *ret_grant = (struct grant){.rights = rights_of(slice_of(text.data, size))};
    if (ret_grant->rights == 0 || !pattern_is_valid(pattern))
        return false;
    memcpy(ret_grant->pattern, pattern.data, pattern.size);
    return true;
}

static void write_rights(uint8_t rights, const char *between, char *ret_text)
{
    ret_text[0] = '\0';
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if ((rights & names[i].bit) == 0)
            continue;
        if (ret_text[0] != '\0')
            strcat(ret_text, between);
        strcat(ret_text, names[i].text);
    }
}

void grant_write(const struct grant *self, char ret_text[GRANT_TEXT_BYTES_MAX])
{
    write_rights(self->rights, ",", ret_text);
    strcat(ret_text, ":");
    strcat(ret_text, self->pattern);
}

void rights_write(uint8_t rights, char ret_text[GRANT_TEXT_BYTES_MAX])
{
    write_rights(rights, " or ", ret_text);
}

static bool has_right(const struct grant *grant, uint8_t rights)
{
    return (grant->rights & (rights | RIGHT_ADMIN)) != 0;
}

bool scope_covers(const struct scope *self, struct slice queue)
{
    if (self == NULL)
        return true;
    for (size_t i = 0; i < self->count; i++)
        if (has_right(&self->grants[i], self->rights) &&
            pattern_matches(self->grants[i].pattern, queue))
            return true;
    return false;
}

bool scope_covers_all(const struct scope *self)
{
    if (self == NULL)
        return true;
    for (size_t i = 0; i < self->count; i++)
        if (has_right(&self->grants[i], self->rights) && strcmp(self->grants[i].pattern, "*") == 0)
            return true;
    return false;
}

bool scope_covers_some(const struct scope *self)
{
    if (self == NULL)
        return true;
    for (size_t i = 0; i < self->count; i++)
        if (has_right(&self->grants[i], self->rights))
            return true;
    return false;
}
