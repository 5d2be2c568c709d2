/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c -- ackctl: finds the command and runs it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/parse.h"

/* A full disk behind stdout must not look like success. A reader that left (`| head`) has what it
 * wanted. */
static enum exit_code check_stdout(enum exit_code code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno == EPIPE)
        return code;
    complain("stdout can't be written: %s", strerror(errno));
    return code == EXIT_OK ? EXIT_REFUSED : code;
}

int main(int argc, char **argv)
{
    enum exit_code code = EXIT_USAGE;
    struct cli cli;

    signal(SIGPIPE, SIG_IGN);
    cli_init(&cli);
    switch (parse_command_line(&cli, argc, argv)) {
    case PARSE_RUN:
        code = cli.command->run(&cli);
        break;
    case PARSE_HELP:
        code = EXIT_OK;
        break;
    case PARSE_WRONG:
        break;
    }
    code = check_stdout(code);
    cli_deinit(&cli);
    return (int)code;
}
