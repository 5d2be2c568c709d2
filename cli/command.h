/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h -- what a command is: one entry of the table that everything else is made from.
 *
 * The parser (parse.h), `--help` (help.h), the man pages (man.h) and the shells' completion
 * (completion.h) read these structs and nothing else, so that they can't disagree. A command's
 * entry stands in the command's own file, beside the code it describes; command.c lists them.
 *
 * Texts: no full stop at the end of a summary or an option's text. A description is paragraphs
 * parted by an empty line; a paragraph that begins with two spaces is printed as it stands.
 * `Backticks` mark what a user types.
 */
#ifndef ACKD_CLI_COMMAND_H
#define ACKD_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/exit.h"

struct cli;

enum option_type {
    OPTION_FLAG,     /* takes no value */
    OPTION_TEXT,     /* any text */
    OPTION_FILE,     /* the same, completed as a path */
    OPTION_LIST,     /* text, may be given several times */
    OPTION_NUMBER,   /* a whole number, min .. max */
    OPTION_DURATION, /* such as 250ms, 10s, 5m, 12h, 7d; min .. max in ms */
    OPTION_CHOICE,   /* one of the words in `argument`, such as "table|json" */
};

struct option_spec {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* 'q' for -q; 0: none */
    enum option_type type;
    const char *argument; /* what stands for the value in texts; NULL for flags */
    const char *fallback; /* the default as a user would write it; NULL: none */
    const char *text;
    int64_t min;
    int64_t max;
    const char *environment; /* a variable that gives the default; NULL: none */
};

enum argument_count {
    ARGUMENT_ONE,
    ARGUMENT_OPTIONAL, /* none or one */
    ARGUMENT_SOME,     /* one or more; only the last argument */
    ARGUMENT_ANY,      /* none or more; only the last argument */
    ARGUMENT_COMMAND,  /* a program and its arguments: the rest of the line as it is */
};

enum argument_kind {
    ARGUMENT_PLAIN,
    ARGUMENT_QUEUE, /* completed with the broker's queues */
    ARGUMENT_PATH,  /* completed with files */
    ARGUMENT_TOPIC, /* completed with ackctl's commands */
    ARGUMENT_SHELL, /* completed with bash and zsh */
};

struct argument_spec {
    const char *name; /* NULL ends a table */
    enum argument_count count;
    enum argument_kind kind;
    const char *text;
};

struct example {
    const char *line; /* what to type; NULL ends a table */
    const char *text; /* what it does */
};

struct command {
    const char *name; /* one word, or a group and a word: "queue create" */
    const char *summary;
    const char *description;               /* NULL: the summary says it all */
    const struct argument_spec *arguments; /* NULL: none */
    const struct option_spec *options;     /* its own; NULL: none */
    const struct example *examples;        /* NULL: none */
    bool is_hidden;                        /* for ackctl's own scripts */
    enum exit_code (*run)(struct cli *cli);
};

/* A first word that stands for several commands. */
struct command_group {
    const char *name; /* NULL ends the table */
    const char *summary;
};

/* Every command in the order of the overview, ended by NULL. */
extern const struct command *const commands[];
extern const struct command_group command_groups[];
/* What every command takes. */
extern const struct option_spec global_options[];

/* The command of exactly this name; NULL if there is none. */
const struct command *command_find(const char *name);
const struct command_group *command_group_find(const char *name);
/* Whether the command's first word is the group's name. */
bool command_is_in_group(const struct command *command, const struct command_group *group);
/* The command's last word: "create" of "queue create". */
const char *command_verb(const struct command *command);

#endif
