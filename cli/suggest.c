/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest.c -- the nearest word by edit distance (insert, delete, replace), at most a third of it.
 */
#include "cli/suggest.h"

#include <string.h>

#define WORD_MAX 40

void suggest_begin(struct suggestion *self, const char *typed, size_t length)
{
    *self = (struct suggestion){typed, length, NULL, 0};
    self->distance = 1 + length / 3; /* what the best must stay below or equal */
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[WORD_MAX + 1];

    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];

            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_length];
}

void suggest_offer(struct suggestion *self, const char *word)
{
    size_t length = strlen(word);
    size_t distance;

    if (length > WORD_MAX || self->length > WORD_MAX)
        return;
    distance = edit_distance(self->typed, self->length, word, length);
    if (distance > self->distance || (distance == self->distance && self->best != NULL))
        return;
    self->best = word;
    self->distance = distance;
}
