/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals.c -- what other programs tell the daemon.
 *
 * SIGTERM, SIGINT and SIGHUP are blocked in every thread and read from a descriptor: nothing runs
 * in a signal handler but the one for SIGBUS, which a failing disk raises where LMDB's map is
 * read. It writes one line and exits, as a failing commit would.
 */
#include "daemon/signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static void on_bus_error(int number)
{
    static const char text[] = "ackd: reading the store failed (SIGBUS): the disk, or a file cut "
                               "short; the broker exits\n";

    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1);
}

int signals_setup(void)
{
    struct sigaction bus = {.sa_handler = on_bus_error};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;

    sigaction(SIGBUS, &bus, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* 0: none has come. */
static int take_signal(int signals_fd)
{
    struct signalfd_siginfo info;

    if (read(signals_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    return (int)info.ssi_signo;
}

int signals_next(int signals_fd, int64_t timeout_ms)
{
    struct pollfd polled = {.fd = signals_fd, .events = POLLIN};

    (void)poll(&polled, 1, (int)timeout_ms);
    return take_signal(signals_fd);
}

int signals_wait(int signals_fd, int other_fd, int64_t timeout_ms)
{
    int64_t end_ms = timeout_ms < 0 ? 0 : clock_monotonic_ms() + timeout_ms;
    struct pollfd polled[2] = {{.fd = signals_fd, .events = POLLIN},
                               {.fd = other_fd, .events = POLLIN}};

    for (;;) {
        int64_t left_ms = timeout_ms < 0 ? -1 : end_ms - clock_monotonic_ms();
        int number;

        if (timeout_ms >= 0 && left_ms <= 0)
            return 0;
        (void)poll(polled, 2, (int)left_ms);
        number = take_signal(signals_fd);
        if (number == SIGHUP)
            continue;
        if (number != 0 || (polled[1].revents & POLLIN) != 0)
            return number;
    }
}
