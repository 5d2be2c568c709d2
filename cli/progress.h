/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h -- how far a long command is, on stderr.
 *
 * A terminal gets one line with a bar, redrawn a few times a second; anything else a plain line
 * every few seconds. --quiet gets nothing.
 */
#ifndef ACKD_CLI_PROGRESS_H
#define ACKD_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "cli/cli.h"

/* Speed over about the last 15 seconds, from counts at times. */
#define RATE_SAMPLES 16
struct rate {
    struct {
        int64_t at_ms;
        double value;
    } samples[RATE_SAMPLES];
    int count;
    int newest;
};

/* Takes a sample; those closer than a second replace each other. */
void rate_add(struct rate *self, double value, int64_t now_ms);
/* Units a second; 0 while nothing is known. */
double rate_per_s(const struct rate *self);

struct progress {
    bool is_quiet;
    bool is_terminal;
    bool is_drawn; /* the cursor stands behind a bar */
    const char *label;
    const char *unit; /* plural: "rows" */
    int64_t began_ms;
    int64_t shown_ms;
    struct rate counts;
    struct rate fractions;
};

void progress_begin(struct progress *self, const struct cli *cli, const char *label,
                    const char *unit);
/* `fraction` 0 .. 1; negative: the whole is not known. Draws when it is time to. */
void progress_update(struct progress *self, int64_t count, double fraction);
/* Clears the line, so that a message may be printed; the next update draws again. */
void progress_step_aside(struct progress *self);

/* Whether the stream is a terminal that understands cursor movement. */
bool terminal_can_redraw(int fd);
/* Columns; 80 if not known. */
int terminal_width(int fd);
/* "[#######-----]" of `width` characters in all. */
void bar_append(struct buffer *out, double fraction, int width);

#endif
