/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrecy.c -- what is in the process's memory stays there.
 *
 * Two ways, since a kernel that pipes cores to a program does not ask RLIMIT_CORE.
 */
#include "daemon/secrecy.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"

void secrecy_begin(void)
{
    static const struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        LOG_WARN("core_dumps_possible", LOG_STRING("reason", strerror(errno)));
}
