/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.c -- the command line, read by the command's table.
 *
 * The words up to the command's name may be mixed with global options; what follows is read by
 * the global table and the command's own. A fault names the word, the option and what would fit.
 */
#include "cli/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/help.h"
#include "cli/suggest.h"
#include "cli/units.h"

struct parser {
    struct cli *cli;
    char **words;
    int count;
    int at;
    bool wants_help;
    bool options_ended;
};

static void add_options(struct cli *cli, const struct option_spec *specs)
{
    for (; specs != NULL && specs->name != NULL; specs++) {
        ASSERT(cli->value_count < OPTIONS_MAX);
        cli->values[cli->value_count++] = (struct option_value){.spec = specs};
    }
}

static bool word_in_choice(const char *choice, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = choice; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, word, length) == 0 && (at[length] == '|' || at[length] == '\0'))
            return length > 0;
    }
    return false;
}

/* One value as the line, the environment or the table gives it. False: it does not fit. */
static bool read_value(struct option_value *value, const char *text)
{
    const struct option_spec *spec = value->spec;

    value->text = text;
    switch (spec->type) {
    case OPTION_NUMBER:
        return units_parse_number(text, &value->number) && value->number >= spec->min &&
               value->number <= spec->max;
    case OPTION_DURATION:
        return units_parse_duration(text, &value->number) && value->number >= spec->min &&
               value->number <= spec->max;
    case OPTION_CHOICE:
        return word_in_choice(spec->argument, text);
    case OPTION_FLAG:
    case OPTION_TEXT:
    case OPTION_FILE:
    case OPTION_LIST:
        break;
    }
    return true;
}

static bool tell_misfit(const struct cli *cli, const struct option_value *value, const char *where)
{
    const struct option_spec *spec = value->spec;
    struct text min, max;

    switch (spec->type) {
    case OPTION_NUMBER:
        cli_usage_error(cli, "%s%s is \"%s\", but must be a whole number from %lld to %lld", where,
                        spec->name, value->text, (long long)spec->min, (long long)spec->max);
        break;
    case OPTION_DURATION:
        cli_usage_error(cli,
                        "%s%s is \"%s\", but must be a time with its unit, such as 250ms, 10s, "
                        "5m, 12h or 7d, from %s to %s",
                        where, spec->name, value->text, units_duration(&min, spec->min),
                        units_duration(&max, spec->max));
        break;
    default:
        cli_usage_error(cli, "%s%s is \"%s\", but must be one of %s", where, spec->name,
                        value->text, spec->argument);
    }
    return false;
}

static void append_item(struct cli *cli, struct option_value *value, const char *text)
{
    const char **items = CLI_ARRAY(cli, value->count + 1, const char *);

    if (value->count > 0)
        memcpy(items, value->items, value->count * sizeof *items);
    items[value->count++] = text;
    value->items = items;
}

static bool set_value(struct parser *self, struct option_value *value, const char *text)
{
    value->given = true;
    if (value->spec->type == OPTION_LIST)
        append_item(self->cli, value, text);
    return read_value(value, text) || tell_misfit(self->cli, value, "--");
}

static struct option_value *find_long(struct cli *cli, const char *name, size_t length)
{
    for (size_t i = 0; i < cli->value_count; i++) {
        const char *known = cli->values[i].spec->name;

        if (strncmp(known, name, length) == 0 && known[length] == '\0')
            return &cli->values[i];
    }
    return NULL;
}

static bool tell_unknown_option(struct cli *cli, const char *name, size_t length)
{
    struct suggestion suggestion;

    suggest_begin(&suggestion, name, length);
    for (size_t i = 0; i < cli->value_count; i++)
        suggest_offer(&suggestion, cli->values[i].spec->name);
    if (suggestion.best != NULL)
        cli_usage_error(cli, "there is no option --%.*s; did you mean --%s?", (int)length, name,
                        suggestion.best);
    else if (cli->command == NULL)
        cli_usage_error(cli, "there is no option --%.*s before the command", (int)length, name);
    else
        cli_usage_error(cli, "`ackctl %s` has no option --%.*s", cli->command->name, (int)length,
                        name);
    return false;
}

