/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h -- one run of the user's program: bytes in, bytes out, and how it ended.
 *
 * The program runs in a process group of its own, so that Ctrl-C at the terminal does not reach it:
 * the worker decides when it is told to stop. It is told by SIGTERM to the group, and killed when
 * its time is up. It does not outlive ackctl: the kernel kills it when the thread that started it
 * ends.
 *
 * All three streams are served at once, so that neither side can block the other. stderr is passed
 * on, and its end is kept.
 */
#ifndef ACKD_CLI_WORK_CHILD_H
#define ACKD_CLI_WORK_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buffer.h"

#define CHILD_ERROR_BYTES_MAX 4000 /* of stderr's end; leaves room for a line before it */

enum child_wish {
    CHILD_MAY_RUN,
    CHILD_SHOULD_STOP, /* SIGTERM, once */
    CHILD_MUST_END,    /* SIGKILL */
};

struct child_options {
    const char *const *argv;        /* ended by NULL; found by PATH */
    const char *const *environment; /* ended by NULL */
    struct slice input;             /* of stdin */
    /* Asked several times a second while it runs. */
    enum child_wish (*wish)(void *context);
    void *context;
};

struct child_outcome {
    int failure;       /* errno if it could not be started; else 0 */
    int status;        /* as waitpid gives it */
    bool was_stopped;  /* SIGTERM or SIGKILL was sent */
    bool is_too_large; /* wrote more to stdout than any result may be */
    struct buffer output;
    struct buffer errors; /* the end of stderr */
};

/* Runs it to its end. Any thread that lives as long as the program may. SIGCHLD must not be
 * ignored: the kernel would throw away how programs end. */
void child_run(const struct child_options *options, struct child_outcome *ret_outcome);
void child_outcome_deinit(struct child_outcome *self);
/* Whether a program of this name can be run, by PATH. */
bool child_program_exists(const char *name);

#endif
