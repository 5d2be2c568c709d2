/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.c -- writing out where a decoder stands.
 */
#include "codec/path.h"

#include <stdarg.h>
#include <stdio.h>

struct text {
    char *at;
    size_t left; /* bytes, the NUL included */
};

static void put_char(struct text *text, uint8_t c)
{
    if (text->left < 2)
        return;
    *text->at++ = c >= 0x20 && c < 0x7f ? (char)c : '?';
    text->left--;
}

static void put_index(struct text *text, size_t index)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "[%zu]", index);

    for (int i = 0; i < length; i++)
        put_char(text, (uint8_t)digits[i]);
}

/* Depth is that of the descriptors, which have no cycles. */
static void put_path(struct text *text, const struct path *path)
{
    if (path == NULL)
        return;
    put_path(text, path->parent);
    if (path->parent != NULL)
        put_char(text, '.');
    for (size_t i = 0; i < path->name.size; i++)
        put_char(text, path->name.data[i]);
    if (path->index != PATH_NO_INDEX)
        put_index(text, path->index);
}

void path_render(const struct path *self, char *ret_text, size_t size)
{
    struct text text = {ret_text, size};

    put_path(&text, self);
    *text.at = '\0';
}

enum status path_refuse(const struct path *self, struct error *error, const char *format, ...)
{
    char message[sizeof error->message];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    error_set(error, STATUS_MALFORMED, "%s", message);
    path_render(self, error->field, sizeof error->field);
    return STATUS_MALFORMED;
}