static bool read_long(struct parser *self, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals == NULL ? strlen(word) : (size_t)(equals - word);
    struct option_value *value = find_long(self->cli, word, length);

    if (value == NULL)
        return tell_unknown_option(self->cli, word, length);
    if (value->spec->type == OPTION_FLAG) {
        value->given = true;
        if (equals == NULL)
            return true;
        cli_usage_error(self->cli, "--%s takes no value", value->spec->name);
        return false;
    }
    if (equals != NULL)
        return set_value(self, value, equals + 1);
    if (self->at == self->count) {
        cli_usage_error(self->cli, "--%s needs a value: %s", value->spec->name,
                        value->spec->argument);
        return false;
    }
    return set_value(self, value, self->words[self->at++]);
}

static struct option_value *find_letter(struct cli *cli, char letter)
{
    for (size_t i = 0; i < cli->value_count; i++)
        if (cli->values[i].spec->letter == letter)
            return &cli->values[i];
    return NULL;
}

static bool read_letters(struct parser *self, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        struct option_value *value = find_letter(self->cli, *letters);

        if (value == NULL) {
            cli_usage_error(self->cli, "there is no option -%c", *letters);
            return false;
        }
        if (value->spec->type == OPTION_FLAG) {
            value->given = true;
            continue;
        }
        if (letters[1] != '\0')
            return set_value(self, value, letters + 1);
        if (self->at < self->count)
            return set_value(self, value, self->words[self->at++]);
        cli_usage_error(self->cli, "-%c needs a value: %s", *letters, value->spec->argument);
        return false;
    }
    return true;
}

/* Takes the next word if it is an option. *ret_ok is false if it is a wrong one. */
static bool take_option(struct parser *self, bool *ret_ok)
{
    const char *word = self->words[self->at];

    if (self->options_ended || word[0] != '-' || word[1] == '\0')
        return false;
    self->at++;
    *ret_ok = true;
    if (strcmp(word, "--") == 0)
        self->options_ended = true;
    else if (word[1] == '-')
        *ret_ok = read_long(self, word + 2);
    else
        *ret_ok = read_letters(self, word + 1);
    return true;
}

static bool tell_unknown_command(struct cli *cli, const char *name)
{
    struct suggestion suggestion;

    suggest_begin(&suggestion, name, strlen(name));
    for (size_t i = 0; commands[i] != NULL; i++)
        if (!commands[i]->is_hidden)
            suggest_offer(&suggestion, commands[i]->name);
    for (size_t i = 0; command_groups[i].name != NULL; i++)
        suggest_offer(&suggestion, command_groups[i].name);
    if (suggestion.best != NULL)
        cli_usage_error(cli, "there is no command \"%s\"; did you mean `ackctl %s`?", name,
                        suggestion.best);
    else
        cli_usage_error(cli, "there is no command \"%s\"", name);
    return false;
}

/* The next word that is no option; NULL at the end of the line, or after a wrong option. */
static const char *next_name(struct parser *self, bool *ret_ok)
{
    *ret_ok = true;
    while (self->at < self->count) {
        if (!take_option(self, ret_ok))
            return self->words[self->at++];
        if (!*ret_ok)
            return NULL;
    }
    return NULL;
}

static bool find_in_group(struct parser *self, const struct command_group *group)
{
    struct cli *cli = self->cli;
    bool ok;
    const char *verb = next_name(self, &ok);
    char name[64];

    if (!ok)
        return false;
    if (verb == NULL) {
        self->wants_help = cli_flag(cli, "help");
        help_print_group(group, self->wants_help ? stdout : stderr);
        return false;
    }
    snprintf(name, sizeof name, "%s %.40s", group->name, verb);
    cli->command = command_find(name);
    return cli->command != NULL || tell_unknown_command(cli, name);
}

/* Sets the command, or tells why not. */
static bool find_command(struct parser *self)
{
    struct cli *cli = self->cli;
    bool ok;
    const char *name = next_name(self, &ok);
    const struct command_group *group;

    if (!ok)
        return false;
    if (name == NULL && cli_flag(cli, "version")) {
        cli->command = command_find("version");
        return true;
    }
    if (name == NULL) {
        self->wants_help = cli_flag(cli, "help");
        help_print_overview(self->wants_help ? stdout : stderr);
        return false;
    }
    group = command_group_find(name);
    if (group != NULL)
        return find_in_group(self, group);
    cli->command = command_find(name);
    return cli->command != NULL || tell_unknown_command(cli, name);
}

