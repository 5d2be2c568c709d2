/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.c -- the addresses that are listened on, and giving out what comes in.
 *
 * One thread accepts, and each connection goes to the loop that has fewest: exact, and without
 * SO_REUSEPORT, by which a second broker could share the port unnoticed.
 *
 * Sockets are accepted here rather than by libuv, for two cases. Where no descriptor is left
 * (EMFILE), accepting stops for a moment: the pending connection would else wake the loop without
 * end. Where connections_max are open, the client is told so and not left to guess.
 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "net/loop.h"

#define BACKLOG 1024
#define ACCEPTS_AT_ONCE 64 /* then the connections have their turn */
#define PAUSE_MS 100
#define COMPLAIN_MS 10000

static enum status bind_one(struct listener *self, const char *text, bool loopback_only,
                            struct error *error);
static void start_polling(struct listener *self);
static void on_ready(uv_poll_t *poll, int status, int events);

enum status listener_open(struct listener *self, const struct net_options *options,
                          struct error *error)
{
    *self = (struct listener){.connections_max = options->connections_max,
                              .tls = options->tls != NULL,
                              .counters = options->counters};
    for (int i = 0; i < options->listen_count; i++) {
        enum status status = bind_one(self, options->listen[i], options->loopback_only, error);

        if (status != STATUS_OK) {
            listener_abort(self);
            return status;
        }
    }
    return STATUS_OK;
}

void listener_abort(struct listener *self)
{
    for (int i = 0; i < self->count; i++)
        close(self->sockets[i].socket);
    self->count = 0;
}

/* "127.0.0.1:7333" or "[::1]:7333". */
static bool parse_address(const char *text, struct sockaddr_storage *ret_address)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    char *end;
    long port;

    if (colon == NULL || length == 0 || length >= sizeof host || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || port > 65535)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    if (host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        return uv_ip6_addr(host + 1, (int)port, (struct sockaddr_in6 *)ret_address) == 0;
    }
    return uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret_address) == 0;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void name_address(struct listener_socket *self, const struct sockaddr_storage *address)
{
    char host[INET6_ADDRSTRLEN];

    uv_ip_name((const struct sockaddr *)address, host, sizeof host);
    snprintf(self->address, sizeof self->address,
             address->ss_family == AF_INET ? "%s:%d" : "[%s]:%d", host,
             ntohs(((const struct sockaddr_in *)address)->sin_port));
}

/* -1 and errno. */
static int open_socket(struct sockaddr_storage *address)
{
    socklen_t size =
        address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int one = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        (address->ss_family == AF_INET ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0) &&
        bind(fd, (const struct sockaddr *)address, size) == 0 && listen(fd, BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)address, &size) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static enum status bind_one(struct listener *self, const char *text, bool loopback_only,
                            struct error *error)
{
    struct listener_socket *next = &self->sockets[self->count];
    struct sockaddr_storage address = {0};

    if (!parse_address(text, &address))
        return error_set(error, STATUS_INVALID,
                         "\"%s\" is no address to listen on: give IP:PORT, such as 127.0.0.1:7333 "
                         "or [::1]:7333",
                         text);
    if (loopback_only && !is_loopback(&address))
        return error_set(error, STATUS_INVALID,
                         "%s can be reached from other machines, and this broker has no "
                         "authentication: give it --admin-token-file, or accept the risk with "
                         "--insecure",
                         text);
    next->socket = open_socket(&address);
    if (next->socket < 0)
        return error_set(error, STATUS_UNAVAILABLE, "can't listen on %s: %s", text,
                         strerror(errno));
    name_address(next, &address);
    self->count++;
    return STATUS_OK;
}

void listener_start(struct listener *self, struct loop *loops, int loop_count)
{
    self->loops = loops;
    self->loop_count = loop_count;
    for (int i = 0; i < self->count; i++) {
        self->sockets[i].listener = self;
        uv_poll_init(&loops[0].uv, &self->sockets[i].poll, self->sockets[i].socket);
    }
    uv_timer_init(&loops[0].uv, &self->pause);
    start_polling(self);
}

static void on_poll_closed(uv_handle_t *handle)
{
    close(CONTAINER_OF((uv_poll_t *)handle, struct listener_socket, poll)->socket);
}

void listener_close(struct listener *self)
{
    for (int i = 0; i < self->count; i++)
        uv_close((uv_handle_t *)&self->sockets[i].poll, on_poll_closed);
    uv_close((uv_handle_t *)&self->pause, NULL);
}

static void start_polling(struct listener *self)
{
    for (int i = 0; i < self->count; i++)
        uv_poll_start(&self->sockets[i].poll, UV_READABLE, on_ready);
}

static void on_pause_over(uv_timer_t *timer)
{
    start_polling(CONTAINER_OF(timer, struct listener, pause));
}

/* Once in a while: what refuses one client refuses thousands. */
static bool may_complain(struct listener *self)
{
    int64_t now_ms = loop_now_ms(&self->loops[0]);

    if (self->complained_ms != 0 && now_ms - self->complained_ms < COMPLAIN_MS)
        return false;
    self->complained_ms = now_ms;
    return true;
}

static void pause_accepting(struct listener *self, int code)
{
    if (may_complain(self))
        LOG_ERROR("accept_failed", LOG_STRING("reason", strerror(code)),
                  LOG_INT("connections", counter_get(&self->counters->connections)));
    for (int i = 0; i < self->count; i++)
        uv_poll_stop(&self->sockets[i].poll);
    uv_timer_start(&self->pause, on_pause_over, PAUSE_MS, 0);
}

static void refuse_connection(struct listener *self, int socket)
{
    static const char reply[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        "Content-Length: 71\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
        "{\"code\":\"unavailable\",\"message\":\"the broker has too many connections\"}\n";

    if (may_complain(self))
        LOG_WARN("connection_refused", LOG_STRING("reason", "too many connections"),
                 LOG_INT("limit", self->connections_max));
    counter_add(&self->counters->connections_refused, 1);
    counter_add(&self->counters->limited[LIMITED_connections], 1);
    if (!self->tls)
        (void)!send(socket, reply, sizeof reply - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(socket);
}

static struct loop *idlest_loop(struct listener *self)
{
    struct loop *best = &self->loops[0];

    for (int i = 1; i < self->loop_count; i++) {
        if (atomic_load(&self->loops[i].connection_count) < atomic_load(&best->connection_count))
            best = &self->loops[i];
    }
    return best;
}

/* Where the idlest loop is behind with what it was given, the accepting thread's own takes it: that
 * one looks at its inbox before it accepts again. */
static bool place(struct listener *self, int socket)
{
    return loop_adopt(idlest_loop(self), socket) || loop_adopt(&self->loops[0], socket);
}

static void give_out(struct listener *self, int socket)
{
    bool room = counter_get(&self->counters->connections) < self->connections_max;

    counter_add(&self->counters->connections_accepted, 1);
    counter_add(&self->counters->connections, 1);
    if (room && place(self, socket))
        return;
    counter_add(&self->counters->connections, -1);
    refuse_connection(self, socket);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct listener_socket *source = CONTAINER_OF(poll, struct listener_socket, poll);

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int socket = accept4(source->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (socket >= 0) {
            give_out(source->listener, socket);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            pause_accepting(source->listener, errno);
            return;
        }
    }
}
