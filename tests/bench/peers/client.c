/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c -- connections to a peer.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define READ_BYTES ((size_t)256 << 10)
#define SECOND_NS INT64_C(1000000000)
#define PATIENCE_MS 120000 /* without any event */

int64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void fail(struct clients *self, const char *what, struct slice text)
{
    if (!self->failed && !self->quiet)
        fprintf(stderr, "%s: %s%.*s\n", self->peer->name, what,
                (int)(text.size < 300 ? text.size : 300), (const char *)text.data);
    self->failed = true;
}

static void watch(struct clients *self, int operation, int file, uint32_t events, void *user)
{
    struct epoll_event event = {.events = events, .data.ptr = user};

    if (epoll_ctl(self->epoll, operation, file, &event) != 0)
        fail(self, "epoll: ", slice_of_string(strerror(errno)));
}

static bool connect_one(struct client *client, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    client->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->socket < 0)
        return false;
    setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return connect(client->socket, (const struct sockaddr *)&address, sizeof address) == 0;
}

static void on_greeted(struct clients *self, struct client *client, const struct event *event)
{
    (void)client;
    if (event->kind == EVENT_READY)
        clients_stop(self);
}

/* One after the other, so that queue and group are made by the first alone. */
static bool greet(struct clients *self, struct client *client)
{
    watch(self, EPOLL_CTL_ADD, client->socket, EPOLLIN, client);
    self->happened = on_greeted;
    self->peer->hello(&client->link, &client->request);
    clients_send(self, client);
    return clients_run(self);
}

bool clients_open(struct clients *self, const struct peer *peer, int port, size_t count,
                  bool quietly)
{
    *self = (struct clients){.peer = peer, .quiet = quietly};
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    self->all = calloc(count, sizeof *self->all);
    if (self->all == NULL)
        return false;
    watch(self, EPOLL_CTL_ADD, self->timer, EPOLLIN, NULL);
    for (size_t i = 0; i < count; i++) {
        struct client *client = &self->all[self->count++];

        client->link.index = i;
        if (!connect_one(client, port)) {
            fail(self, "can't connect: ", slice_of_string(strerror(errno)));
            return false;
        }
        if (!greet(self, client))
            return false;
    }
    return true;
}

void clients_close(struct clients *self)
{
    for (size_t i = 0; i < self->count; i++) {
        close(self->all[i].socket);
        buffer_deinit(&self->all[i].in);
        buffer_deinit(&self->all[i].request);
        buffer_deinit(&self->all[i].tokens);
    }
    free(self->all);
    close(self->timer);
    close(self->epoll);
}

/* Only between requests: what is half out must not be interrupted. */
static void pay_pong(struct client *client)
{
    static const char pong[] = "PONG\r\n";

    if (client->link.owes_pong && client->out.size == 0)
        client->link.owes_pong =
            send(client->socket, pong, sizeof pong - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
}

static void flush(struct clients *self, struct client *client)
{
    bool wanted_out = client->wants_out;

    client->wants_out = false;
    while (client->out.size > 0) {
        ssize_t size =
            send(client->socket, client->out.data, client->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (size < 0) {
            client->wants_out = errno == EAGAIN;
            if (errno != EAGAIN)
                fail(self, "send: ", slice_of_string(strerror(errno)));
            break;
        }
        client->out = slice_of(client->out.data + size, client->out.size - (size_t)size);
    }
    pay_pong(client);
    if (client->wants_out != wanted_out)
        watch(self, EPOLL_CTL_MOD, client->socket, EPOLLIN | (client->wants_out ? EPOLLOUT : 0),
              client);
}

void clients_send(struct clients *self, struct client *client)
{
    client->out = buffer_view(&client->request);
    client->begun_ns = self->now_ns;
    flush(self, client);
}

void clients_wake(struct clients *self, int64_t at_ns)
{
    struct itimerspec time = {
        .it_value = {.tv_sec = at_ns / SECOND_NS, .tv_nsec = at_ns % SECOND_NS}};

    timerfd_settime(self->timer, TFD_TIMER_ABSTIME, &time, NULL);
}

void clients_stop(struct clients *self)
{
    self->stopped = true;
}

static void read_events(struct clients *self, struct client *client)
{
    struct slice input = buffer_view(&client->in);
    struct event event = {.kind = EVENT_OTHER};
    size_t size;

    while (!self->failed && (size = self->peer->read(&client->link, input, &event)) > 0) {
        input = slice_of(input.data + size, input.size - size);
        if (event.kind == EVENT_FAILED)
            fail(self, "", event.text);
        else if (event.kind != EVENT_OTHER)
            self->happened(self, client, &event);
        event = (struct event){.kind = EVENT_OTHER};
    }
    buffer_consume(&client->in, client->in.size - input.size);
    pay_pong(client);
}

static void on_client(struct clients *self, struct client *client, uint32_t events)
{
    uint8_t *at = buffer_reserve(&client->in, READ_BYTES);
    ssize_t size;

    if (events & EPOLLOUT)
        flush(self, client);
    if (at == NULL || !(events & ~(uint32_t)EPOLLOUT))
        return;
    size = recv(client->socket, at, client->in.capacity - client->in.size, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN)) {
        fail(self, "the connection ended", SLICE_EMPTY);
        return;
    }
    client->in.size += size < 0 ? 0 : (size_t)size;
    read_events(self, client);
}

bool clients_run(struct clients *self)
{
    struct epoll_event events[EVENTS_MAX];

    self->stopped = false;
    while (!self->stopped && !self->failed) {
        int count = epoll_wait(self->epoll, events, EVENTS_MAX, PATIENCE_MS);
        uint64_t expirations;

        self->now_ns = monotonic_ns();
        if (count == 0)
            fail(self, "no answer comes", SLICE_EMPTY);
        for (int i = 0; i < count && !self->failed; i++) {
            if (events[i].data.ptr != NULL)
                on_client(self, events[i].data.ptr, events[i].events);
            else if (read(self->timer, &expirations, sizeof expirations) > 0)
                self->ticked(self);
        }
    }
    return !self->failed;
}
