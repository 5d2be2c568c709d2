/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.c -- a client's socket, from its first byte to its end: pieces, pauses, pipelining,
 * replies that nobody takes, half-closed and closed in the middle of anything.
 *
 * Input: the number of steps (1 byte), the steps (2 bytes each: what, how much), then what the
 * client sends. After the last step the rest is sent and every reply taken.
 *
 *   F1  What comes back is well-formed HTTP/1.1, reply by reply, as many as were counted; none is
 *       cut short unless the client left, and nothing that was sent is left lying. Replies to HEAD
 *       look as if they were cut short: they are not looked at.
 *   F2  When the connection has gone, nothing stays counted: no memory, no call, no connection.
 */
#include "net/connection.h"

#include <errno.h>
#include <llhttp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/loop.h"
#include "script.h"
#include "service/service.h"

#define LONG_MS (INT64_C(3600) * 1000)
#define ROUNDS 3          /* of the loop after each step; what is not done then is done later */
#define ROUNDS_MAX 100000 /* a connection that never ends is a bug */
#define SEND_BUFFER_BYTES 4096 /* small, so that replies get stuck */

enum step {
    STEP_SEND,
    STEP_SEND_MORE,
    STEP_TAKE,
    STEP_PASS, /* time: long polls end */
    STEP_WORK, /* another client publishes: long polls end with a task */
    STEP_HALF_CLOSE,
    STEP_CLOSE,
    STEP_COUNT
};

struct scene {
    struct rig *rig;
    struct net_options options;
    struct loop loop;
    int client; /* -1: it has left */
    bool says_no_more;
    bool asks_for_heads; /* perhaps */
    llhttp_t parser;     /* of the replies */
    int64_t replies;
    struct slice unsent;
};

static int on_reply(llhttp_t *parser)
{
    ((struct scene *)parser->data)->replies += parser->status_code >= 200;
    return 0;
}

static const llhttp_settings_t reply_settings = {.on_message_complete = on_reply};

