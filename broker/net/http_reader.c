/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_reader.c -- bytes of a connection in, whole requests out, one at a time.
 *
 *   bytes --> http_head (raw limits) --> llhttp (syntax) --> callbacks --> struct http_request
 *
 * llhttp is strict about syntax; what it leaves to its user is done here and in http_rules.c:
 * limits, folded lines, how many Hosts, which transfer codings. No leniency flag is ever set.
 *
 * Invariants
 *   R1  The parser is never given a byte of a head beyond its limits, nor of a second request: it
 *       pauses at each message's end and goes on only when http_reader_next was called.
 *   R2  A body never takes more memory than came of it, nor more than its limit.
 *   R3  After HTTP_REFUSED the parser is not fed again.
 *
 * The callbacks get spans: a value may come in any number of pieces.
 */
#include "net/http_reader.h"

#include <strings.h>

#include "base/assert.h"
#include "net/http_rules.h"

/* Framing of a chunked body may double it, and add so much. */
#define CHUNK_OVERHEAD_BYTES (64 << 10)
/* llhttp takes any number of them between the words, and proxies differ in where the target ends.
 */
#define HTTP_LINE_SPACES 2

static enum http_event feed_head(struct http_reader *self, struct slice *input);
static enum http_event feed_body(struct http_reader *self, struct slice *input);
static int on_url(llhttp_t *parser, const char *at, size_t size);
static int on_field_name(llhttp_t *parser, const char *at, size_t size);
static int on_field_name_end(llhttp_t *parser);
static int on_field_value(llhttp_t *parser, const char *at, size_t size);
static int on_head_end(llhttp_t *parser);
static int on_body(llhttp_t *parser, const char *at, size_t size);
static int on_end(llhttp_t *parser);

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field_name,
    .on_header_field_complete = on_field_name_end,
    .on_header_value = on_field_value,
    .on_headers_complete = on_head_end,
    .on_body = on_body,
    .on_message_complete = on_end,
};

void http_reader_init(struct http_reader *self, const struct http_limits *limits)
{
    *self = (struct http_reader){.limits = limits};
    llhttp_init(&self->parser, HTTP_REQUEST, &settings);
    self->parser.data = self;
    http_head_init(&self->head);
}

void http_reader_deinit(struct http_reader *self)
{
    http_request_free(self->request);
    self->request = NULL;
}

void http_reader_next(struct http_reader *self)
{
    http_reader_deinit(self);
    http_head_init(&self->head);
    self->in_body = false;
    self->whole = false;
    self->wants_continue = false;
    self->body_raw_bytes = 0;
    self->body_last = 0;
}

static enum http_event end_head(struct http_reader *self, int64_t now_ms)
{
    self->request->body_begun_ms = now_ms;
    return HTTP_HEAD_WHOLE;
}

enum http_event http_reader_feed(struct http_reader *self, struct slice *input, int64_t now_ms)
{
    ASSERT(input->size > 0 && !self->whole); /* R1 */
    if (self->request == NULL)
        self->request = http_request_new(self->limits, now_ms);
    if (self->request == NULL)
        return HTTP_REFUSED;
    ASSERT(self->request->refused_http == 0); /* R3 */
    while (input->size > 0) {
        bool in_head = !self->in_body;
        enum http_event event = in_head ? feed_head(self, input) : feed_body(self, input);

        if (event != HTTP_MORE)
            return event;
        if (in_head && self->in_body && self->limits->stops_at_heads)
            return end_head(self, now_ms);
    }
    if (self->in_body && self->request->body_begun_ms == 0)
        self->request->body_begun_ms = now_ms;
    return http_reader_take_continue(self) ? HTTP_CONTINUE : HTTP_MORE;
}

bool http_reader_take_continue(struct http_reader *self)
{
    bool wanted = self->wants_continue;

    self->wants_continue = false;
    return wanted;
}

