/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h -- where in a message a decoder stands: `tasks[3].attributes.lang`.
 *
 * Segments live on the decoder's stack, each pointing to the one around it; only an error costs
 * the work of writing them out. Names are those of the .proto, whichever codec reads.
 */
#ifndef ACKD_CODEC_PATH_H
#define ACKD_CODEC_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

#define PATH_NO_INDEX SIZE_MAX

struct path {
    const struct path *parent; /* NULL at the top */
    struct slice name;
    size_t index; /* of the element; PATH_NO_INDEX if the field is not repeated */
};

/* Writes the path, cut to fit `size` bytes with the NUL; whatever is not printable ASCII becomes
 * '?', since names may come from a peer. */
void path_render(const struct path *self, char *ret_text, size_t size);
/* STATUS_MALFORMED at this path; returns it. */
enum status path_refuse(const struct path *self, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
