/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story.h -- what a simulation tells of itself, a line an event:
 *
 *   [   30010] worker b leases task 7 -> fence 2
 *
 * A run of many seeds is silent; the seed that fails is run again aloud, and its last lines are
 * printed with the command that replays it.
 */
#ifndef ACKD_TESTS_SIM_STORY_H
#define ACKD_TESTS_SIM_STORY_H

#include <stdbool.h>
#include <stdint.h>

enum { STORY_LINES = 80, STORY_LINE_BYTES = 200 };

enum story_voice {
    STORY_SILENT, /* nothing is kept */
    STORY_LAST,   /* the last lines are kept for story_end */
    STORY_ALOUD,  /* every line is printed */
};

struct story {
    enum story_voice voice;
    uint64_t seed;
    const int64_t *now_ms;
    char lines[STORY_LINES][STORY_LINE_BYTES];
    int count;
};

/* The story of the simulation that runs. */
extern struct story story;

void story_begin(enum story_voice voice, uint64_t seed, const int64_t *now_ms);
void story_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* How it ended, and how to hear it again. */
void story_end_badly(const char *why);
/* A promise is broken: ends the story and the process. */
_Noreturn void story_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
