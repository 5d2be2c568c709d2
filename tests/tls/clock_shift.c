/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_shift.c -- a wall clock that goes wrong by CLOCK_AHEAD_S seconds, by LD_PRELOAD.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now);

int clock_gettime(clockid_t id, struct timespec *now)
{
    const char *ahead_s = getenv("CLOCK_AHEAD_S");
    int rc = (int)syscall(SYS_clock_gettime, id, now);

    if (id == CLOCK_REALTIME && ahead_s != NULL)
        now->tv_sec += atol(ahead_s);
    return rc;
}
