/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.c -- how far a long command is, on stderr.
 */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/units.h"

#define REDRAW_MS 200
#define PLAIN_MS 5000
#define SAMPLE_MS 1000
#define BAR_WIDTH 24

void rate_add(struct rate *self, double value, int64_t now_ms)
{
    int before = (self->newest + RATE_SAMPLES - 1) % RATE_SAMPLES;

    /* The newest sample moves along until it is a second from the one before. */
    if (self->count < 2 || now_ms - self->samples[before].at_ms >= SAMPLE_MS) {
        self->newest = (self->newest + 1) % RATE_SAMPLES;
        self->count += self->count < RATE_SAMPLES;
    }
    self->samples[self->newest].at_ms = now_ms;
    self->samples[self->newest].value = value;
}

double rate_per_s(const struct rate *self)
{
    int oldest = (self->newest + RATE_SAMPLES + 1 - self->count) % RATE_SAMPLES;
    int64_t ms;

    if (self->count < 2)
        return 0;
    ms = self->samples[self->newest].at_ms - self->samples[oldest].at_ms;
    if (ms <= 0)
        return 0;
    return (self->samples[self->newest].value - self->samples[oldest].value) * 1000 / (double)ms;
}

bool terminal_can_redraw(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

int terminal_width(int fd)
{
    struct winsize size;

    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void bar_append(struct buffer *out, double fraction, int width)
{
    int full = (int)((width - 2) * (fraction > 1 ? 1 : fraction));

    buffer_append_string(out, "[");
    for (int i = 0; i < width - 2; i++)
        buffer_append_string(out, i < full ? "#" : "-");
    buffer_append_string(out, "]");
}

static int64_t now_ms(void)
{
    struct clock clock = clock_real();

    return clock_now_ms(&clock);
}

void progress_begin(struct progress *self, const struct cli *cli, const char *label,
                    const char *unit)
{
    *self = (struct progress){.is_quiet = cli->is_quiet,
                              .is_terminal = terminal_can_redraw(STDERR_FILENO),
                              .label = label,
                              .unit = unit,
                              .began_ms = now_ms()};
    self->shown_ms = self->began_ms;
    rate_add(&self->counts, 0, self->began_ms);
    rate_add(&self->fractions, 0, self->began_ms);
}

static void describe(const struct progress *self, int64_t count, double fraction,
                     struct buffer *out)
{
    double per_s = rate_per_s(&self->counts);
    double fraction_per_s = rate_per_s(&self->fractions);
    struct text text;

    buffer_append_printf(out, "%s  ", self->label);
    if (fraction >= 0 && self->is_terminal) {
        bar_append(out, fraction, BAR_WIDTH);
        buffer_append_string(out, " ");
    }
    if (fraction >= 0)
        buffer_append_printf(out, "%.0f %%  ", fraction * 100);
    buffer_append_printf(out, "%s %s", units_count(&text, count), self->unit);
    if (per_s > 0)
        buffer_append_printf(out, "  %s", units_rate(&text, per_s));
    if (fraction >= 0 && fraction_per_s > 0)
        buffer_append_printf(
            out, "  ETA %s",
            units_duration(&text, (int64_t)((1 - fraction) / fraction_per_s * 1000)));
}

static void draw(struct progress *self, struct buffer *text)
{
    const char *line = buffer_string(text);

    if (self->is_terminal)
        fprintf(stderr, "\r%.*s\033[K", terminal_width(STDERR_FILENO) - 1, line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
    self->is_drawn = self->is_terminal;
}

void progress_update(struct progress *self, int64_t count, double fraction)
{
    int64_t now = now_ms();
    struct buffer text = BUFFER_EMPTY;

    if (self->is_quiet || now - self->shown_ms < (self->is_terminal ? REDRAW_MS : PLAIN_MS))
        return;
    self->shown_ms = now;
    rate_add(&self->counts, (double)count, now);
    rate_add(&self->fractions, fraction, now);
    describe(self, count, fraction, &text);
    draw(self, &text);
    buffer_deinit(&text);
}

void progress_step_aside(struct progress *self)
{
    if (!self->is_drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    self->is_drawn = false;
    self->shown_ms = 0;
}
