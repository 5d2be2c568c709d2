/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url.c -- a broker's URL in its parts.
 */
#include "cli/url.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool skip_scheme(const char **text, bool *ret_sealed)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(*text, schemes[i], strlen(schemes[i])) == 0) {
            *text += strlen(schemes[i]);
            *ret_sealed = i == 1;
            return true;
        }
    return false;
}

bool url_split(const char *text, struct url *ret_url)
{
    const char *host = text;
    const char *end;
    const char *colon;

    *ret_url = (struct url){.is_sealed = false};
    if (!skip_scheme(&host, &ret_url->is_sealed))
        return false;
    end = host + strcspn(host, "/");
    if (end - host >= (ptrdiff_t)sizeof ret_url->host)
        return false;
    snprintf(ret_url->authority, sizeof ret_url->authority, "%.*s", (int)(end - host), host);
    colon = memrchr(host, ':', (size_t)(end - host));
    if (colon == NULL || memchr(colon, ']', (size_t)(end - colon)) != NULL)
        colon = end;
    if (colon == end)
        snprintf(ret_url->port, sizeof ret_url->port, "%s", ret_url->is_sealed ? "443" : "80");
    else
        snprintf(ret_url->port, sizeof ret_url->port, "%.*s", (int)(end - colon - 1), colon + 1);
    if (host < colon && *host == '[' && colon[-1] == ']') {
        host++;
        colon--;
    }
    snprintf(ret_url->host, sizeof ret_url->host, "%.*s", (int)(colon - host), host);
    return colon > host;
}

bool url_is_loopback(const struct url *self)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "::1"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(self->host, names[i]) == 0)
            return true;
    return false;
}
