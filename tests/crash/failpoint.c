/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failpoint.c -- SIGKILL at the k-th passing of a named point, in the thread that passes it.
 *
 * What the kernel was told before the point stays; what would have come after it never comes. Other
 * threads may run a few instructions more, as they would beside any kill.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

static const char *const point_names[FAILPOINT_COUNT] = {
#define X(name, text) [FAILPOINT_##name] = text,
    FAILPOINTS(X)
#undef X
};

static enum failpoint armed = FAILPOINT_COUNT;
static _Atomic uint64_t passings_left;

/* "before-meta:17". */
void failpoint_setup(void)
{
    const char *text = getenv("ACKD_SHIM_KILL");
    size_t size = text == NULL ? 0 : strcspn(text, ":");

    if (text == NULL)
        return;
    for (enum failpoint point = 0; point < FAILPOINT_COUNT; point++) {
        if (strlen(point_names[point]) == size && strncmp(point_names[point], text, size) == 0)
            armed = point;
    }
    if (armed == FAILPOINT_COUNT || text[size] != ':')
        abort();
    atomic_store(&passings_left, strtoull(text + size + 1, NULL, 10));
    if (atomic_load(&passings_left) == 0)
        abort();
}

bool failpoint_is_armed(void)
{
    return armed != FAILPOINT_COUNT;
}

bool failpoint_strikes(enum failpoint point)
{
    return point == armed && atomic_fetch_sub(&passings_left, 1) == 1;
}

void failpoint_pass(enum failpoint point)
{
    if (failpoint_strikes(point))
        failpoint_kill();
}

void failpoint_kill(void)
{
    (void)syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        (void)pause();
}
