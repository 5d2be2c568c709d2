/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.c -- names by pattern.
 */
#include "base/pattern.h"

/* Greedy with one place to come back to: linear in name and pattern for one `*`, and never worse
 * than their product. */
bool pattern_matches(const char *pattern, struct slice name)
{
    const char *star = NULL;
    size_t star_at = 0;
    size_t at = 0;

    while (at < name.size) {
        if (*pattern == '*') {
            star = pattern++;
            star_at = at;
        } else if (*pattern == (char)name.data[at] && *pattern != '\0') {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
