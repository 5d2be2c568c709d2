/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_broker.c -- see fake_broker.h.
 *
 * Knows just enough of HTTP/1.1: a head up to an empty line, and a body of Content-Length bytes.
 */
#include "fake_broker.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

enum { REQUEST_BYTES_MAX = 4 << 20, AWAIT_S = 10 };

struct fake_broker {
    const struct fake_step *steps;
    size_t step_count;
    int listener;
    int stop; /* eventfd */
    char url[64];
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    int requests;    /* lock */
    int connections; /* lock */
    char *last;      /* lock; REQUEST_BYTES_MAX + 1 */
};

static void *serve(void *context);
static void serve_connection(struct fake_broker *self, int fd);
static bool read_request(struct fake_broker *self, int fd);
static bool act(struct fake_broker *self, int fd, const struct fake_step *step);

struct fake_broker *fake_broker_start(const struct fake_step *steps, size_t count)
{
    struct fake_broker *self = calloc(1, sizeof *self);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    ASSERT(self != NULL);
    self->steps = steps;
    self->step_count = count;
    self->last = calloc(1, REQUEST_BYTES_MAX + 1);
    self->stop = eventfd(0, EFD_CLOEXEC);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(bind(self->listener, (struct sockaddr *)&address, sizeof address) == 0);
    ASSERT(listen(self->listener, 16) == 0);
    ASSERT(getsockname(self->listener, (struct sockaddr *)&address, &size) == 0);
    (void)snprintf(self->url, sizeof self->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    ASSERT(pthread_create(&self->thread, NULL, serve, self) == 0);
    return self;
}

void fake_broker_stop(struct fake_broker *self)
{
    (void)eventfd_write(self->stop, 1);
    pthread_join(self->thread, NULL);
    close(self->listener);
    close(self->stop);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self->last);
    free(self);
}

const char *fake_broker_url(const struct fake_broker *self)
{
    return self->url;
}

static int locked_value(struct fake_broker *self, const int *value)
{
    int copy;

    pthread_mutex_lock(&self->lock);
    copy = *value;
    pthread_mutex_unlock(&self->lock);
    return copy;
}

int fake_broker_requests(struct fake_broker *self)
{
    return locked_value(self, &self->requests);
}

int fake_broker_connections(struct fake_broker *self)
{
    return locked_value(self, &self->connections);
}

const char *fake_broker_last(struct fake_broker *self)
{
    return self->last;
}

bool fake_broker_await(struct fake_broker *self, int requests)
{
    struct timespec deadline;
    bool reached;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += AWAIT_S;
    pthread_mutex_lock(&self->lock);
    while (self->requests < requests)
        if (pthread_cond_timedwait(&self->changed, &self->lock, &deadline) != 0)
            break;
    reached = self->requests >= requests;
    pthread_mutex_unlock(&self->lock);
    return reached;
}

/* Waits until `fd` can be read; false when the test ends. */
static bool readable(struct fake_broker *self, int fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = self->stop, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0)
        ;
    return (fds[1].revents & POLLIN) == 0;
}

static void *serve(void *context)
{
    struct fake_broker *self = context;

    while (readable(self, self->listener)) {
        int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);

        pthread_mutex_lock(&self->lock);
        self->connections++;
        pthread_mutex_unlock(&self->lock);
        serve_connection(self, fd);
        close(fd);
    }
    return NULL;
}

static void serve_connection(struct fake_broker *self, int fd)
{
    while (read_request(self, fd)) {
        size_t index;

        pthread_mutex_lock(&self->lock);
        index = (size_t)self->requests++;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
        if (index >= self->step_count)
            index = self->step_count - 1;
        if (!act(self, fd, &self->steps[index]))
            return;
    }
}

static bool read_request(struct fake_broker *self, int fd)
{
    size_t size = 0;

    for (;;) {
        ssize_t got;
        const char *body;
        const char *length;

        if (!readable(self, fd))
            return false;
        got = recv(fd, self->last + size, REQUEST_BYTES_MAX - size, 0);
        if (got <= 0)
            return false;
        size += (size_t)got;
        self->last[size] = '\0';
        body = strstr(self->last, "\r\n\r\n");
        if (body == NULL)
            continue;
        length = strstr(self->last, "Content-Length: ");
        if (length == NULL || length > body)
            return true;
        if (size >= (size_t)(body + 4 - self->last) + strtoul(length + 16, NULL, 10))
            return true;
    }
}

static void send_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        at += sent;
        size -= (size_t)sent;
    }
}

/* False: the connection is to be closed. */
static bool act(struct fake_broker *self, int fd, const struct fake_step *step)
{
    size_t body_size = step->body_size > 0  ? step->body_size
                       : step->body != NULL ? strlen(step->body)
                                            : 0;
    char head[256];
    char byte;

    if (step->act == FAKE_BREAK)
        return false;
    if (step->act == FAKE_HANG) {
        if (readable(self, fd))
            (void)recv(fd, &byte, 1, 0);
        return false;
    }
    (void)snprintf(
        head, sizeof head,
        "HTTP/1.1 %d X\r\nContent-Type: application/proto\r\nContent-Length: %zu\r\n%s%s\r\n",
        step->http_status, body_size, step->field == NULL ? "" : step->field,
        step->field == NULL ? "" : "\r\n");
    send_all(fd, head, strlen(head));
    if (step->act == FAKE_BREAK_HALF) {
        send_all(fd, step->body, body_size / 2);
        return false;
    }
    send_all(fd, step->body, body_size);
    return true;
}
