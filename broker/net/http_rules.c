/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_rules.c -- what a head must and must not say, beyond its syntax.
 *
 * Each rule is here because two programs that read HTTP could disagree on it, and then see
 * different requests in the same bytes (RFC 9112 §11.2), or because it would cost more than it is
 * worth: one Host, one way to tell the body's length, no upgrades, no tunnels.
 */
#include "net/http_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

static const struct {
    const char *name;
    size_t size;
} field_names[HTTP_HEADER_COUNT] = {
#define X(name, text) [RPC_HEADER_##name] = {text, sizeof text - 1},
    RPC_HEADERS(X)
#undef X
#define X(name, text) [HTTP_HEADER_##name] = {text, sizeof text - 1},
        HTTP_HEADERS(X)
#undef X
};

int http_rules_find_field(const char *name, size_t size)
{
    for (int i = 0; i < HTTP_HEADER_COUNT; i++) {
        if (field_names[i].size == size && strncasecmp(field_names[i].name, name, size) == 0)
            return i;
    }
    return -1;
}

const char *http_rules_field_name(int field)
{
    return field_names[field].name;
}

static bool field_is(const struct http_request *request, int field, const char *word)
{
    struct slice value = http_request_field(request, field);

    return value.size == strlen(word) &&
           strncasecmp((const char *)value.data, word, value.size) == 0;
}

static void check_version(struct http_request *request, const llhttp_t *parser)
{
    if (parser->http_major != 1 || parser->http_minor > 1)
        http_request_refuse(request, 505, STATUS_MALFORMED, "the HTTP version is not 1.0 or 1.1");
}

static void check_upgrade(struct http_request *request, const llhttp_t *parser)
{
    if (parser->method == HTTP_CONNECT)
        http_request_refuse(request, 501, STATUS_UNIMPLEMENTED, "no tunnel leads through here");
    else if (parser->upgrade != 0 || (parser->flags & F_UPGRADE) != 0)
        http_request_refuse(request, 501, STATUS_UNIMPLEMENTED, "the connection can't be upgraded");
}

/* What a name, an address and a port may consist of (RFC 3986 §3.2.2), without looking closer. */
static bool is_host(struct slice text)
{
    static const bool never[128] = {
        ['"'] = true, ['#'] = true, ['/'] = true,  ['<'] = true, ['>'] = true,
        ['?'] = true, ['@'] = true, ['\\'] = true, ['^'] = true, ['`'] = true,
        ['{'] = true, ['|'] = true, ['}'] = true,
    };

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (c <= ' ' || c >= 0x7f || never[c])
            return false;
    }
    return true;
}

static void check_host(struct http_request *request)
{
    if (!request->http_1_0 && !request->fields[HTTP_HEADER_HOST].present)
        http_request_refuse(request, 400, STATUS_MALFORMED, "the field host is missing");
    else if (!is_host(http_request_field(request, HTTP_HEADER_HOST)))
        http_request_refuse(request, 400, STATUS_MALFORMED, "the field host names no host");
}

static void check_target(struct http_request *request)
{
    struct slice path = http_request_path(request);
    bool star = slice_equal(path, slice_of_string("*")) && strcmp(request->verb, "OPTIONS") == 0;

    if (path.data[0] != '/' && !star)
        http_request_refuse(request, 400, STATUS_MALFORMED, "the request's target is no path");
}

static void check_transfer_encoding(struct http_request *request, const llhttp_t *parser)
{
    if (!request->fields[HTTP_HEADER_TRANSFER_ENCODING].present)
        return;
    if (request->http_1_0)
        http_request_refuse(request, 400, STATUS_MALFORMED, "HTTP/1.0 knows no transfer-encoding");
    else if ((parser->flags & F_CONTENT_LENGTH) != 0)
        http_request_refuse(request, 400, STATUS_MALFORMED,
                            "content-length and transfer-encoding stand together");
    else if (!field_is(request, HTTP_HEADER_TRANSFER_ENCODING, "chunked"))
        http_request_refuse(request, 501, STATUS_UNIMPLEMENTED,
                            "the only transfer-encoding taken is chunked");
    request->content_length = -1;
}

static void check_expect(struct http_request *request)
{
    if (request->fields[HTTP_HEADER_EXPECT].present &&
        !field_is(request, HTTP_HEADER_EXPECT, "100-continue"))
        http_request_refuse(request, 417, STATUS_MALFORMED,
                            "the only expectation met is 100-continue");
}

void http_rules_check(struct http_request *request, const llhttp_t *parser)
{
    check_version(request, parser);
    check_upgrade(request, parser);
    check_host(request);
    check_target(request);
    check_transfer_encoding(request, parser);
    check_expect(request);
    if (request->content_length > request->limits->body_bytes_max)
        http_rules_refuse_body(request, request->content_length);
    http_request_check_memory(request, request->content_length, request->content_length);
}

void http_rules_refuse_body(struct http_request *request, int64_t body_bytes)
{
    int64_t limit = request->limits->body_bytes_max;

    if (request->refused_http != 0)
        return;
    http_request_refuse(request, 413, STATUS_TOO_LARGE,
                        "the request's body is over %" PRId64 " bytes", limit);
    request->error.limit = limit;
    request->error.value = body_bytes;
}
