/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dashboard.c -- GET / and /dashboard/...: the embedded page and its files.
 *
 * They hold no data and need no login: what the page shows it asks of the methods, as any client.
 */
#include "dashboard/asset.h"
#include "rpc/faces.h"
#include "rpc/reply.h"

static const struct asset *find_asset(struct slice path)
{
    for (size_t i = 0; i < asset_count; i++) {
        if (slice_equal(slice_of_string(assets[i].path), path))
            return &assets[i];
    }
    return NULL;
}

bool dashboard_has(struct slice path)
{
    return find_asset(path) != NULL;
}

/* Whether the browser has it as it is: If-None-Match names its tag, or `*`. A list is searched as a
 * text, since our tags hold no comma. */
static bool is_known(const struct rpc_request *request, const struct asset *asset)
{
    struct slice tags = request->headers[RPC_HEADER_IF_NONE_MATCH];

    return slice_equal(tags, SLICE_LITERAL("*")) ||
           (tags.size > 0 &&
            memmem(tags.data, tags.size, asset->etag, strlen(asset->etag)) != NULL);
}

void dashboard_begin(struct rpc_request *request)
{
    const struct asset *asset = find_asset(request->path);

    request->header_line = asset->headers;
    if (is_known(request, asset)) {
        reply_done_as(request, STATUS_OK, 304, NULL);
        return;
    }
    buffer_append(&request->reply, asset->data);
    reply_done(request, asset->content_type);
}
