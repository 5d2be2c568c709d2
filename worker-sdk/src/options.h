/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h -- structs that begin with their size, from programs older or newer than this library.
 */
#ifndef ACKD_SDK_OPTIONS_H
#define ACKD_SDK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * Fills *own (own_size bytes) from the caller's struct, or with zeros if that is NULL. An older,
 * shorter one leaves the rest at 0, which is the default. False: the size is not set, or the
 * caller set fields that this library does not know.
 */
static inline bool options_copy(void *own, size_t own_size, const void *theirs)
{
    size_t size;

    memset(own, 0, own_size);
    if (theirs == NULL)
        return true;
    memcpy(&size, theirs, sizeof size);
    if (size < sizeof size || size > 4096)
        return false;
    for (size_t i = own_size; i < size; i++)
        if (((const unsigned char *)theirs)[i] != 0)
            return false;
    memcpy(own, theirs, size < own_size ? size : own_size);
    return true;
}

#endif
