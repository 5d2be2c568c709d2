/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt.c -- Ctrl-C and SIGTERM as a question. Around a sleep the signals are blocked and let
 * through by ppoll alone, so that none is lost between asking and sleeping.
 */
#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t signal_seen;

static void remember(int number)
{
    signal_seen = number;
}

void interrupt_watch(void)
{
    /* The second signal finds the default action. */
    struct sigaction action = {.sa_handler = remember, .sa_flags = (int)SA_RESETHAND};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_came(void)
{
    return signal_seen != 0;
}

enum exit_code interrupt_exit_code(void)
{
    return signal_seen == SIGTERM ? EXIT_TERMINATED : EXIT_INTERRUPTED;
}

void interrupt_sleep(int64_t ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    sigset_t blocked, before;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    if (!interrupt_came())
        ppoll(NULL, 0, &time, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
}
