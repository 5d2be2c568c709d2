/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_watch.c -- `ackctl watch`: how far a queue is, who works on it, and what it costs.
 *
 * A terminal gets a view that is redrawn in place; anything else a line when something has changed,
 * every few seconds at most. A broker that goes away is waited for.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/units.h"
#include "cli/watch_view.h"

#define WORKERS_SHOWN 10
#define LINE_EVERY_MS 5000 /* without a terminal */

struct watch {
    struct cli *cli;
    const char *dataset; /* NULL: the whole queue */
    struct arena arena;  /* of one look */
    struct rate done;
    bool is_terminal;
    bool is_away; /* the broker, since away_ms */
    int64_t away_ms;
    int lines_drawn;
    char last_line[256]; /* without its rate, which alone is no news */
    int64_t line_ms;
};

static int64_t now_ms(void)
{
    struct clock clock = clock_real();

    return clock_now_ms(&clock);
}

/* "1,200 of 5,000 done (24 %)  35.2/s  ETA 1 min 48 s" */
static void describe_progress(const struct watch *self, const struct view *view, struct buffer *out)
{
    double per_s = rate_per_s(&self->done);
    int64_t open = view_open_count(view);
    struct text done, all, text;

    buffer_append_printf(out, "%s of %s done (%.0f %%)", units_count(&done, view->counts.done),
                         units_count(&all, view->counts.done + view->counts.dead + open),
                         view_fraction_done(view) * 100);
    if (per_s > 0)
        buffer_append_printf(out, "  %s", units_rate(&text, per_s));
    if (per_s > 0 && open > 0)
        buffer_append_printf(out, "  ETA %s",
                             units_duration(&text, (int64_t)((double)open / per_s * 1000)));
    if (view->is_paused)
        buffer_append_string(out, "  paused");
}

static void append_counts(struct buffer *out, const char *const *names, const int64_t *values,
                          size_t count)
{
    struct text text;

    for (size_t i = 0; i < count; i++)
        buffer_append_printf(out, "%s%s %s", i == 0 ? "" : "  ", names[i],
                             units_count(&text, values[i]));
}

static void describe_states(const struct view *view, struct buffer *out)
{
    static const char *const names[] = {"ready", "leased", "delayed", "dead"};
    const int64_t values[] = {view->counts.ready, view->counts.leased, view->counts.delayed,
                              view->counts.dead};

    append_counts(out, names, values, 4);
}

static void describe_trouble(const struct view *view, struct buffer *out)
{
    static const char *const names[] = {"failures", "preemptions", "losses", "salvaged"};
    const int64_t values[] = {view->failures, view->preemptions, view->losses, view->salvaged};

    append_counts(out, names, values, 4);
}

static void describe_waste(const struct view *view, struct buffer *out)
{
    int64_t all = view->useful_ms + view->wasted_ms;
    struct text useful, wasted;

    buffer_append_printf(out, "lease time  useful %s  wasted %s (%.1f %%)",
                         units_duration(&useful, view->useful_ms),
                         units_duration(&wasted, view->wasted_ms),
                         all == 0 ? 0.0 : 100.0 * (double)view->wasted_ms / (double)all);
}

static void describe_workers(const struct view *view, struct buffer *out)
{
    size_t count = view->sessions->n_sessions;
    struct text text;

    buffer_append_printf(out, "workers %s\n", units_count(&text, (int64_t)count));
    for (size_t i = 0; i < count && i < WORKERS_SHOWN; i++) {
        const Ackd__V1__Session *session = view->sessions->sessions[i];
        struct text leased, acked;

        buffer_append_printf(out, "  %s  leased %s  acked %s\n", session->worker,
                             units_count(&leased, session->leased),
                             units_count(&acked, session->acked));
    }
    if (count > WORKERS_SHOWN)
        buffer_append_printf(out, "  and %s more: `ackctl sessions` lists them\n",
                             units_count(&text, (int64_t)(count - WORKERS_SHOWN)));
}

static void describe_all(const struct watch *self, const struct view *view, struct buffer *out)
{
    int width = terminal_width(STDOUT_FILENO);

    buffer_append_printf(out, "%s%s%s\n", cli_queue(self->cli), self->dataset == NULL ? "" : " / ",
                         self->dataset == NULL ? "" : self->dataset);
    bar_append(out, view_fraction_done(view), width < 72 ? width - 1 : 72);
    buffer_append_string(out, "\n");
    describe_progress(self, view, out);
    buffer_append_string(out, "\n");
    describe_states(view, out);
    buffer_append_string(out, "\n");
    describe_trouble(view, out);
    buffer_append_string(out, "\n");
    describe_waste(view, out);
    buffer_append_string(out, "\n");
    describe_workers(view, out);
}

/* Draws over what was drawn before. No line may wrap, or counting lines would fail; control
 * characters in names are shown as '?'. */
static void redraw(struct watch *self, struct buffer *text)
{
    int width = terminal_width(STDOUT_FILENO);
    int column = 0;

    if (self->lines_drawn > 0)
        printf("\033[%dA", self->lines_drawn);
    fputs("\r\033[J", stdout);
    self->lines_drawn = 0;
    for (size_t i = 0; i < text->size; i++) {
        uint8_t c = text->data[i];

        if (c == '\n') {
            self->lines_drawn++;
            column = 0;
            putchar('\n');
        } else if (column + 1 < width) {
            column += (c & 0xC0) != 0x80;
            putchar(c < 0x20 || c == 0x7F ? '?' : c);
        }
    }
    fflush(stdout);
}

