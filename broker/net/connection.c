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
 *
 *   connection.c       its life, and bytes in and out    connection_time.c   its deadlines
 *   connection_call.c  from a request to its reply       connection_tls.c    its TLS
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "net/connection_parts.h"
#include "net/loop.h"

#define WAITING_MAX ((size_t)64 << 10)
#define HELD_SMALL ((size_t)64 << 10)
#define KEEPALIVE_S 30

static void on_written(struct http_writer *writer, int status);

static void complain_of_address(struct connection *self)
{
    struct ration *complaints = &self->loop->address_complaints;
    struct slice home = self->peer.rpc.home;
    char address[64];

    if (!ration_take(complaints, loop_now_ms(self->loop)))
        return;
    (void)snprintf(address, sizeof address, "%.*s", (int)home.size, (const char *)home.data);
    LOG_WARN("connection_refused", LOG_STRING("reason", "the address has its connections"),
             LOG_STRING("address", address), LOG_INT("unlogged_before", complaints->left_out));
    complaints->left_out = 0;
}

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
    complain_of_address(self);
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
        connection_drop_held(self);
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

/* Takes from the front of *input: a piece of a request, or the rest of one, which it begins. */
static void read_request(struct connection *self, struct slice *input)
{
    enum http_event event = http_reader_feed(&self->reader, input, loop_now_ms(self->loop));
    const struct http_request *request = self->reader.request;

    if (event == HTTP_WHOLE)
        connection_begin_call(self, false, NULL);
    else if (event == HTTP_HEAD_WHOLE)
        connection_look_at_head(self, *input);
    else if (event == HTTP_CONTINUE)
        http_writer_continue(&self->writer);
    else if (event == HTTP_REFUSED && request == NULL)
        connection_close(self); /* no memory, not even to say so */
    else if (event == HTTP_REFUSED)
        connection_put_refusal(self, request->refused_http, &request->error);
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

void connection_resume(struct connection *self)
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
        connection_resume(self);
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
    timeouts_set(&self->loop->timeouts, &self->deadline, connection_deadline(self));
}
