/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c -- the load generator's loop.
 */
#include "cli/bench/load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "cli/cli.h"
#include "cli/interrupt.h"

#define EVENTS_MAX 256
#define INTERRUPT_MS 100 /* how soon Ctrl-C is seen while nothing happens */
#define SECOND_NS INT64_C(1000000000)

int64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

double own_cpu_s(void)
{
    struct timespec cpu;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
}

static bool watch(struct load *self, int operation, int file, uint32_t events, void *user)
{
    struct epoll_event event = {.events = events, .data.ptr = user};

    return epoll_ctl(self->epoll, operation, file, &event) == 0;
}

static enum exit_code tell_not_connected(size_t number, size_t count)
{
    if (errno == EINTR && interrupt_came())
        return interrupt_exit_code();
    if (errno == EMFILE || errno == ENFILE) {
        complain("only %zu of %zu connections: the limit of open files is too low; raise it with "
                 "`ulimit -n`",
                 number, count);
        return EXIT_REFUSED;
    }
    complain("connection %zu of %zu: %s", number + 1, count, strerror(errno));
    return EXIT_NOT_REACHED;
}

enum exit_code load_open(struct load *self, const struct address *address, size_t count)
{
    *self = (struct load){.code = EXIT_OK};
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    self->links = calloc(count, sizeof *self->links);
    self->shared = malloc(LINK_READ_BYTES);
    if (self->links == NULL || self->shared == NULL) {
        complain("out of memory");
        return EXIT_REFUSED;
    }
    if (!watch(self, EPOLL_CTL_ADD, self->timer, EPOLLIN, NULL))
        return tell_not_connected(0, count);
    for (size_t i = 0; i < count; i++) {
        self->links[i] = (struct link){.socket = -1, .index = i};
        if (!link_open(&self->links[i], address) ||
            !watch(self, EPOLL_CTL_ADD, self->links[i].socket, EPOLLIN, &self->links[i]))
            return tell_not_connected(i, count);
        self->count++;
    }
    self->now_ns = monotonic_ns();
    return EXIT_OK;
}

void load_close(struct load *self)
{
    if (self->shared == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        link_close(&self->links[i]);
    close(self->timer);
    close(self->epoll);
    free(self->links);
    free(self->shared);
    *self = (struct load){0};
}

static void tell_link(struct load *self, enum link_state state)
{
    if (state == LINK_ENDED)
        complain("the broker closed a connection");
    else if (state == LINK_NOT_HTTP)
        complain("what the broker sent is no HTTP reply to what was asked");
    else
        complain("a connection failed: %s", strerror(errno));
    load_fail(self, EXIT_NOT_REACHED);
}

/* epoll watches for room in the socket as long as the link has something to send. */
static void mind(struct load *self, struct link *link, bool wanted_out, enum link_state state)
{
    uint32_t events = EPOLLIN | (link->wants_out ? EPOLLOUT : 0);

    if (state != LINK_FINE)
        tell_link(self, state);
    else if (link->wants_out != wanted_out)
        watch(self, EPOLL_CTL_MOD, link->socket, events, link);
}

void load_queue(struct load *self, struct link *link, struct slice request, int tag)
{
    link_queue(link, request, tag, self->now_ns);
    self->in_flight++;
}

void load_flush(struct load *self, struct link *link)
{
    bool wanted_out = link->wants_out;
    enum link_state state = link_flush(link);

    mind(self, link, wanted_out, state);
}

void load_send(struct load *self, struct link *link, struct slice request, int tag)
{
    load_queue(self, link, request, tag);
    load_flush(self, link);
}

void load_wake(struct load *self, int64_t at_ns)
{
    struct itimerspec time = {
        .it_value = {.tv_sec = at_ns / SECOND_NS, .tv_nsec = at_ns % SECOND_NS}};

    timerfd_settime(self->timer, TFD_TIMER_ABSTIME, &time, NULL);
    self->waits = true;
}

void load_stop(struct load *self)
{
    self->stopped = true;
}

void load_fail(struct load *self, enum exit_code code)
{
    if (self->code == EXIT_OK)
        self->code = code;
}

static void on_replied(void *context, struct link *link, const struct link_reply *reply)
{
    struct load *self = context;

    self->in_flight--;
    if (self->code != EXIT_OK)
        return;
    if (reply->http_status == 200) {
        self->replied(self, link, reply);
        return;
    }
    complain("the broker answered %d: %.*s", reply->http_status,
             (int)(reply->body.size < 400 ? reply->body.size : 400),
             (const char *)reply->body.data);
    load_fail(self, EXIT_REFUSED);
}

static void on_link(struct load *self, struct link *link, uint32_t events)
{
    enum link_state state = LINK_FINE;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        state = link_read(link, self->shared, self->now_ns, on_replied, self);
    if (state != LINK_FINE)
        tell_link(self, state);
    else if (events & EPOLLOUT)
        load_flush(self, link);
}

static void on_timer(struct load *self)
{
    uint64_t expirations;

    if (read(self->timer, &expirations, sizeof expirations) != sizeof expirations)
        return;
    self->waits = false;
    self->ticked(self);
}

static void on_events(struct load *self, const struct epoll_event *events, int count)
{
    self->now_ns = monotonic_ns();
    for (int i = 0; i < count && self->code == EXIT_OK; i++) {
        if (events[i].data.ptr == NULL)
            on_timer(self);
        else
            on_link(self, events[i].data.ptr, events[i].events);
    }
}

enum exit_code load_run(struct load *self)
{
    struct epoll_event events[EVENTS_MAX];

    while (self->code == EXIT_OK && !self->stopped && (self->in_flight > 0 || self->waits)) {
        int count = epoll_wait(self->epoll, events, EVENTS_MAX, INTERRUPT_MS);

        ASSERT(count >= 0 || errno == EINTR);
        if (interrupt_came())
            load_fail(self, interrupt_exit_code());
        on_events(self, events, count);
    }
    self->stopped = false;
    self->now_ns = monotonic_ns();
    return self->code;
}