static enum http_event refuse(struct http_reader *self, int http_status, const char *message)
{
    http_request_refuse(self->request, http_status, STATUS_MALFORMED, "%s", message);
    return HTTP_REFUSED;
}

/* What llhttp, or a callback through it, has against the bytes. */
static enum http_event refuse_syntax(struct http_reader *self, llhttp_errno_t code)
{
    if (code == HPE_PAUSED_H2_UPGRADE)
        return refuse(self, 505, "HTTP/2 is not served here: use HTTP/1.1");
    if (code == HPE_PAUSED_UPGRADE)
        return refuse(self, 501, "the connection can't be upgraded");
    if (code == HPE_INVALID_VERSION)
        return refuse(self, 505, "the HTTP version is not 1.0 or 1.1");
    if (code == HPE_INVALID_METHOD)
        return refuse(self, 400, "the HTTP method is unknown");
    http_request_refuse(self->request, 400, STATUS_MALFORMED, "broken HTTP: %s",
                        llhttp_get_error_reason(&self->parser));
    return HTTP_REFUSED;
}

/* Gives llhttp `size` bytes; takes off *input what it has used. */
static enum http_event execute(struct http_reader *self, struct slice *input, size_t size)
{
    const char *bytes = (const char *)input->data;
    llhttp_errno_t code = llhttp_execute(&self->parser, bytes, size);
    size_t used = size;

    if (code != HPE_OK && code != HPE_PAUSED)
        return refuse_syntax(self, code);
    if (code == HPE_PAUSED) {
        used = (size_t)(llhttp_get_error_pos(&self->parser) - bytes);
        ASSERT(used <= size);
        llhttp_resume(&self->parser);
    }
    *input = slice_of(input->data + used, input->size - used);
    return self->whole ? HTTP_WHOLE : HTTP_MORE;
}

static enum http_event feed_head(struct http_reader *self, struct slice *input)
{
    size_t size = http_head_scan(&self->head, *input);

    if (self->head.line_bytes > HTTP_LINE_BYTES_MAX)
        return refuse(self, 414, "the request line is over 8 KiB");
    if (self->head.bytes > HTTP_HEAD_BYTES_MAX)
        return refuse(self, 431, "the request's head is over 16 KiB");
    if (self->head.spaces > HTTP_LINE_SPACES)
        return refuse(self, 400, "the request line has more than its two spaces");
    if (self->head.place == HTTP_HEAD_FOLDED)
        return refuse(self, 400, "a header field is folded over two lines");
    if (self->head.place == HTTP_HEAD_BARE_CR)
        return refuse(self, 400, "the head holds a CR without its LF");
    if (size == 0 && self->parser.method == HTTP_PRI)
        return refuse_syntax(self, HPE_PAUSED_H2_UPGRADE);
    if (size == 0)
        return refuse(self, 400, "the head has ended, but it says nothing whole");
    return execute(self, input, size);
}

/* Whether a body in chunks ended with a bare LF, which llhttp takes for the end of no trailer
 * fields. `used` is what it took at last; what came before that ended with `body_last`. */
static bool ends_badly(const struct http_reader *self, struct slice used)
{
    uint8_t before_last = used.size > 1 ? used.data[used.size - 2] : self->body_last;

    return self->whole && self->request->content_length < 0 && before_last != '\r';
}

static enum http_event feed_body(struct http_reader *self, struct slice *input)
{
    struct slice used = *input;
    enum http_event event = execute(self, input, input->size);

    if (event == HTTP_REFUSED)
        return event;
    used.size -= input->size;
    if (ends_badly(self, used))
        return refuse(self, 400, "the chunks end with an LF without its CR");
    if (used.size > 0)
        self->body_last = used.data[used.size - 1];
    self->body_raw_bytes += (int64_t)used.size;
    if (self->body_raw_bytes > self->limits->body_bytes_max * 2 + CHUNK_OVERHEAD_BYTES)
        return refuse(self, 413, "the chunks' framing is larger than the body");
    return event;
}