static void open_scene(struct scene *self, struct slice unsent)
{
    int size = SEND_BUFFER_BYTES;
    int ends[2];

    *self = (struct scene){.rig = rig_open(), .unsent = unsent};
    self->asks_for_heads = unsent.size > 0 && memmem(unsent.data, unsent.size, "HEAD", 4) != NULL;
    script_run(self->rig, slice_of_string("QueueService/Create {\"name\":\"q\"}\n"));
    self->options = (struct net_options){
        .rpc = &self->rig->rpc,
        .counters = &self->rig->counters,
        .memory_bytes_max = 1 << 20,
        .header_timeout_ms = LONG_MS,
        .body_timeout_ms = LONG_MS,
        .idle_timeout_ms = LONG_MS,
        .write_timeout_ms = LONG_MS,
    };
    CHECK(loop_init(&self->loop, &self->options, -1) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    self->client = ends[0];
    counter_add(&self->rig->counters.connections, 1); /* as the listener does */
    CHECK(loop_adopt(&self->loop, ends[1]));
    llhttp_init(&self->parser, HTTP_RESPONSE, &reply_settings);
    self->parser.data = self;
}

static void run(struct scene *self)
{
    for (int i = 0; i < ROUNDS; i++) {
        uv_run(&self->loop.uv, UV_RUN_NOWAIT);
        rig_run(self->rig);
    }
}

static void leave(struct scene *self)
{
    if (self->client >= 0)
        close(self->client);
    self->client = -1;
}

/* Sends a piece; the socket may have no room, or be closed by the broker. */
static bool send_piece(struct scene *self, size_t size)
{
    struct slice piece = slice_of(self->unsent.data, self->unsent.size);
    ssize_t sent;

    if (size < piece.size)
        piece.size = size;
    if (self->client < 0 || self->says_no_more || piece.size == 0)
        return false;
    sent = send(self->client, piece.data, piece.size, MSG_NOSIGNAL);
    if (sent <= 0)
        return false;
    (void)take_bytes(&self->unsent, (size_t)sent);
    return true;
}

/* Takes up to `size` bytes of replies. False: there are none now. */
static bool take_replies(struct scene *self, size_t size)
{
    char bytes[4096];
    ssize_t taken = self->client < 0
                        ? 0
                        : recv(self->client, bytes, size < sizeof bytes ? size : sizeof bytes, 0);

    if (taken <= 0)
        return false;
    if (!self->asks_for_heads)
        CHECK(llhttp_execute(&self->parser, bytes, (size_t)taken) == HPE_OK); /* F1 */
    return true;
}

static void take_step(struct scene *self, enum step step, uint8_t size)
{
    if (step == STEP_SEND)
        send_piece(self, (size_t)size + 1);
    else if (step == STEP_SEND_MORE)
        send_piece(self, ((size_t)size + 1) * 64);
    else if (step == STEP_TAKE)
        take_replies(self, (size_t)size + 1);
    else if (step == STEP_PASS)
        rig_pass(self->rig, (int64_t)size * 1000);
    else if (step == STEP_WORK)
        script_run(self->rig,
                   slice_of_string("TaskService/Publish {\"queue\":\"q\",\"tasks\":[{}]}"));
    else if (step == STEP_CLOSE)
        leave(self);
    else if (self->client >= 0)
        self->says_no_more = shutdown(self->client, SHUT_WR) == 0;
    run(self);
}

/* Sends and takes until neither goes on, then lets time pass once for what waits. */
static void finish(struct scene *self)
{
    for (int passes = 0; passes < 2; passes++) {
        for (int i = 0, idle = 0; idle < 2; i++) {
            bool busy = send_piece(self, SIZE_MAX);

            CHECK(i < ROUNDS_MAX);
            run(self);
            busy |= take_replies(self, SIZE_MAX);
            idle = busy ? 0 : idle + 1;
        }
        rig_pass(self->rig, 60000);
        run(self);
    }
}

static void check_replies(struct scene *self) /* F1 */
{
    struct counters *counters = &self->rig->counters;
    struct face_stats stats;

    if (self->client < 0 || self->asks_for_heads)
        return;
    CHECK(llhttp_finish(&self->parser) == HPE_OK);
    LIST_EACH (link, &self->loop.connections) {
        const struct connection *connection = connection_of(link);

        CHECK(connection->state == CONNECTION_READING || connection->state == CONNECTION_LINGERING);
        CHECK(connection->waiting.size == 0); /* all that came was dealt with */
    }
    counters_sum(counters, &stats);
    CHECK(self->replies == stats.requests - self->rig->desk.answered); /* of the other client */
}

static void close_scene(struct scene *self)
{
    struct counters *counters = &self->rig->counters;

    leave(self);
    run(self);
    loop_order(&self->loop, LOOP_HALTED);
    run(self);
    service_drain(self->rig->service);
    run(self);
    CHECK(list_is_empty(&self->loop.exchanges));
    loop_order(&self->loop, LOOP_CLOSING);
    for (int i = 0; uv_run(&self->loop.uv, UV_RUN_NOWAIT) != 0; i++)
        CHECK(i < ROUNDS_MAX);
    CHECK(list_is_empty(&self->loop.connections)); /* F2 */
    CHECK(counter_get(&counters->connections) == 0);
    CHECK(counter_get(&counters->request_bytes) == 0);
    CHECK(counter_get(&counters->in_flight) == 0);
    loop_deinit(&self->loop);
    rig_close(self->rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool bounded;
    struct slice input = slice_of(data, size);
    struct slice steps = take_bytes(&input, (size_t)2 * (take_u8(&input) % 64));
    struct scene scene;

    if (!bounded)
        codec_bound_json_memory();
    bounded = true;
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    open_scene(&scene, input);
    while (steps.size > 0) {
        enum step step = (enum step)(take_u8(&steps) % STEP_COUNT);

        take_step(&scene, step, take_u8(&steps));
    }
    finish(&scene);
    check_replies(&scene);
    close_scene(&scene);
    return 0;
}