/* The rate alone is no news, and the end is at once. */
static bool is_news(struct watch *self, const struct view *view, struct buffer *counts)
{
    bool is_end = view_open_count(view) == 0;

    if (strcmp(buffer_string(counts), self->last_line) == 0 ||
        (self->line_ms != 0 && !is_end && now_ms() - self->line_ms < LINE_EVERY_MS))
        return false;
    snprintf(self->last_line, sizeof self->last_line, "%s", buffer_string(counts));
    self->line_ms = now_ms();
    return true;
}

static void print_line(struct watch *self, const struct view *view)
{
    struct buffer progress = BUFFER_EMPTY;
    struct buffer counts = BUFFER_EMPTY;

    describe_progress(self, view, &progress);
    describe_states(view, &counts);
    buffer_append_string(&counts, "  ");
    describe_trouble(view, &counts);
    if (is_news(self, view, &counts)) {
        printf("%s  %s\n", buffer_string(&progress), buffer_string(&counts));
        fflush(stdout);
    }
    buffer_deinit(&progress);
    buffer_deinit(&counts);
}

static void show(struct watch *self, const struct view *view)
{
    struct buffer text = BUFFER_EMPTY;

    if (!self->is_terminal) {
        print_line(self, view);
        return;
    }
    describe_all(self, view, &text);
    redraw(self, &text);
    buffer_deinit(&text);
}

static void show_json(const struct view *view)
{
    const Ackd__V1__Counts *counts = &view->counts;

    printf("{\"ready\":%lld,\"leased\":%lld,\"delayed\":%lld,\"done\":%lld,\"dead\":%lld,"
           "\"failures\":%lld,\"preemptions\":%lld,\"losses\":%lld,\"salvaged\":%lld,"
           "\"usefulLeaseMs\":%lld,\"wastedLeaseMs\":%lld,\"sessions\":%zu,\"paused\":%s}\n",
           (long long)counts->ready, (long long)counts->leased, (long long)counts->delayed,
           (long long)counts->done, (long long)counts->dead, (long long)view->failures,
           (long long)view->preemptions, (long long)view->losses, (long long)view->salvaged,
           (long long)view->useful_ms, (long long)view->wasted_ms, view->sessions->n_sessions,
           view->is_paused ? "true" : "false");
    fflush(stdout);
}

/* Whether to look again. */
static bool handle_absence(struct watch *self, const struct error *error, bool is_first,
                           enum exit_code *ret_code)
{
    if (is_first || !broker_is_away(error)) {
        *ret_code = broker_complain(self->cli, error);
        return false;
    }
    if (!self->is_away) {
        complain("broker not reached at %s: waiting for it; Ctrl-C ends", self->cli->url);
        self->away_ms = now_ms();
        self->lines_drawn = 0; /* the message stands below the view */
    }
    self->is_away = true;
    return true;
}

static void handle_presence(struct watch *self)
{
    struct text text;

    if (self->is_away)
        cli_say(self->cli, "ackctl: the broker is back after %s",
                units_duration(&text, now_ms() - self->away_ms));
    self->is_away = false;
}

static enum exit_code end(const struct watch *self, const struct view *view)
{
    struct text text;

    if (view->counts.dead == 0)
        return EXIT_OK;
    complain("all tasks have ended, but %s are dead letters: see `ackctl dead list %s`",
             units_count(&text, view->counts.dead), cli_queue(self->cli));
    return EXIT_REFUSED;
}

static enum exit_code watch(struct watch *self)
{
    bool is_first = true;
    struct error error;
    struct view view;
    enum exit_code code = EXIT_OK;

    for (;;) {
        arena_reset(&self->arena);
        if (!view_look(&view, self->cli, self->dataset, &self->arena, &error)) {
            if (!handle_absence(self, &error, is_first, &code))
                return code;
        } else {
            handle_presence(self);
            rate_add(&self->done, (double)view.counts.done, now_ms());
            if (self->cli->is_json)
                show_json(&view);
            else
                show(self, &view);
            if (cli_flag(self->cli, "until-done") && view_open_count(&view) == 0)
                return end(self, &view);
            is_first = false;
        }
        interrupt_sleep(cli_number(self->cli, "interval"));
        if (interrupt_came())
            return interrupt_exit_code();
    }
}

static enum exit_code run(struct cli *cli)
{
    struct watch self = {.cli = cli,
                         .dataset = cli_text(cli, "dataset"),
                         .is_terminal = terminal_can_redraw(STDOUT_FILENO)};
    enum exit_code code;

    arena_init(&self.arena, (size_t)256 << 20);
    interrupt_watch();
    code = watch(&self);
    arena_deinit(&self.arena);
    return code;
}

const struct command command_watch = {
    .name = "watch",
    .summary = "show live how far a queue is, by whom, and what is wasted",
    .description =
        "On a terminal the view is redrawn in place; elsewhere a line is printed when "
        "something has changed, every few seconds at most; with `-o json` one object each time. A "
        "broker that restarts is waited "
        "for.\n\n"
        "With `--until-done` it ends when no task is ready, leased or delayed: exit code 0, or 1 "
        "if there are dead letters.",
    .arguments =
        (const struct argument_spec[]){{"QUEUE", ARGUMENT_ONE, ARGUMENT_QUEUE, "the queue's name"},
                                       {NULL}},
    .options =
        (const struct option_spec[]){
            {"dataset", 0, OPTION_TEXT, "NAME", NULL, "only this dataset's tasks"},
            {"until-done", 0, OPTION_FLAG, NULL, NULL, "end when all tasks are done or dead"},
            {"interval", 0, OPTION_DURATION, "TIME", "1s", "how often to look", 100, 3600000},
            {NULL}},
    .run = run,
};
