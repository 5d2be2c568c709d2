/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.c -- a net thread.
 *
 * uv_async_send merges calls, so a wake-up looks at everything: sockets, letters, phase. What the
 * wake-up is about was put under a mutex before it, which gives the order that libuv 1.44's
 * relaxed flag alone does not.
 *
 *   SERVING --> DRAINING --> HALTED --> CLOSING --> thread ends
 *
 * At CLOSING the service has posted every letter: the mailbox is drained, after which no exchange
 * is in flight, and the handles are closed. uv_run returns when the last one is.
 */
#include "net/loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "net/connection.h"
#include "net/exchange.h"
#include "net/listener.h"

static void on_wake(uv_async_t *async);
static void wake(void *context);
static void *run(void *context);

static void free_buffers(struct loop *self)
{
    free(self->read_buffer);
    free(self->open_buffer);
}

static bool make_buffers(struct loop *self)
{
    bool sealed = self->options->tls != NULL;

    self->read_buffer = malloc(LOOP_READ_BYTES);
    self->open_buffer = sealed ? malloc(LOOP_OPEN_BYTES) : NULL;
    if (self->read_buffer != NULL && (!sealed || self->open_buffer != NULL))
        return true;
    free_buffers(self);
    return false;
}

int loop_init(struct loop *self, const struct net_options *options, int drained_fd)
{
    int code;

    *self = (struct loop){
        .options = options,
        .drained_fd = drained_fd,
        .dated_ms = -1,
        .limits = {.body_bytes_max = rpc_body_bytes_max(options->rpc),
                   .memory_bytes_max = options->memory_bytes_max,
                   .memory_bytes = &options->counters->request_bytes,
                   .memory_refused = &options->counters->limited[LIMITED_request_memory],
                   .spare = &self->request_spare,
                   .stops_at_heads = rpc_admits(options->rpc)},
    };
    if (!make_buffers(self))
        return UV_ENOMEM;
    code = uv_loop_init(&self->uv);
    if (code != 0) {
        free_buffers(self);
        return code;
    }
    code = uv_async_init(&self->uv, &self->wake, on_wake);
    ASSERT(code == 0);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->phase_changed, NULL);
    mailbox_init(&self->mailbox, wake, self);
    timeouts_init(&self->timeouts, &self->uv, connection_expired);
    handshakes_init(&self->handshakes, options);
    list_init(&self->connections);
    list_init(&self->exchanges);
    list_init(&self->exchanges_spare);
    list_init(&self->held);
    return 0;
}

void loop_deinit(struct loop *self)
{
    exchange_free_spare(self);
    http_request_discard(self->request_spare);
    timeouts_deinit(&self->timeouts);
    mailbox_deinit(&self->mailbox);
    pthread_cond_destroy(&self->phase_changed);
    pthread_mutex_destroy(&self->mutex);
    uv_loop_close(&self->uv);
    free_buffers(self);
}

int loop_start(struct loop *self)
{
    int code = pthread_create(&self->thread, NULL, run, self);

    self->started = code == 0;
    return code == 0 ? 0 : uv_translate_sys_error(code);
}

static void wake(void *context)
{
    uv_async_send(&((struct loop *)context)->wake);
}

bool loop_adopt(struct loop *self, int socket)
{
    bool room;

    pthread_mutex_lock(&self->mutex);
    room = self->inbox_count < LOOP_INBOX_MAX;
    if (room)
        self->inbox[self->inbox_count++] = socket;
    pthread_mutex_unlock(&self->mutex);
    if (room) {
        atomic_fetch_add(&self->connection_count, 1);
        wake(self);
    }
    return room;
}

void loop_order(struct loop *self, enum loop_phase phase)
{
    pthread_mutex_lock(&self->mutex);
    ASSERT(phase >= self->phase_wanted);
    self->phase_wanted = phase;
    pthread_mutex_unlock(&self->mutex);
    wake(self);
}

void loop_await(struct loop *self, enum loop_phase phase)
{
    pthread_mutex_lock(&self->mutex);
    while (self->phase_reached < phase)
        pthread_cond_wait(&self->phase_changed, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
}

void loop_join(struct loop *self)
{
    pthread_join(self->thread, NULL);
    self->started = false;
}

static void *run(void *context)
{
    struct loop *self = context;

    uv_run(&self->uv, UV_RUN_DEFAULT);
    return NULL;
}

static void adopt_sockets(struct loop *self)
{
    int sockets[LOOP_INBOX_MAX];
    int count;

    pthread_mutex_lock(&self->mutex);
    count = self->inbox_count;
    memcpy(sockets, self->inbox, (size_t)count * sizeof *sockets);
    self->inbox_count = 0;
    pthread_mutex_unlock(&self->mutex);
    for (int i = 0; i < count; i++)
        connection_open(self, sockets[i]);
}

static void enter_draining(struct loop *self)
{
    if (self->listener != NULL)
        listener_close(self->listener);
    LIST_EACH_SAFE (link, &self->connections)
        connection_drain(connection_of(link));
    if (counter_get(&self->options->counters->connections) == 0)
        eventfd_write(self->drained_fd, 1);
}

static void enter_closing(struct loop *self)
{
    LIST_EACH_SAFE (link, &self->connections)
        connection_close(connection_of(link));
    ASSERT(list_is_empty(&self->exchanges)); /* every letter has come */
    timeouts_close(&self->timeouts);
    uv_close((uv_handle_t *)&self->wake, NULL);
}

static void enter(struct loop *self, enum loop_phase phase)
{
    self->phase = phase;
    if (phase == LOOP_DRAINING)
        enter_draining(self);
    else if (phase == LOOP_CLOSING)
        enter_closing(self);
}

static void on_wake(uv_async_t *async)
{
    struct loop *self = CONTAINER_OF(async, struct loop, wake);
    enum loop_phase wanted;

    adopt_sockets(self);
    pthread_mutex_lock(&self->mutex);
    wanted = self->phase_wanted;
    pthread_mutex_unlock(&self->mutex);
    mailbox_drain(&self->mailbox); /* after that: all letters are there before CLOSING is wanted */
    if (wanted == self->phase)
        return;
    while (self->phase < wanted)
        enter(self, self->phase + 1);
    pthread_mutex_lock(&self->mutex);
    self->phase_reached = wanted;
    pthread_cond_broadcast(&self->phase_changed);
    pthread_mutex_unlock(&self->mutex);
}

int64_t loop_now_ms(const struct loop *self)
{
    return (int64_t)uv_now(&self->uv);
}

const char *loop_date(struct loop *self)
{
    int64_t now_s;
    time_t time;
    struct tm parts;

    if (self->dated_ms == loop_now_ms(self)) /* one look at the clock for all replies of a round */
        return self->date;
    self->dated_ms = loop_now_ms(self);
    now_s = clock_wall_ms() / 1000;
    time = (time_t)now_s;
    if (now_s != self->date_s) {
        self->date_s = now_s;
        gmtime_r(&time, &parts);
        strftime(self->date, sizeof self->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    }
    return self->date;
}

void loop_forget(struct loop *self)
{
    int64_t before = atomic_fetch_sub(&self->options->counters->connections, 1);

    atomic_fetch_sub(&self->connection_count, 1);
    if (before == 1 && self->phase >= LOOP_DRAINING)
        eventfd_write(self->drained_fd, 1);
}
