/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asset.h -- the files of the dashboard, as they were at build.
 *
 * web/ has the sources: one HTML page, one style sheet, and ES modules that browsers read as they
 * are. Chart.js comes from the distribution. embed.py makes them a table; rpc/dashboard.c serves
 * it.
 */
#ifndef ACKD_DASHBOARD_ASSET_H
#define ACKD_DASHBOARD_ASSET_H

#include "base/slice.h"

/* What a browser may do with them. Queues hold strangers' texts: should one ever get into the page
 * as markup, it can neither run nor call anybody. */
#define ASSET_HEADERS                                                                              \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "           \
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "              \
    "frame-ancestors 'none'\r\n"                                                                   \
    "X-Content-Type-Options: nosniff\r\n"                                                          \
    "Referrer-Policy: no-referrer\r\n"                                                             \
    "Cache-Control: no-cache\r\n"

struct asset {
    const char *path;         /* "/dashboard/main.js" */
    const char *content_type; /* by its name's end */
    const char *etag;         /* with its quotes */
    const char *headers;      /* ASSET_HEADERS and the entity tag */
    struct slice data;
};

extern const struct asset assets[];
extern const size_t asset_count;

#endif
