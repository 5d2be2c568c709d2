/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assert.c -- how a bug ends the process: place and condition on stderr, then SIGABRT, which
 * leaves a core. Nothing is flushed or saved: after a bug no state of ours is to be trusted, and
 * what was promised is already on the disk.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *condition, const char *file, int line, const char *function)
{
    (void)fprintf(stderr, "ackd: bug at %s:%d in %s: %s does not hold\n", file, line, function,
                  condition);
    abort();
}
