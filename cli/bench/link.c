/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c -- one connection of the load generator.
 */
#include "cli/bench/link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"

#define GATHERED_MAX 16 /* requests in one write */

static struct link_call *call_at(struct link *self, unsigned number)
{
    return &self->calls[number % LINK_DEPTH_MAX];
}

/* Connects, and shakes hands where the address says so. */
static bool reach(struct link *self, const struct address *address)
{
    const struct sockaddr *to = (const struct sockaddr *)&address->storage;
    int one = 1;

    if (connect(self->socket, to, address->size) != 0)
        return false;
    setsockopt(self->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (address->seal == NULL)
        return true;
    self->ssl = seal_open(address->seal, self->socket, address->host);
    return self->ssl != NULL;
}

bool link_open(struct link *self, const struct address *address)
{
    int failure;

    self->socket = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->socket < 0)
        return false;
    if (reach(self, address))
        return true;
    failure = errno;
    link_close(self);
    errno = failure;
    return false;
}

void link_close(struct link *self)
{
    seal_close(self->ssl);
    self->ssl = NULL;
    if (self->socket >= 0)
        close(self->socket);
    self->socket = -1;
    buffer_deinit(&self->partial);
}

void link_queue(struct link *self, struct slice request, int tag, int64_t now_ns)
{
    ASSERT(link_in_flight(self) < LINK_DEPTH_MAX);
    *call_at(self, self->begun++) = (struct link_call){request, now_ns, tag};
}

static int gather(struct link *self, struct iovec *parts)
{
    size_t skip = self->sent_bytes;
    int count = 0;

    for (unsigned i = self->sent; i != self->begun && count < GATHERED_MAX; i++, skip = 0) {
        struct slice request = call_at(self, i)->request;

        parts[count].iov_base = (void *)(uintptr_t)(request.data + skip);
        parts[count++].iov_len = request.size - skip;
    }
    return count;
}

static void count_sent(struct link *self, size_t size)
{
    self->sent_bytes += size;
    while (self->sent != self->begun && self->sent_bytes >= call_at(self, self->sent)->request.size)
        self->sent_bytes -= call_at(self, self->sent++)->request.size;
}

