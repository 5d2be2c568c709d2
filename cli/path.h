/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h -- the last name of a path.
 */
#ifndef ACKD_CLI_PATH_H
#define ACKD_CLI_PATH_H

#include <string.h>

/* "c" of "a/b/c". Unlike basename it changes nothing. */
static inline const char *path_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

#endif
