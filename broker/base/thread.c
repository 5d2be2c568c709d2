/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.c -- starting a thread that no signal interrupts: it inherits the mask of its starter.
 */
#include "base/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret_thread, void *(*run)(void *argument), void *argument)
{
    sigset_t all;
    sigset_t before;
    int failed;

    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(ret_thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}
