/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.c -- the set of net threads, and their way to the end.
 */
#include "net/net.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/listener.h"
#include "net/loop.h"

struct net {
    struct net_options options;
    struct listener listener;
    struct loop *loops;
    int loop_count; /* initialised */
    int drained_fd;
};

static enum status make_loops(struct net *self, struct error *error);
static enum status start_loops(struct net *self, struct error *error);

enum status net_open(const struct net_options *options, struct net **ret_net, struct error *error)
{
    struct net *self = calloc(1, sizeof *self);
    enum status status;

    ASSERT(options->listen_count >= 1 && options->listen_count <= NET_LISTEN_MAX);
    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "there is no memory for the net threads");
    self->options = *options;
    self->drained_fd = -1;
    status = listener_open(&self->listener, options, error);
    if (status != STATUS_OK) {
        free(self);
        return status;
    }
    status = make_loops(self, error);
    if (status == STATUS_OK)
        status = start_loops(self, error);
    if (status != STATUS_OK) {
        net_close(self);
        return status;
    }
    *ret_net = self;
    return STATUS_OK;
}

static enum status make_loops(struct net *self, struct error *error)
{
    self->drained_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->loops = calloc((size_t)self->options.io_threads, sizeof *self->loops);
    if (self->drained_fd < 0 || self->loops == NULL)
        goto fail;
    for (int i = 0; i < self->options.io_threads; i++) {
        if (loop_init(&self->loops[i], &self->options, self->drained_fd) != 0)
            goto fail;
        self->loop_count++;
    }
    return STATUS_OK;

fail:
    listener_abort(&self->listener);
    return error_set(error, STATUS_UNAVAILABLE, "there is no memory for the net threads");
}

static enum status start_loops(struct net *self, struct error *error)
{
    self->loops[0].listener = &self->listener;
    listener_start(&self->listener, self->loops, self->loop_count);
    for (int i = 0; i < self->loop_count; i++) {
        if (loop_start(&self->loops[i]) != 0)
            return error_set(error, STATUS_UNAVAILABLE, "can't start a net thread");
    }
    return STATUS_OK;
}

const char *net_address(const struct net *self, int index)
{
    ASSERT(index >= 0 && index < self->listener.count);
    return self->listener.sockets[index].address;
}

static void order_all(struct net *self, enum loop_phase phase)
{
    for (int i = 0; i < self->loop_count; i++)
        loop_order(&self->loops[i], phase);
    for (int i = 0; i < self->loop_count; i++) {
        if (self->loops[i].started)
            loop_await(&self->loops[i], phase);
    }
}

void net_drain(struct net *self)
{
    order_all(self, LOOP_DRAINING);
}

int64_t net_connection_count(const struct net *self)
{
    int64_t count = 0;

    for (int i = 0; i < self->loop_count; i++)
        count += atomic_load(&self->loops[i].connection_count);
    return count;
}

int net_drained_fd(const struct net *self)
{
    return self->drained_fd;
}

void net_halt(struct net *self)
{
    order_all(self, LOOP_HALTED);
}

/* A loop whose thread never ran still has to close its handles. */
static void finish(struct loop *self)
{
    if (!self->started)
        (void)loop_start(self);
    if (self->started)
        loop_join(self);
    else
        uv_run(&self->uv, UV_RUN_DEFAULT);
    loop_deinit(self);
}

void net_close(struct net *self)
{
    if (self == NULL)
        return;
    for (int i = 0; i < self->loop_count; i++)
        loop_order(&self->loops[i], LOOP_CLOSING);
    for (int i = 0; i < self->loop_count; i++)
        finish(&self->loops[i]);
    if (self->drained_fd >= 0)
        close(self->drained_fd);
    free(self->loops);
    free(self);
}
