/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.c -- one client's socket: requests in, one at a time, replies out, in order.
 *
 *   SHAKING (TLS only)
 *       v      whole request                   done
 *   READING ------------------> CALLING ------------------+
 *    ^  ^ |                        |                      |
 *    |  | | refused,               | client gone          |
 *    |  | v last reply             v                      |
 *    |  | ENDING --> LINGERING --> CLOSED                 |
 *    |  +-- the client takes replies -- FLUSHING <--------+ much unsent
 *    +----------------------------------------------------+ little unsent
 *
 * Invariants
 *   C1  A connection has at most one call in flight: pipelined requests wait in `waiting`.
 *   C2  Memory is bounded: about WAITING_MAX of input while a call runs, one body while one is
 *       read, UNSENT_HIGH and one reply on the way out. An idle connection holds no buffer.
 *   C3  The client's leaving is seen while a call runs, since reading goes on as long as there is
 *       room: the long poll of a client that is gone takes no task.
 *   C4  After a refusal nothing more is read as HTTP. The socket is drained for a while before
 *       it closes: closing with unread bytes would destroy the reply on its way.
 *   C5  Replies that clients don't take are bounded in sum: past memory_bytes_max, a connection
 *       whose reply would lie in memory is closed instead, unless it is a small one or alone.
 *   C6  Where callers must be known, no body is read of one that is not, and none that no method
 *       takes: the head is answered at once, and the connection ends with it.
 *   C7  The reply to a refused login may be held back for seconds (HOLDING), and is the last one.
 *       HELD_MAX wait in a loop at most: one more has the oldest answered.
 *   C8  With TLS, nothing of a client is read as HTTP before its handshake is done.
 *
 * One thread. What happens comes in by the on_* functions and connection_expired; each ends in
 * `connection_settle`, which sets reading and the deadline to what the state asks for.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/connection_parts.h"
#include "net/loop.h"

#define WAITING_MAX ((size_t)64 << 10)
#define UNSENT_HIGH ((size_t)1 << 20)
#define UNSENT_LOW ((size_t)256 << 10)
#define HELD_SMALL ((size_t)64 << 10)
#define HELD_MAX 256
#define LINGER_MS 3000
#define BODY_BYTES_PER_MS 1 /* the least that must come, after the grace */
#define KEEPALIVE_S 30
#define KNOWN_MS 5000 /* then a token may have been revoked, and is looked at again */

static void resume(struct connection *self);
static void on_written(struct http_writer *writer, int status);
static void on_done(struct rpc_request *request);
static void put_refusal(struct connection *self, int http_status, const struct error *error);
static void drop_held(struct connection *self);

/* False: it has its connections already, and has been told so, if it does not expect TLS. */
static bool enter_address(struct connection *self)
{
    static char reply[] =
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
        "Content-Length: 74\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
        "{\"code\":\"resource_exhausted\",\"message\":\"the address has its connections\"}\n";
    const struct net_options *options = self->loop->options;
    uv_buf_t bytes = uv_buf_init(reply, sizeof reply - 1);

    if (options->addresses == NULL)
        return true;
    self->address = addresses_enter(options->addresses, self->peer.rpc.home);
    if (self->address != NULL)
        return true;
    counter_add(&options->counters->limited[LIMITED_connections_per_address], 1);
    if (options->tls == NULL)
        (void)uv_try_write((uv_stream_t *)&self->tcp, &bytes, 1);
    return false;
}

