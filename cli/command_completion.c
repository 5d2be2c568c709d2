/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_completion.c -- `ackctl completion bash|zsh`.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/completion.h"

static enum exit_code run(struct cli *cli)
{
    const char *shell = cli_argument(cli, 0);

    if (strcmp(shell, "bash") == 0)
        completion_bash(stdout);
    else if (strcmp(shell, "zsh") == 0)
        completion_zsh(stdout);
    else
        return cli_usage_error(cli, "there is completion for bash and zsh, not for \"%s\"", shell);
    return EXIT_OK;
}

const struct command command_completion = {
    .name = "completion",
    .summary = "print the shell's completion script",
    .arguments =
        (const struct argument_spec[]){{"SHELL", ARGUMENT_ONE, ARGUMENT_SHELL, "bash or zsh"},
                                       {NULL}},
    .examples =
        (const struct example[]){
            {"source <(ackctl completion bash)", "completes in this shell"},
            {"ackctl completion zsh > ~/.zfunc/_ackctl", "for a zsh with ~/.zfunc in its fpath"},
            {NULL, NULL}},
    .run = run,
};
