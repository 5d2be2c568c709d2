/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion_bash.c -- the completion script for bash: one function whose cases are the table.
 *
 * The function first walks the words before the cursor to learn the command and how many of its
 * arguments are there; `$command:$word` then decides in three tables: which options take a value,
 * what that value may be, and what the next argument is.
 */
#include <string.h>

#include "cli/command.h"
#include "cli/completion.h"

/* Called for every option of every command; `owner` is the pattern of the commands that have it. */
typedef void option_printer(const char *owner, const struct option_spec *spec, FILE *out);

static void each_option(option_printer *print, FILE *out)
{
    for (const struct option_spec *spec = global_options; spec->name != NULL; spec++)
        print("*", spec, out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        char owner[80];

        if (commands[i]->options == NULL)
            continue;
        snprintf(owner, sizeof owner, "\"%s\"", commands[i]->name);
        for (const struct option_spec *spec = commands[i]->options; spec->name != NULL; spec++)
            print(owner, spec, out);
    }
}

static void print_pattern(const char *owner, const struct option_spec *spec, FILE *out)
{
    fprintf(out, "        %s:--%s", owner, spec->name);
    if (spec->letter != 0)
        fprintf(out, " | %s:-%c", owner, spec->letter);
    fputs(") ", out);
}

static void print_takes_value(const char *owner, const struct option_spec *spec, FILE *out)
{
    if (spec->type == OPTION_FLAG)
        return;
    print_pattern(owner, spec, out);
    fputs("skip=1 ;;\n", out);
}

static void print_words(const char *choice, FILE *out)
{
    for (; *choice != '\0'; choice++)
        fputc(*choice == '|' ? ' ' : *choice, out);
}

static void print_value(const char *owner, const struct option_spec *spec, FILE *out)
{
    if (spec->type == OPTION_FLAG)
        return;
    print_pattern(owner, spec, out);
    if (spec->type == OPTION_FILE) {
        fputs("_ackctl_files; ", out);
    } else if (spec->type == OPTION_CHOICE) {
        fputs("_ackctl_words '", out);
        print_words(spec->argument, out);
        fputs("'; ", out);
    }
    fputs("return ;;\n", out);
}

static void print_option_names(const struct option_spec *spec, FILE *out)
{
    for (; spec != NULL && spec->name != NULL; spec++)
        fprintf(out, " --%s", spec->name);
}

static void print_options_of_commands(FILE *out)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (commands[i]->options == NULL)
            continue;
        fprintf(out, "        \"%s\") options+='", commands[i]->name);
        print_option_names(commands[i]->options, out);
        fputs("' ;;\n", out);
    }
}

static void print_first_words(FILE *out)
{
    for (size_t i = 0; commands[i] != NULL; i++)
        if (!commands[i]->is_hidden && strchr(commands[i]->name, ' ') == NULL)
            fprintf(out, "%s ", commands[i]->name);
    for (size_t i = 0; command_groups[i].name != NULL; i++)
        fprintf(out, "%s ", command_groups[i].name);
}

static void print_commands(FILE *out)
{
    fputs("        :0) _ackctl_words '", out);
    print_first_words(out);
    fputs("' ;;\n", out);
    for (size_t i = 0; command_groups[i].name != NULL; i++) {
        fprintf(out, "        %s:0) _ackctl_words '", command_groups[i].name);
        for (size_t j = 0; commands[j] != NULL; j++)
            if (command_is_in_group(commands[j], &command_groups[i]))
                fprintf(out, "%s ", command_verb(commands[j]));
        fputs("' ;;\n", out);
    }
}

static void print_argument(const struct command *command, const struct argument_spec *spec,
                           FILE *out)
{
    static const char *const actions[] = {
        [ARGUMENT_PLAIN] = ":",
        [ARGUMENT_QUEUE] = "_ackctl_queues",
        [ARGUMENT_PATH] = "_ackctl_files",
        [ARGUMENT_TOPIC] = "_ackctl_topics",
        [ARGUMENT_SHELL] = "_ackctl_words 'bash zsh'",
    };

    if (spec->count == ARGUMENT_ONE || spec->count == ARGUMENT_OPTIONAL)
        fprintf(out, "        \"%s\":%d) %s ;;\n", command->name, (int)(spec - command->arguments),
                actions[spec->kind]);
    else
        fprintf(out, "        \"%s\":*) %s ;;\n", command->name, actions[spec->kind]);
}

static void print_arguments(FILE *out)
{
    for (size_t i = 0; commands[i] != NULL; i++)
        for (const struct argument_spec *spec = commands[i]->arguments;
             spec != NULL && spec->name != NULL; spec++)
            print_argument(commands[i], spec, out);
}

static void print_helpers(FILE *out)
{
    fputs("# bash completion of ackctl, made by `ackctl completion bash`.\n"
          "_ackctl_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")); }\n"
          "_ackctl_files() { COMPREPLY=($(compgen -f -- \"$cur\")); "
          "compopt -o filenames 2> /dev/null; }\n"
          "_ackctl_queues() { _ackctl_words "
          "\"$(ackctl queue list --names --timeout 1s 2> /dev/null)\"; }\n"
          "_ackctl_topics() { _ackctl_words '",
          out);
    print_first_words(out);
    fputs("'; }\n\n", out);
}

void completion_bash(FILE *out)
{
    print_helpers(out);
    fputs("_ackctl() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command='' word options='' i skip=0 place=0\n"
          "    COMPREPLY=()\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        word=${COMP_WORDS[i]}\n"
          "        if ((skip)); then skip=0; continue; fi\n"
          "        case \"$command:$word\" in\n",
          out);
    each_option(print_takes_value, out);
    fputs("        *:-*) ;;\n        :*) command=$word ;;\n        ", out);
    for (size_t i = 0; command_groups[i].name != NULL; i++)
        fprintf(out, "%s%s:*", i == 0 ? "" : " | ", command_groups[i].name);
    fputs(") command=\"$command $word\" ;;\n"
          "        *) ((++place)) ;;\n"
          "        esac\n"
          "    done\n"
          "    case \"$command:$prev\" in\n",
          out);
    each_option(print_value, out);
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        options='",
          out);
    print_option_names(global_options, out);
    fputs("'\n        case $command in\n", out);
    print_options_of_commands(out);
    fputs("        esac\n"
          "        _ackctl_words \"$options\"\n"
          "        return\n"
          "    fi\n"
          "    case \"$command:$place\" in\n",
          out);
    print_commands(out);
    print_arguments(out);
    fputs("    esac\n}\ncomplete -F _ackctl ackctl\n", out);
}
