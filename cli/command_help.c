/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_help.c -- `ackctl help [COMMAND]` and `ackctl version`.
 */
#include <stdio.h>
#include <string.h>

#include "ackd/version.h"
#include "cli/cli.h"
#include "cli/help.h"

static enum exit_code run_help(struct cli *cli)
{
    const char *first = cli_argument(cli, 0);
    const char *second = cli_argument(cli, 1);
    const struct command *command;
    const struct command_group *group;
    char name[80];

    if (first == NULL) {
        help_print_overview(stdout);
        return EXIT_OK;
    }
    snprintf(name, sizeof name, "%s%s%s", first, second == NULL ? "" : " ",
             second == NULL ? "" : second);
    command = command_find(name);
    if (command != NULL) {
        help_print_command(command, stdout);
        return EXIT_OK;
    }
    group = command_group_find(name);
    if (group == NULL)
        return cli_usage_error(cli, "there is no command \"%s\"", name);
    help_print_group(group, stdout);
    return EXIT_OK;
}

static enum exit_code run_version(struct cli *cli)
{
    if (cli->is_json)
        puts("{\"version\":\"" ACKD_VERSION "\"}");
    else
        puts("ackctl " ACKD_VERSION);
    return EXIT_OK;
}

const struct command command_help = {
    .name = "help",
    .summary = "tell of all commands, or of one",
    .arguments =
        (const struct argument_spec[]){
            {"COMMAND", ARGUMENT_OPTIONAL, ARGUMENT_TOPIC, "the command, such as `publish`"},
            {"VERB", ARGUMENT_OPTIONAL, ARGUMENT_PLAIN, "its second word, as in `queue create`"},
            {NULL}},
    .run = run_help,
};

const struct command command_version = {
    .name = "version",
    .summary = "print ackctl's version",
    .run = run_version,
};
