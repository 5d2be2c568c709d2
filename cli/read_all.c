/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_all.c -- a whole file in memory, with a bound.
 */
#include "cli/read_all.h"

#include <errno.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

int read_all(int fd, struct buffer *out)
{
    for (;;) {
        uint8_t *at = buffer_reserve(out, CHUNK_BYTES);
        ssize_t count;

        if (at == NULL)
            return ENOMEM;
        count = read(fd, at, CHUNK_BYTES);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno;
        if (count == 0)
            return 0;
        out->size += (size_t)count;
        if (out->size > READ_ALL_BYTES_MAX)
            return EFBIG;
    }
}