static ssize_t send_some(struct link *self)
{
    struct iovec parts[GATHERED_MAX];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)gather(self, parts)};

    if (self->ssl != NULL) /* a record at a time, of one request */
        return seal_write(self->ssl, parts[0].iov_base, parts[0].iov_len);
    return sendmsg(self->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

enum link_state link_flush(struct link *self)
{
    self->wants_out = false;
    while (self->sent != self->begun) {
        ssize_t size = send_some(self);

        if (size < 0 && errno == EAGAIN) {
            self->wants_out = true;
            return LINK_FINE;
        }
        if (size < 0)
            return LINK_FAILED;
        count_sent(self, (size_t)size);
    }
    return LINK_FINE;
}

/* The number of the Content-Length line; -1 without one. */
static int64_t content_length(const char *head, const char *end)
{
    static const char name[] = "\nContent-Length:";

    for (const char *line = head; (line = memchr(line, '\n', (size_t)(end - line))) != NULL; line++)
        if ((size_t)(end - line) > sizeof name && strncasecmp(line, name, sizeof name - 1) == 0)
            return strtoll(line + sizeof name - 1, NULL, 10); /* ends at the \r */
    return -1;
}

enum cut { CUT_WHOLE, CUT_PARTIAL, CUT_BROKEN };

/* Takes one reply off the front of *input. Of a partial one, *ret_missing bytes are known to be
 * still to come (0: not known). */
static enum cut cut_reply(struct slice *input, struct link_reply *ret_reply, size_t *ret_missing)
{
    static const char version[] = "HTTP/1.1 ";
    const char *head = (const char *)input->data;
    const char *end = input->size == 0 ? NULL : memmem(head, input->size, "\r\n\r\n", 4);
    int64_t length;
    size_t whole;

    *ret_missing = 0;
    if (end == NULL)
        return CUT_PARTIAL;
    if ((size_t)(end - head) < sizeof version + 2 || memcmp(head, version, sizeof version - 1) != 0)
        return CUT_BROKEN;
    length = content_length(head, end + 2);
    if (length < 0)
        return CUT_BROKEN;
    whole = (size_t)(end - head) + 4 + (size_t)length;
    if (input->size < whole) {
        *ret_missing = whole - input->size;
        return CUT_PARTIAL;
    }
    ret_reply->http_status = (int)strtol(head + sizeof version - 1, NULL, 10);
    ret_reply->body = slice_of(end + 4, (size_t)length);
    *input = slice_of(input->data + whole, input->size - whole);
    return CUT_WHOLE;
}

static ssize_t receive(struct link *self, void *data, size_t room)
{
    ssize_t size = self->ssl != NULL ? seal_read(self->ssl, data, room)
                                     : recv(self->socket, data, room, MSG_DONTWAIT);

    self->has_more = size == (ssize_t)room;
    return size;
}

/* One read into memory that has room for a whole reply, as far as its size is known. */
static ssize_t read_some(struct link *self, uint8_t *shared, struct slice *ret_input)
{
    ssize_t size;

    if (self->partial.size == 0) {
        size = receive(self, shared, LINK_READ_BYTES);
        *ret_input = slice_of(shared, size < 0 ? 0 : (size_t)size);
        return size;
    }
    if (buffer_reserve(&self->partial, LINK_READ_BYTES / 4) == NULL) {
        errno = ENOMEM;
        return -1;
    }
    size = receive(self, self->partial.data + self->partial.size,
                   self->partial.capacity - self->partial.size);
    self->partial.size += size < 0 ? 0 : (size_t)size;
    *ret_input = buffer_view(&self->partial);
    return size;
}

/* Keeps what is left of the input for the next read. */
static bool keep(struct link *self, struct slice input, size_t missing)
{
    bool is_own = self->partial.size > 0;

    if (is_own && input.size == self->partial.size) {
        buffer_reserve(&self->partial, missing);
    } else if (is_own) {
        buffer_consume(&self->partial, self->partial.size - input.size);
    } else if (input.size > 0) {
        buffer_reserve(&self->partial, input.size + missing);
        buffer_append(&self->partial, input);
    }
    return !self->partial.failed;
}

static enum link_state read_once(struct link *self, uint8_t *shared, int64_t now_ns,
                                 void (*replied)(void *context, struct link *link,
                                                 const struct link_reply *reply),
                                 void *context)
{
    struct slice input;
    struct link_reply reply;
    enum cut cut;
    size_t missing;
    ssize_t size = read_some(self, shared, &input);

    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? LINK_FINE : LINK_FAILED;
    if (size == 0)
        return LINK_ENDED;
    while ((cut = cut_reply(&input, &reply, &missing)) == CUT_WHOLE) {
        struct link_call *call = call_at(self, self->answered);

        if (link_in_flight(self) == 0)
            return LINK_NOT_HTTP;
        reply.latency_ns = now_ns - call->begun_ns;
        reply.tag = call->tag;
        self->answered++;
        replied(context, self, &reply);
        if (self->socket < 0)
            return LINK_FINE;
    }
    if (cut == CUT_BROKEN)
        return LINK_NOT_HTTP;
    if (keep(self, input, missing))
        return LINK_FINE;
    errno = ENOMEM;
    return LINK_FAILED;
}

/* What OpenSSL has taken from the socket wakes nobody: it is read to its end. */
enum link_state link_read(struct link *self, uint8_t *shared, int64_t now_ns,
                          void (*replied)(void *context, struct link *link,
                                          const struct link_reply *reply),
                          void *context)
{
    enum link_state state = read_once(self, shared, now_ns, replied, context);

    while (state == LINK_FINE && self->ssl != NULL && self->has_more)
        state = read_once(self, shared, now_ns, replied, context);
    return state;
}
