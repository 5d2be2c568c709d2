/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_signals.c -- see worker_signals.h.
 *
 * The handler only adds to an eventfd. That lives as long as the process, because a handler may
 * still be running on some other thread when the worker that asked for it has gone.
 */
#include "worker_signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const int drain_signals[] = {SIGTERM, SIGINT};
enum { DRAIN_SIGNALS = sizeof drain_signals / sizeof drain_signals[0] };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool in_use;                            /* lock */
static struct sigaction before[DRAIN_SIGNALS]; /* lock */
static int fd = -1;                            /* set once, before the first handler */

static void on_signal(int signal_number)
{
    const uint64_t one = 1;
    int saved_errno = errno;
    ssize_t ignored = write(fd, &one, sizeof one);

    (void)ignored;
    errno = saved_errno;
}

bool signals_begin(int *ret_fd)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    bool ok;

    sigemptyset(&action.sa_mask);
    pthread_mutex_lock(&lock);
    if (fd < 0)
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ok = !in_use && fd >= 0;
    if (ok) {
        in_use = true;
        for (int i = 0; i < DRAIN_SIGNALS; i++)
            sigaction(drain_signals[i], &action, &before[i]);
        (void)signals_take(); /* of an earlier worker */
        *ret_fd = fd;
    }
    pthread_mutex_unlock(&lock);
    return ok;
}

uint64_t signals_take(void)
{
    uint64_t count = 0;

    return read(fd, &count, sizeof count) == (ssize_t)sizeof count ? count : 0;
}

void signals_end(void)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < DRAIN_SIGNALS; i++)
        sigaction(drain_signals[i], &before[i], NULL);
    in_use = false;
    pthread_mutex_unlock(&lock);
}
