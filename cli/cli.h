/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h -- one run of ackctl: the command, what was given on its line, and the broker it talks to.
 *
 * A command asks for its options by the names in its own table; asking for one that is not there
 * is a bug and asserts. Everything that lives as long as the run comes from `arena`; loops that
 * read page after page use arenas of their own.
 */
#ifndef ACKD_CLI_CLI_H
#define ACKD_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "cli/command.h"

#define OPTIONS_MAX 40 /* global and own together; parse.c asserts it */

struct option_value {
    const struct option_spec *spec;
    bool given;         /* on the line or in the environment */
    const char *text;   /* as given, or the default; NULL: neither */
    int64_t number;     /* NUMBER; DURATION in ms */
    const char **items; /* LIST */
    size_t count;
};

struct transport;

struct cli {
    const struct command *command;
    struct option_value values[OPTIONS_MAX];
    size_t value_count;
    const char **arguments;
    size_t argument_count;

    /* The global options. */
    const char *url;
    bool is_json;
    bool is_quiet;
    bool is_verbose;
    int64_t timeout_ms;

    struct arena arena;
    struct transport *transport; /* opened by the first call; broker.c's own */
};

void cli_init(struct cli *self);
void cli_deinit(struct cli *self);

bool cli_flag(const struct cli *self, const char *name);
/* Whether it was given, rather than left at its default. */
bool cli_given(const struct cli *self, const char *name);
/* NULL if it was not given and has no default. */
const char *cli_text(const struct cli *self, const char *name);
/* A NUMBER, or a DURATION in ms. Without a default and not given: 0. */
int64_t cli_number(const struct cli *self, const char *name);
/* A LIST's items, in the order of the line. */
const char **cli_list(const struct cli *self, const char *name, size_t *ret_count);
/* Whether a CHOICE has this word. */
bool cli_is(const struct cli *self, const char *name, const char *word);
/* The argument at this place; NULL if the line has fewer. */
const char *cli_argument(const struct cli *self, size_t index);
/* The queue that the command is about; NULL if it takes none, or none was named. */
const char *cli_queue(const struct cli *self);

/* Memory that lasts as long as the run. Ends the program with a message when there is none: a
 * command line tool can do nothing better. */
void *cli_alloc(struct cli *self, size_t size);
#define CLI_ARRAY(cli, count, type) ((type *)cli_alloc((cli), (count) * sizeof(type)))

/* To stderr with "ackctl: " before it; always. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* To stderr, unless --quiet: what a person wants to know and a script does not. */
void cli_say(const struct cli *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says what is wrong with the command line and where to read more; returns EXIT_USAGE. */
enum exit_code cli_usage_error(const struct cli *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Before something that can't be undone: asks on a terminal, and elsewhere wants --yes. False
 * if it must not happen; *ret_code is then what to exit with. */
bool cli_confirm(const struct cli *self, enum exit_code *ret_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