static struct http_reader *reader_of(llhttp_t *parser)
{
    return parser->data;
}

/* A callback's answer: go on, unless the request has been refused. */
static int verdict(const struct http_request *request)
{
    return request->refused_http == 0 ? 0 : HPE_USER;
}

/* A piece of the target or of a value. */
static int keep_text(struct http_request *request, struct http_span *span, const char *at,
                     size_t size)
{
    buffer_append(&request->text, slice_of(at, size));
    span->size += (uint32_t)size;
    if (request->text.failed)
        http_request_refuse(request, 503, STATUS_UNAVAILABLE, "there is no memory");
    return verdict(request);
}

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = reader_of(parser)->request;

    return keep_text(request, &request->target, at, size);
}

static int on_field_name(llhttp_t *parser, const char *at, size_t size)
{
    struct http_reader *self = reader_of(parser);
    struct http_request *request = self->request;

    if (self->in_body)
        http_request_refuse(request, 400, STATUS_MALFORMED, "trailer fields are not taken");
    if (request->name_size + size > HTTP_FIELD_NAME_MAX)
        http_request_refuse(request, 431, STATUS_MALFORMED, "a field's name is over 256 bytes");
    if (request->name_size + size <= sizeof request->name)
        memcpy(request->name + request->name_size, at, size);
    request->name_size += size;
    return verdict(request);
}

static int on_field_name_end(llhttp_t *parser)
{
    struct http_request *request = reader_of(parser)->request;

    if (request->name_size == 0)
        http_request_refuse(request, 400, STATUS_MALFORMED, "a header field has no name");
    request->field = http_rules_find_field(request->name, request->name_size);
    request->name_size = 0;
    if (++request->field_count > HTTP_FIELDS_MAX)
        http_request_refuse(request, 431, STATUS_MALFORMED, "there are over 64 header fields");
    if (request->field < 0)
        return verdict(request);
    if (request->fields[request->field].present)
        http_request_refuse(request, 400, STATUS_MALFORMED, "the field %s is there twice",
                            http_rules_field_name(request->field));
    request->fields[request->field] =
        (struct http_span){.begin = (uint32_t)request->text.size, .present = true};
    return verdict(request);
}

static int on_field_value(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = reader_of(parser)->request;

    if (request->field < 0)
        return 0;
    return keep_text(request, &request->fields[request->field], at, size);
}

static int on_head_end(llhttp_t *parser)
{
    struct http_reader *self = reader_of(parser);
    struct http_request *request = self->request;

    self->in_body = true;
    request->verb = llhttp_method_name((llhttp_method_t)parser->method);
    request->http_1_0 = parser->http_minor == 0;
    request->keep_alive = llhttp_should_keep_alive(parser) != 0;
    request->content_length = 0;
    if ((parser->flags & F_CONTENT_LENGTH) != 0)
        request->content_length =
            parser->content_length > INT64_MAX ? INT64_MAX : (int64_t)parser->content_length;
    http_rules_check(request, parser);
    if (request->refused_http != 0)
        return -1;
    self->wants_continue = request->fields[HTTP_HEADER_EXPECT].present && !request->http_1_0;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct http_reader *self = reader_of(parser);
    struct http_request *request = self->request;

    self->wants_continue = false;
    request->body_bytes += (int64_t)size;
    if (request->body_bytes > self->limits->body_bytes_max) { /* R2; only chunks can get here */
        http_rules_refuse_body(request, request->body_bytes);
        return HPE_USER;
    }
    if (request->content_length == (int64_t)size) {
        request->body_whole = slice_of(at, size);
        return 0;
    }
    http_request_append(request, slice_of(at, size));
    return verdict(request);
}

static int on_end(llhttp_t *parser)
{
    struct http_reader *self = reader_of(parser);

    self->wants_continue = false;
    self->whole = true;
    return HPE_PAUSED; /* R1 */
}
