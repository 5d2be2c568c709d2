/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion_zsh.c -- the completion script for zsh: a function of `_arguments` for each command,
 * with the texts of the table as descriptions.
 */
#include <string.h>

#include "cli/command.h"
#include "cli/completion.h"

/* Inside '...' of an _arguments or _describe entry. */
static void print_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\'", out);
        else if (strchr("[]:\\", *text) != NULL)
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void print_function_name(const char *name, FILE *out)
{
    fputs("_ackctl_", out);
    for (; *name != '\0'; name++)
        fputc(*name == ' ' ? '_' : *name, out);
}

static void print_value(const struct option_spec *spec, FILE *out)
{
    if (spec->type == OPTION_FLAG)
        return;
    fputc(':', out);
    if (spec->type != OPTION_CHOICE) {
        print_escaped(spec->argument, out);
        fputs(spec->type == OPTION_FILE ? ":_files" : ": ", out);
        return;
    }
    fprintf(out, "%s:(", spec->name);
    for (const char *at = spec->argument; *at != '\0'; at++)
        fputc(*at == '|' ? ' ' : *at, out);
    fputc(')', out);
}

static void print_option(const struct option_spec *spec, const char *indent, FILE *out)
{
    const char *repeat = spec->type == OPTION_LIST ? "*" : "";

    fprintf(out, " \\\n%s'%s--%s%s[", indent, repeat, spec->name,
            spec->type == OPTION_FLAG ? "" : "=");
    print_escaped(spec->text, out);
    fputc(']', out);
    print_value(spec, out);
    fputc('\'', out);
    if (spec->letter == 0)
        return;
    fprintf(out, " \\\n%s'%s-%c%s[", indent, repeat, spec->letter,
            spec->type == OPTION_FLAG ? "" : "+");
    print_escaped(spec->text, out);
    fputc(']', out);
    print_value(spec, out);
    fputc('\'', out);
}

static void print_options(const struct option_spec *spec, const char *indent, FILE *out)
{
    for (; spec != NULL && spec->name != NULL; spec++)
        print_option(spec, indent, out);
}

static void print_argument(const struct argument_spec *spec, FILE *out)
{
    static const char *const starts[] = {
        [ARGUMENT_ONE] = ":",  [ARGUMENT_OPTIONAL] = "::", [ARGUMENT_SOME] = "*:",
        [ARGUMENT_ANY] = "*:", [ARGUMENT_COMMAND] = "*::",
    };
    static const char *const actions[] = {
        [ARGUMENT_PLAIN] = " ",          [ARGUMENT_QUEUE] = "_ackctl_queues",
        [ARGUMENT_PATH] = "_files",      [ARGUMENT_TOPIC] = "_ackctl_commands",
        [ARGUMENT_SHELL] = "(bash zsh)",
    };

    fprintf(out, " \\\n        '%s%s:%s'", starts[spec->count], spec->name,
            spec->count == ARGUMENT_COMMAND ? "_normal" : actions[spec->kind]);
}

static void print_command(const struct command *command, FILE *out)
{
    print_function_name(command->name, out);
    fputs("() {\n    _arguments -s -S", out);
    print_options(command->options, "        ", out);
    print_options(global_options, "        ", out);
    for (const struct argument_spec *spec = command->arguments; spec != NULL && spec->name != NULL;
         spec++)
        print_argument(spec, out);
    fputs("\n}\n\n", out);
}

static void print_described(const char *name, const char *summary, FILE *out)
{
    fprintf(out, "        '%s:", name);
    print_escaped(summary, out);
    fputs("'\n", out);
}

/* Goes on with the function of the word that was chosen. */
static void print_dispatch(const char *prefix, FILE *out)
{
    fprintf(out,
            "    case $state in\n"
            "    command) %s_commands ;;\n"
            "    rest) (( $+functions[%s_${words[1]}] )) && %s_${words[1]} ;;\n"
            "    esac\n}\n\n",
            prefix, prefix, prefix);
}

static void print_group(const struct command_group *group, FILE *out)
{
    char prefix[40];

    snprintf(prefix, sizeof prefix, "_ackctl_%s", group->name);
    fprintf(out, "%s_commands() {\n    local -a names=(\n", prefix);
    for (size_t i = 0; commands[i] != NULL; i++)
        if (command_is_in_group(commands[i], group))
            print_described(command_verb(commands[i]), commands[i]->summary, out);
    fprintf(out,
            "    )\n    _describe command names\n}\n\n"
            "%s() {\n    local context state line\n"
            "    _arguments -C '1:command:->command' '*::argument:->rest'\n",
            prefix);
    print_dispatch(prefix, out);
}

static void print_all_commands(FILE *out)
{
    fputs("_ackctl_commands() {\n    local -a names=(\n", out);
    for (size_t i = 0; commands[i] != NULL; i++)
        if (!commands[i]->is_hidden && strchr(commands[i]->name, ' ') == NULL)
            print_described(commands[i]->name, commands[i]->summary, out);
    for (size_t i = 0; command_groups[i].name != NULL; i++)
        print_described(command_groups[i].name, command_groups[i].summary, out);
    fputs("    )\n    _describe command names\n}\n\n", out);
}

void completion_zsh(FILE *out)
{
    fputs("#compdef ackctl\n"
          "# zsh completion of ackctl, made by `ackctl completion zsh`.\n\n"
          "_ackctl_queues() {\n"
          "    local -a names=(${(f)\"$(ackctl queue list --names --timeout 1s 2> /dev/null)\"})\n"
          "    compadd -a names\n"
          "}\n\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++)
        if (!commands[i]->is_hidden)
            print_command(commands[i], out);
    for (size_t i = 0; command_groups[i].name != NULL; i++)
        print_group(&command_groups[i], out);
    print_all_commands(out);
    fputs("_ackctl() {\n    local context state line\n    _arguments -C", out);
    print_options(global_options, "        ", out);
    fputs(" \\\n        '1:command:->command' '*::argument:->rest'\n", out);
    print_dispatch("_ackctl", out);
    fputs("compdef _ackctl ackctl\n", out);
}
