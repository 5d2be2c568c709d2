/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box.c -- what broker/daemon/broker.c does, without listeners and threads.
 */
#include "box.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/lmdb.h"

#define START_MS INT64_C(1700000000000)
#define MAP_BYTES (UINT64_C(1) << 30)
#define PATIENCE_MS INT64_C(3600000) /* no timeout of the net layer comes into a count */
/* Of a pair, whatever the machine's default: how much comes at once decides how often is read. */
#define SOCKET_BYTES (96 << 10)

static int64_t now_ms(void *context)
{
    return ((struct box *)context)->now_ms;
}

static void on_failure(void *context)
{
    (void)context;
    die("storage failed");
}

static void open_service(struct box *self, const char *directory)
{
    struct store *store;
    struct error error = ERROR_NONE;
    const struct service_options options = {
        .clock = {now_ms, self},
        .limits = limits_default(),
        .stores = &store,
        .shard_count = 1,
        .restart_grace_ms = 10000,
        .stepped = true,
        .on_failure = on_failure,
        .context = self,
        .version = "guard",
    };

    if (store_lmdb_open(directory, MAP_BYTES, &store, &error) != STATUS_OK ||
        service_open(&options, &self->service, &error) != STATUS_OK)
        die("%s", error.message);
}

static void open_loop(struct box *self)
{
    const struct rpc_options rpc_options = {
        .service = self->service,
        .counters = &self->counters,
        .version = "guard",
        .started_unix_ms = self->now_ms,
    };

    rpc_init(&self->rpc, &rpc_options);
    self->net = (struct net_options){
        .rpc = &self->rpc,
        .counters = &self->counters,
        .io_threads = 1,
        .connections_max = INT32_MAX,
        .memory_bytes_max = INT64_MAX,
        .header_timeout_ms = PATIENCE_MS,
        .body_timeout_ms = PATIENCE_MS,
        .idle_timeout_ms = PATIENCE_MS,
        .write_timeout_ms = PATIENCE_MS,
    };
    if (loop_init(&self->loop, &self->net, eventfd(0, EFD_CLOEXEC)) != 0)
        die("no event loop can be made");
}

struct box *box_new(const char *directory)
{
    struct box *self = calloc(1, sizeof *self);

    if (self == NULL)
        die("there is no memory");
    self->now_ms = START_MS;
    open_service(self, directory);
    open_loop(self);
    return self;
}

void box_free(struct box *self)
{
    service_close(self->service);
    loop_order(&self->loop, LOOP_CLOSING);
    uv_run(&self->loop.uv, UV_RUN_DEFAULT);
    close(self->loop.drained_fd);
    loop_deinit(&self->loop);
    free(self);
}

int box_connect(struct box *self)
{
    const int size = SOCKET_BYTES;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0 ||
        setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0)
        die("no pair of sockets can be made");
    counter_add(&self->counters.connections, 1);
    if (!loop_adopt(&self->loop, pair[1]))
        die("the event loop takes no more sockets");
    box_turn(self);
    return pair[0];
}

static void turn(struct box *self)
{
    uv_run(&self->loop.uv, UV_RUN_NOWAIT);
    while (service_step(self->service))
        ;
}

/* callgrind counts what is done between this function's beginning and its end, which must not be
 * a jump to `turn`. */
void box_turn_counted(struct box *self);
__attribute__((noinline)) void box_turn_counted(struct box *self)
{
    turn(self);
    __asm__ volatile("" ::: "memory");
}

void box_turn(struct box *self)
{
    self->now_ms++;
    if (self->is_counted)
        box_turn_counted(self);
    else
        turn(self);
}

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}