void connection_open(struct loop *loop, int socket)
{
    struct connection *self = calloc(1, sizeof *self);

    if (self == NULL || !timeouts_add(&loop->timeouts, &self->deadline)) {
        free(self);
        close(socket);
        loop_forget(loop);
        return;
    }
    self->loop = loop;
    list_append(&loop->connections, &self->link);
    uv_tcp_init(&loop->uv, &self->tcp);
    http_reader_init(&self->reader, &loop->limits);
    http_writer_init(&self->writer, (uv_stream_t *)&self->tcp);
    self->writer.sent_bytes = &loop->options->counters->sent_bytes;
    self->writer.written = on_written;
    connection_enter(self, CONNECTION_READING);
    if (uv_tcp_open(&self->tcp, socket) != 0) {
        close(socket);
        connection_close(self);
        return;
    }
    uv_tcp_nodelay(&self->tcp, 1);
    uv_tcp_keepalive(&self->tcp, 1, KEEPALIVE_S);
    peer_init(&self->peer, &self->tcp);
    if (!enter_address(self) || (loop->options->tls != NULL && !connection_seal(self)))
        connection_close(self);
    connection_settle(self);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *self = CONTAINER_OF((uv_tcp_t *)handle, struct connection, tcp);

    list_remove(&self->link);
    http_reader_deinit(&self->reader);
    http_writer_deinit(&self->writer);
    tls_stream_free(self->tls);
    if (self->address != NULL)
        addresses_leave(self->loop->options->addresses, self->address);
    peer_deinit(&self->peer);
    buffer_deinit(&self->waiting);
    loop_forget(self->loop);
    free(self);
}

void connection_close(struct connection *self)
{
    if (self->state == CONNECTION_CLOSED)
        return;
    if (self->tls != NULL)
        connection_leave_tls(self);
    if (self->state == CONNECTION_HOLDING)
        drop_held(self);
    connection_enter(self, CONNECTION_CLOSED);
    if (self->exchange != NULL)
        exchange_orphan(self->exchange);
    self->exchange = NULL;
    rpc_dismiss(self->loop->options->rpc, &self->caller);
    counter_add(&self->loop->options->counters->reply_bytes, -(int64_t)self->held_bytes);
    self->held_bytes = 0;
    timeouts_remove(&self->loop->timeouts, &self->deadline);
    uv_close((uv_handle_t *)&self->tcp, on_closed);
}

void connection_drain(struct connection *self)
{
    connection_settle(self);
}

void connection_enter(struct connection *self, enum connection_state state)
{
    self->state = state;
    self->since_ms = loop_now_ms(self->loop);
}

/* The client sends no more. It may still want the reply to what it has sent, but whoever
 * half-closes while a long poll waits is taken for gone: no task may be spent on it (C3). */
void connection_ended(struct connection *self)
{
    self->peer_closed = true;
    uv_read_stop((uv_stream_t *)&self->tcp);
    self->reading = false;
    if (self->state == CONNECTION_LINGERING || self->state == CONNECTION_HOLDING ||
        (self->state == CONNECTION_READING && self->reader.request != NULL))
        connection_close(self);
    else if (self->state == CONNECTION_CALLING)
        rpc_cancel(&self->exchange->request);
    connection_settle(self);
}