/* What the table says of the argument at this place; NULL past the end. */
static const struct argument_spec *argument_spec_at(const struct command *command, size_t place)
{
    const struct argument_spec *spec = command->arguments;

    if (spec == NULL)
        return NULL;
    for (; spec->name != NULL; spec++) {
        if (place == 0 || spec->count == ARGUMENT_SOME || spec->count == ARGUMENT_ANY ||
            spec->count == ARGUMENT_COMMAND)
            return spec;
        place--;
    }
    return NULL;
}

static bool read_rest(struct parser *self)
{
    struct cli *cli = self->cli;
    bool ok;

    cli->arguments = CLI_ARRAY(cli, (size_t)self->count + 1, const char *);
    while (self->at < self->count) {
        const struct argument_spec *spec = argument_spec_at(cli->command, cli->argument_count);

        if (spec != NULL && spec->count == ARGUMENT_COMMAND && cli->argument_count > 0 &&
            argument_spec_at(cli->command, cli->argument_count - 1) == spec)
            self->options_ended = true; /* the program's own options are not ours */
        if (take_option(self, &ok)) {
            if (!ok)
                return false;
            continue;
        }
        if (spec == NULL) {
            cli_usage_error(cli, "`ackctl %s` takes no argument \"%s\"", cli->command->name,
                            self->words[self->at]);
            return false;
        }
        cli->arguments[cli->argument_count++] = self->words[self->at++];
    }
    return true;
}

/* Whether every argument that the table wants is there. */
static bool check_arguments(const struct cli *cli)
{
    size_t place = 0;

    for (const struct argument_spec *spec = cli->command->arguments;
         spec != NULL && spec->name != NULL; spec++, place++) {
        if (spec->count == ARGUMENT_OPTIONAL || spec->count == ARGUMENT_ANY)
            continue;
        if (place < cli->argument_count)
            continue;
        cli_usage_error(cli, "`ackctl %s` needs %s: %s", cli->command->name, spec->name,
                        spec->text);
        return false;
    }
    return true;
}

/* What was not given comes from the environment, or else from the table. */
static bool fill_defaults(struct cli *cli)
{
    for (size_t i = 0; i < cli->value_count; i++) {
        struct option_value *value = &cli->values[i];
        const struct option_spec *spec = value->spec;
        const char *text = spec->environment == NULL ? NULL : getenv(spec->environment);

        if (value->given)
            continue;
        if (text != NULL && text[0] != '\0') {
            value->given = true;
            if (!read_value(value, text))
                return tell_misfit(cli, value, "the environment's value for ");
        } else if (spec->fallback != NULL) {
            bool fits = read_value(value, spec->fallback);

            ASSERT(fits);
        }
    }
    return true;
}

/* Who calls, and whom to believe, goes by the environment: to the calls of this program, to the
 * worker in it, and to the programs that `ackctl work` starts. */
static void export_access(const struct cli *cli)
{
    static const char *const names[] = {"token-file", "ca-file", "cert-file", "key-file"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t j = 0; j < cli->value_count; j++) {
            const struct option_value *value = &cli->values[j];

            if (value->given && strcmp(value->spec->name, names[i]) == 0)
                setenv(value->spec->environment, value->text, 1);
        }
    if (cli_flag(cli, "insecure"))
        setenv("ACKD_INSECURE", "1", 1);
}

static void copy_global(struct cli *cli)
{
    cli->url = cli_text(cli, "url");
    cli->is_json = cli_is(cli, "output", "json");
    cli->is_quiet = cli_flag(cli, "quiet");
    cli->is_verbose = cli_flag(cli, "verbose");
    cli->timeout_ms = cli_number(cli, "timeout");
}

enum parse_outcome parse_command_line(struct cli *self, int argc, char **argv)
{
    struct parser parser = {.cli = self, .words = argv + 1, .count = argc - 1};

    add_options(self, global_options);
    if (!find_command(&parser))
        return parser.wants_help ? PARSE_HELP : PARSE_WRONG;
    add_options(self, self->command->options);
    if (!read_rest(&parser))
        return PARSE_WRONG;
    if (cli_flag(self, "help")) {
        help_print_command(self->command, stdout);
        return PARSE_HELP;
    }
    if (!check_arguments(self) || !fill_defaults(self))
        return PARSE_WRONG;
    copy_global(self);
    export_access(self);
    return PARSE_RUN;
}
