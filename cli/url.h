/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url.h -- a broker's URL in its parts, for what speaks to sockets by itself.
 */
#ifndef ACKD_CLI_URL_H
#define ACKD_CLI_URL_H

#include <stdbool.h>

struct url {
    bool is_sealed;      /* https */
    char host[256];      /* without the brackets of an IPv6 address */
    char port[16];       /* the scheme's, if none is given */
    char authority[300]; /* HOST:PORT as it was written, for the Host header */
};

/* "http://HOST:PORT/", "https://[::1]"; false for anything else. */
bool url_split(const char *text, struct url *ret_url);
/* Whether the host is this machine, by its usual names. */
bool url_is_loopback(const struct url *self);

#endif
