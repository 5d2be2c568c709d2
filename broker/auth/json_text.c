/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text.c -- JSON read within bounds.
 */
#include "auth/json_text.h"

#include <stdio.h>

/* The deepest nesting of brackets, strings left out. A text that is no JSON gets some number. */
static size_t depth_of(struct slice text)
{
    bool in_string = false;
    size_t depth = 0;
    size_t deepest = 0;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return deepest;
}

json_t *json_text_read(struct slice text, char *ret_reason, size_t reason_size)
{
    json_error_t error;
    json_t *root;

    if (depth_of(text) > JSON_TEXT_DEPTH_MAX) {
        snprintf(ret_reason, reason_size, "it is nested deeper than %d", JSON_TEXT_DEPTH_MAX);
        return NULL;
    }
    root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        snprintf(ret_reason, reason_size, "line %d: %s", error.line, error.text);
        return NULL;
    }
    if (json_is_object(root))
        return root;
    snprintf(ret_reason, reason_size, "it is no JSON object");
    json_decref(root);
    return NULL;
}

const char *json_text_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}
