/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_get.h -- one GET of a document, bounded in time and size.
 *
 * HTTPS with the certificate checked; a redirect is not followed, since what stands elsewhere is
 * somebody else's word. Blocks its thread.
 */
#ifndef ACKD_AUTH_HTTP_GET_H
#define ACKD_AUTH_HTTP_GET_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/status.h"

#define HTTP_GET_MS 10000 /* all of it */

struct http_get {
    const char *url;
    const char *ca_file;    /* NULL: the system's */
    const char *token_file; /* what is shown there, read each time; NULL: nothing */
    size_t size_max;
    const atomic_bool *stop; /* ends it within a second */
};

/* Once a process, before other threads run. */
bool http_get_setup(void);
/* STATUS_OK: the answer was 200, and this is its body. Else `ret_body` is left empty. */
enum status http_get(const struct http_get *wanted, struct buffer *ret_body,
                     struct error *error) MUST_USE;

#endif
