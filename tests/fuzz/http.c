/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.c -- the HTTP/1.1 reader: bytes of a connection to requests, wherever reads cut them.
 *
 * Input: the number of cuts (1 byte, whose top bit says whether the reader stops at heads), the
 * sizes of the pieces, then the connection's bytes.
 *
 *   F1  Cut or whole, stopped at heads or not, the same bytes are the same requests, and refused or
 *       not the same.
 *   F2  A request keeps to the limits, and its body is as long as its head said.
 *   F3  What was read, written plainly, is read as the same request: nothing in a value could be
 *       another line or another request.
 *   F4  No memory stays counted behind the connection's end.
 */
#include <inttypes.h>

#include "fuzz.h"
#include "net/http_reader.h"

#define BODY_BYTES_MAX 2048

static const char *const rpc_names[] = {
#define X(name, text) text,
    RPC_HEADERS(X)
#undef X
};

static _Atomic int64_t memory_bytes;
static _Atomic int64_t memory_refused;
static struct http_request *spare; /* a request's memory serves the next one, in this run only */
static struct http_limits limits = {
    .body_bytes_max = BODY_BYTES_MAX,
    .memory_bytes_max = 1 << 20,
    .memory_bytes = &memory_bytes,
    .memory_refused = &memory_refused,
    .spare = &spare,
};

static void check_request(const struct http_request *request) /* F2 */
{
    struct slice path = http_request_path(request);
    struct slice body = http_request_body(request);

    CHECK(request->refused_http == 0);
    CHECK(request->field_count <= HTTP_FIELDS_MAX);
    CHECK(path.size > 0 && path.size <= HTTP_LINE_BYTES_MAX);
    CHECK(path.data[0] == '/' || path.data[0] == '*');
    CHECK(body.size <= BODY_BYTES_MAX);
    CHECK((int64_t)body.size == request->body_bytes);
    CHECK(request->content_length < 0 || request->content_length == request->body_bytes);
}

/* The request in plain HTTP/1.1: what matters of it, and nothing else. */
static void write_plainly(const struct http_request *request, struct buffer *out)
{
    struct slice path = http_request_path(request);
    struct slice body = http_request_body(request);

    buffer_append_printf(out, "%s %.*s HTTP/1.1\r\nhost: h\r\n", request->verb, (int)path.size,
                         (const char *)path.data);
    for (int i = 0; i < RPC_HEADER_COUNT; i++) {
        struct slice value = http_request_field(request, i);

        if (!request->fields[i].present)
            continue;
        buffer_append_printf(out, "%s: ", rpc_names[i]);
        buffer_append(out, value);
        buffer_append_string(out, "\r\n");
    }
    buffer_append_printf(out, "content-length: %zu\r\n%s\r\n", body.size,
                         request->keep_alive ? "" : "connection: close\r\n");
    buffer_append(out, body);
}

/* Feeds one piece. False: the connection ends here. */
static bool feed_piece(struct http_reader *reader, struct slice piece, struct buffer *out)
{
    uint8_t *copy = exact_copy(piece);
    struct slice left = slice_of(copy, piece.size);
    bool goes_on = true;

    while (goes_on && left.size > 0) {
        enum http_event event = http_reader_feed(reader, &left, 1);

        if (event == HTTP_REFUSED) {
            CHECK(reader->request != NULL && reader->request->refused_http >= 400);
            buffer_append_string(out, "refused\n");
            goes_on = false;
        } else if (event == HTTP_WHOLE) {
            check_request(reader->request);
            write_plainly(reader->request, out);
            goes_on = reader->request->keep_alive;
            http_reader_next(reader);
        } else if (event == HTTP_HEAD_WHOLE) {
            CHECK(limits.stops_at_heads && reader->in_body);
        } else {
            CHECK(left.size == 0);
        }
    }
    free(copy);
    return goes_on;
}

/* Reads a connection cut into pieces of the given sizes (0: all the rest; the sizes over: one
 * byte each), and says what was understood. */
static void read_connection(struct slice bytes, struct slice sizes, struct buffer *out)
{
    struct http_reader reader;
    bool goes_on = true;

    http_reader_init(&reader, &limits);
    while (goes_on && bytes.size > 0) {
        size_t size = sizes.size == 0 ? 1 : take_u8(&sizes);

        goes_on = feed_piece(&reader, take_bytes(&bytes, size == 0 ? SIZE_MAX : size), out);
    }
    http_reader_deinit(&reader);
    http_request_discard(spare);
    spare = NULL;
    CHECK(memory_bytes == 0); /* F4 */
}

static void check_plain_writing(struct slice said)
{
    static const uint8_t whole[] = {0};
    struct buffer again = BUFFER_EMPTY;
    struct slice refused = slice_of_string("refused\n");

    read_connection(said, slice_of(whole, 1), &again);
    if (!slice_equal(said, buffer_view(&again))) {
        /* What ended in a refusal ends so again: "refused" is no request line. */
        CHECK(said.size >= refused.size &&
              slice_equal(slice_of(said.data + said.size - refused.size, refused.size), refused));
        CHECK(slice_starts_with(buffer_view(&again),
                                slice_of(said.data, said.size - refused.size))); /* F3 */
    }
    buffer_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t whole[] = {0};
    struct slice bytes = slice_of(data, size);
    uint8_t first = take_u8(&bytes);
    size_t cuts = first % 16;
    struct slice sizes = take_bytes(&bytes, cuts);
    struct buffer said_whole = BUFFER_EMPTY;
    struct buffer said_cut = BUFFER_EMPTY;

    read_connection(bytes, slice_of(whole, 1), &said_whole);
    limits.stops_at_heads = first >= 128;
    read_connection(bytes, sizes, &said_cut);
    limits.stops_at_heads = false;
    CHECK(slice_equal(buffer_view(&said_whole), buffer_view(&said_cut))); /* F1 */
    check_plain_writing(buffer_view(&said_whole));
    buffer_deinit(&said_whole);
    buffer_deinit(&said_cut);
    return 0;
}
