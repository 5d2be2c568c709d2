/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story.c -- lines in a ring.
 */
#include "story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct story story;

void story_begin(enum story_voice voice, uint64_t seed, const int64_t *now_ms)
{
    story.voice = voice;
    story.seed = seed;
    story.now_ms = now_ms;
    story.count = 0;
}

void story_tell(const char *format, ...)
{
    char *line = story.lines[story.count % STORY_LINES];
    va_list args;
    int size;

    if (story.voice == STORY_SILENT)
        return;
    size = snprintf(line, STORY_LINE_BYTES, "[%8" PRId64 "] ", *story.now_ms);
    va_start(args, format);
    vsnprintf(line + size, STORY_LINE_BYTES - (size_t)size, format, args);
    va_end(args);
    story.count++;
    if (story.voice == STORY_ALOUD)
        puts(line);
}

void story_end_badly(const char *why)
{
    int first = story.count > STORY_LINES ? story.count - STORY_LINES : 0;

    if (story.voice == STORY_LAST)
        for (int i = first; i < story.count; i++)
            puts(story.lines[i % STORY_LINES]);
    printf("seed %" PRIu64 " fails: %s\n", story.seed, why);
    printf("to replay it: ./dev sim --seed %" PRIu64 "\n", story.seed);
    fflush(stdout);
}

void story_fail(const char *format, ...)
{
    char why[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    story_end_badly(why);
    exit(EXIT_FAILURE);
}