/* Input that can't be dealt with now. */
static void keep_input(struct connection *self, struct slice input)
{
    if (self->state != CONNECTION_CALLING && self->state != CONNECTION_FLUSHING)
        return; /* C4 */
    buffer_append(&self->waiting, input);
    if (self->waiting.failed)
        connection_close(self);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct connection *self = CONTAINER_OF((uv_tcp_t *)handle, struct connection, tcp);

    (void)suggested;
    *ret_buffer = uv_buf_init((char *)self->loop->read_buffer, LOOP_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct connection *self = CONTAINER_OF((uv_tcp_t *)stream, struct connection, tcp);

    if (size == 0) /* nothing came after all */
        return;
    if (size == UV_EOF) {
        connection_ended(self);
        return;
    }
    if (size < 0) {
        connection_close(self);
        return;
    }
    counter_add(&self->loop->options->counters->received_bytes, size);
    if (self->tls == NULL)
        connection_advance(self, slice_of(buffer->base, (size_t)size));
    else
        connection_receive_sealed(self, slice_of(buffer->base, (size_t)size));
}

/* A body may take hours to come. */
static void forget_old_caller(struct connection *self)
{
    if (self->caller.is_known &&
        loop_now_ms(self->loop) - self->reader.request->body_begun_ms > KNOWN_MS)
        rpc_dismiss(self->loop->options->rpc, &self->caller);
}

static void refuse_call(struct connection *self)
{
    struct error error;

    error_set(&error, STATUS_UNAVAILABLE, NULL);
    put_refusal(self, status_http(STATUS_UNAVAILABLE), &error);
}

/* With the body that was read; or, as the head was answered, without the one that may follow (C6).
 */
static void begin_call(struct connection *self, bool bodiless, const struct error *refusal)
{
    struct exchange *exchange = NULL;

    if (self->loop->phase < LOOP_HALTED)
        exchange = exchange_take(self->loop);
    if (exchange == NULL) {
        refuse_call(self);
        return;
    }
    self->exchange = exchange;
    connection_enter(self, CONNECTION_CALLING);
    exchange_fill(exchange, self, self->reader.request, on_done);
    exchange->keep_alive &= !bodiless;
    exchange->request.refusal = refusal;
    forget_old_caller(self);
    exchange->request.caller = self->caller;
    self->caller = (struct rpc_caller){0};
    rpc_begin(self->loop->options->rpc, &exchange->request);
    http_reader_next(&self->reader);
}

/* The head is whole: is its body to be read? `input` is what came of it. */
static void look_at_head(struct connection *self, struct slice input)
{
    const struct http_request *request = self->reader.request;
    struct slice headers[RPC_HEADER_COUNT];
    const struct rpc_head head = {.verb = slice_of_string(request->verb),
                                  .path = http_request_path(request),
                                  .headers = headers,
                                  .peer = &self->peer.rpc,
                                  .body_bytes = request->content_length};
    struct error refusal;

    exchange_fill_headers(request, headers);
    if (!rpc_admit(self->loop->options->rpc, &head, &self->caller, &refusal))
        begin_call(self, true, refusal.status == STATUS_OK ? NULL : &refusal);
    else if (input.size == 0 && http_reader_take_continue(&self->reader))
        http_writer_continue(&self->writer);
}

/* Takes from the front of *input: a piece of a request, or the rest of one, which it begins. */
static void read_request(struct connection *self, struct slice *input)
{
    enum http_event event = http_reader_feed(&self->reader, input, loop_now_ms(self->loop));
    const struct http_request *request = self->reader.request;

    if (event == HTTP_WHOLE)
        begin_call(self, false, NULL);
    else if (event == HTTP_HEAD_WHOLE)
        look_at_head(self, *input);
    else if (event == HTTP_CONTINUE)
        http_writer_continue(&self->writer);
    else if (event == HTTP_REFUSED && request == NULL)
        connection_close(self); /* no memory, not even to say so */
    else if (event == HTTP_REFUSED)
        put_refusal(self, request->refused_http, &request->error);
}

static void put_reply(struct connection *self, struct http_reply reply, struct buffer *body)
{
    reply.date = loop_date(self->loop);
    reply.keep_alive &= self->loop->phase == LOOP_SERVING;
    http_writer_reply(&self->writer, &reply, body);
    if (!reply.keep_alive)
        connection_enter(self, CONNECTION_ENDING);
    else if (http_writer_pending_bytes(&self->writer) > UNSENT_HIGH)
        connection_enter(self, CONNECTION_FLUSHING);
    else
        connection_enter(self, CONNECTION_READING);
}

/* Answers what never gets to the rpc layer; the connection ends with it (C4). */
static void put_refusal(struct connection *self, int http_status, const struct error *error)
{
    struct http_reply reply = {.http_status = http_status,
                               .content_type = "application/json",
                               .header_line = rpc_header_line(error->status, 0)};
    struct buffer body = BUFFER_EMPTY;

    rpc_dismiss(self->loop->options->rpc, &self->caller);
    rpc_error_body(error, &body);
    counter_add(&self->loop->options->counters->http_refused, 1);
    put_reply(self, reply, &body);
    buffer_deinit(&body);
}

/* The exchange whose reply was held back. */
static struct exchange *take_held(struct connection *self)
{
    struct exchange *exchange = self->exchange;

    list_remove(&self->held);
    self->loop->held_count--;
    self->exchange = NULL;
    return exchange;
}

static void drop_held(struct connection *self)
{
    exchange_release(take_held(self));
}

static void answer_held(struct connection *self)
{
    struct exchange *exchange = take_held(self);

    put_reply(self, exchange_reply(exchange), &exchange->request.reply);
    exchange_release(exchange);
    resume(self);
}

static void hold_back(struct connection *self)
{
    struct loop *loop = self->loop;

    self->exchange->keep_alive = false;
    connection_enter(self, CONNECTION_HOLDING);
    list_append(&loop->held, &self->held);
    if (++loop->held_count > HELD_MAX)
        answer_held(CONTAINER_OF(loop->held.next, struct connection, held)); /* C7 */
}

static void on_done(struct rpc_request *request)
{
    struct exchange *exchange = CONTAINER_OF(request, struct exchange, request);
    struct connection *self = exchange->connection;

    if (self != NULL && request->hold_ms > 0) {
        hold_back(self);
        return;
    }
    if (self != NULL) {
        ASSERT(self->state == CONNECTION_CALLING && self->exchange == exchange); /* C1 */
        self->exchange = NULL;
        put_reply(self, exchange_reply(exchange), &request->reply);
    }
    exchange_release(exchange);
    if (self != NULL && !self->advancing)
        resume(self);
}

/* The client's own time limit is over: it is told so, and the call ends without it. */
static void time_out_call(struct connection *self)
{
    struct exchange *exchange = self->exchange;
    struct http_reply reply = exchange_reply(exchange);
    struct error error = ERROR_NONE;
    struct buffer body = BUFFER_EMPTY;

    error_set(&error, STATUS_TIMEOUT, NULL);
    rpc_error_body(&error, &body);
    reply.http_status = status_http(STATUS_TIMEOUT);
    reply.content_type = "application/json";
    reply.header_line = NULL;
    self->exchange = NULL;
    put_reply(self, reply, &body);
    buffer_deinit(&body);
    exchange_orphan(exchange);
    resume(self);
}

/* The last reply is out: no more of ours, and a while for what the client still sends (C4). */
void connection_linger(struct connection *self)
{
    uv_os_fd_t socket;

    http_reader_deinit(&self->reader);
    if (self->tls != NULL)
        tls_stream_end(self->tls);
    connection_enter(self, CONNECTION_LINGERING);
    if (self->peer_closed || uv_fileno((uv_handle_t *)&self->tcp, &socket) != 0)
        connection_close(self);
    else
        shutdown(socket, SHUT_WR);
}

/* Counts what the replies hold, and leaves a client that is not there to take a large one while
 * many are held already (C5). */
static void count_held(struct connection *self)
{
    const struct net_options *options = self->loop->options;
    size_t held = http_writer_held_bytes(&self->writer);
    bool grown = held > self->held_bytes;
    int64_t all;

    counter_add(&options->counters->reply_bytes, (int64_t)held - (int64_t)self->held_bytes);
    self->held_bytes = held;
    all = counter_get(&options->counters->reply_bytes);
    if (!grown || held <= HELD_SMALL || all <= options->memory_bytes_max || all == (int64_t)held)
        return;
    counter_add(&options->counters->replies_dropped, 1);
    connection_close(self);
}

void connection_flush(struct connection *self)
{
    size_t unsent;

    if (self->state == CONNECTION_CLOSED)
        return;
    if (http_writer_flush(&self->writer) != 0) {
        connection_close(self);
        return;
    }
    unsent = http_writer_pending_bytes(&self->writer);
    if (unsent > 0 && self->unsent_bytes == 0)
        uptake_begin(&self->uptake, http_writer_taken_bytes(&self->writer),
                     loop_now_ms(self->loop));
    self->unsent_bytes = unsent;
    count_held(self);
    if (self->state == CONNECTION_ENDING && unsent == 0)
        connection_linger(self);
    else if (self->state == CONNECTION_FLUSHING && unsent <= UNSENT_LOW)
        connection_enter(self, CONNECTION_READING);
}

void connection_advance(struct connection *self, struct slice input)
{
    ASSERT(!self->advancing);
    self->advancing = true;
    do {
        while (self->state == CONNECTION_READING && input.size > 0)
            read_request(self, &input);
        connection_flush(self);
    } while (self->state == CONNECTION_READING && input.size > 0);
    self->advancing = false;
    keep_input(self, input);
    connection_settle(self);
}

/* The same with what waited. */
static void resume(struct connection *self)
{
    struct buffer waiting = self->waiting;

    self->waiting = BUFFER_EMPTY;
    connection_advance(self, buffer_view(&waiting));
    buffer_deinit(&waiting);
}

static void on_written(struct http_writer *writer, int status)
{
    struct connection *self = CONTAINER_OF(writer, struct connection, writer);

    if (status < 0)
        connection_close(self);
    else if (self->state != CONNECTION_CLOSED)
        resume(self);
}

/* Whether the connection may end as it is: no reply is owed, and no request half read, unless by a
 * client that sends no more: the other half will not come. */
static bool may_end(const struct connection *self)
{
    if (self->state == CONNECTION_SHAKING)
        return true;
    return self->state == CONNECTION_READING && self->unsent_bytes == 0 &&
           (self->reader.request == NULL || self->peer_closed);
}

static void set_reading(struct connection *self)
{
    bool wanted = !self->peer_closed && self->waiting.size <= WAITING_MAX; /* C2, C3 */

    if (wanted && !self->reading)
        wanted = uv_read_start((uv_stream_t *)&self->tcp, on_alloc, on_read) == 0;
    else if (!wanted && self->reading)
        uv_read_stop((uv_stream_t *)&self->tcp);
    self->reading = wanted;
}

static int64_t reading_deadline(const struct connection *self)
{
    const struct net_options *options = self->loop->options;
    const struct http_request *request = self->reader.request;

    if (request == NULL)
        return self->since_ms + options->idle_timeout_ms;
    if (!self->reader.in_body)
        return request->begun_ms + options->header_timeout_ms;
    return request->body_begun_ms + options->body_timeout_ms +
           self->reader.body_raw_bytes / BODY_BYTES_PER_MS;
}

/* A broker that stops holds nothing back. */
static int64_t held_until(const struct connection *self)
{
    bool stopping = self->loop->phase >= LOOP_DRAINING;

    return self->since_ms + (stopping ? 0 : self->exchange->request.hold_ms);
}

static int64_t deadline_of(const struct connection *self)
{
    if (self->state == CONNECTION_CALLING && self->exchange->request.timeout_ms > 0)
        return self->since_ms + self->exchange->request.timeout_ms;
    if (self->state == CONNECTION_CALLING)
        return TIMEOUT_NEVER;
    if (self->state == CONNECTION_HOLDING)
        return held_until(self);
    if (self->state == CONNECTION_SHAKING)
        return self->since_ms + self->loop->options->handshake_timeout_ms;
    if (self->unsent_bytes > 0)
        return uptake_deadline(&self->uptake, self->loop->options->write_timeout_ms);
    if (self->state == CONNECTION_LINGERING)
        return self->since_ms + LINGER_MS;
    return reading_deadline(self);
}

void connection_settle(struct connection *self)
{
    bool ending = self->peer_closed || self->loop->phase >= LOOP_DRAINING;

    if (self->state == CONNECTION_CLOSED)
        return;
    if (ending && may_end(self)) {
        connection_close(self);
        return;
    }
    set_reading(self);
    timeouts_set(&self->loop->timeouts, &self->deadline, deadline_of(self));
}

static void refuse_slowness(struct connection *self)
{
    struct error error = ERROR_NONE;

    error_set(&error, STATUS_TIMEOUT, "the request came too slowly");
    put_refusal(self, 408, &error);
    resume(self);
}

void connection_expired(struct heap_node *node)
{
    struct connection *self = CONTAINER_OF(node, struct connection, deadline);

    connection_flush(self);
    if (self->state == CONNECTION_CLOSED)
        return;
    if (self->unsent_bytes > 0)
        uptake_look(&self->uptake, http_writer_taken_bytes(&self->writer), loop_now_ms(self->loop),
                    self->loop->options->write_timeout_ms);
    if (deadline_of(self) > loop_now_ms(self->loop))
        resume(self);
    else if (self->state == CONNECTION_CALLING)
        time_out_call(self);
    else if (self->state == CONNECTION_HOLDING)
        answer_held(self);
    else if (self->unsent_bytes == 0 && self->reader.request != NULL)
        refuse_slowness(self);
    else
        connection_close(self);
}
