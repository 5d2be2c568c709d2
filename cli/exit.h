/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit.h -- what ackctl's exit code says to scripts. The same for every command.
 */
#ifndef ACKD_CLI_EXIT_H
#define ACKD_CLI_EXIT_H

#define EXIT_CODES(X)                                                                              \
    X(EXIT_OK, 0, "done")                                                                          \
    X(EXIT_REFUSED, 1, "refused, or done only in part; the message says which part")               \
    X(EXIT_USAGE, 2, "the command line is wrong; nothing was done")                                \
    X(EXIT_NOT_REACHED, 3, "the broker was not reached")                                           \
    X(EXIT_INTERRUPTED, 130, "ended by Ctrl-C; the message says how to go on")                     \
    X(EXIT_TERMINATED, 143, "ended by SIGTERM")

enum exit_code {
#define X(name, number, text) name = number,
    EXIT_CODES(X)
#undef X
};

#endif
