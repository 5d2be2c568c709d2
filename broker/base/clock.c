/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c -- the machine's time: the wall clock read once, then the monotonic clock.
 *
 * CLOCK_MONOTONIC stands still while the machine sleeps, and that is wanted: nobody could renew a
 * lease meanwhile.
 */
#include "base/clock.h"

#include <pthread.h>
#include <time.h>

static pthread_once_t anchor_once = PTHREAD_ONCE_INIT;
static int64_t anchor_ms; /* wall minus monotonic at first use; written once */

static int64_t read_ns(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now); /* can't fail for these two clocks */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t read_ms(clockid_t id)
{
    return read_ns(id) / 1000000;
}

static void anchor_set(void)
{
    anchor_ms = read_ms(CLOCK_REALTIME) - read_ms(CLOCK_MONOTONIC);
}

static int64_t real_now_ms(void *context)
{
    (void)context;
    return anchor_ms + read_ms(CLOCK_MONOTONIC);
}

struct clock clock_real(void)
{
    (void)pthread_once(&anchor_once, anchor_set);
    return (struct clock){.now_ms = real_now_ms, .context = NULL};
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}
