/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_leases.c -- `ackctl bench leases`: what live leases cost, and what a lost worker does.
 *
 *   1  the broker's CPU while nothing happens
 *   2  all tasks are leased, in equal parts, by many sessions, which then heartbeat at the pace the
 *      broker asks for: its CPU; each heartbeat must find all leases of its session
 *   3  a session leases as many tasks of another queue and falls silent. From when it expires until
 *      all its leases are given to another worker counts. Somebody publishes one task after the
 *      other to the first queue, and the longest of these waits counts: before the session expires,
 *      when nothing else happens, and meanwhile. What the disk alone makes of a publish, the first
 *      shows; it has more publishes to choose its worst from
 */
#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "cli/bench/bench.h"
#include "cli/bench/feeder.h"
#include "cli/bench/wire.h"
#include "cli/interrupt.h"

#define SESSION_MS 15000
#define HEARTBEAT_MS (SESSION_MS / 3)
#define LOST_SESSION_MS 2000
#define LONG_SESSION_MS 3600000
#define BATCH_MAX 1000
#define WAIT_MS 10000
#define OTHER_MS 1 /* between two publishes of the other */
#define MS_NS INT64_C(1000000)

enum { CALL_LEASE, CALL_HEARTBEAT, CALL_CLOSE, CALL_PUBLISH };
enum { LEASED_TASKS = 1, HEARTBEAT_LEASED = 3 }; /* of the replies */
enum { LINK_WORKER, LINK_OTHER, LINK_COUNT };

/* A session and its requests. */
struct holder {
    struct request lease;
    struct request heartbeat;
    struct request close;
    int64_t wanted;
    int64_t held;
    int64_t heard_ns; /* when the broker last answered a heartbeat */
};

struct leases {
    struct bench *bench;
    struct feeder feeder;
    struct feeder lost_feeder;
    struct holder *holders;
    size_t holder_count;
    struct holder loser; /* falls silent */
    struct holder taker; /* gets its leases */
    char lost_queue[BENCH_QUEUE_MAX];
    struct request publish; /* the other's */

    size_t next; /* holder to heartbeat */
    int64_t due_ns;
    int64_t until_ns;
    int64_t lost_ns;         /* when the loser's session expires */
    int64_t worst_before_ns; /* of the other's publishes that were answered by then */
    int64_t worst_ns;        /* of those after */
};

static void init_holder(struct bench *bench, struct holder *self, const char *queue, char *session,
                        int64_t wait_ms)
{
    Ackd__V1__LeaseRequest lease = ACKD__V1__LEASE_REQUEST__INIT;
    Ackd__V1__HeartbeatRequest heartbeat = ACKD__V1__HEARTBEAT_REQUEST__INIT;
    Ackd__V1__CloseSessionRequest close = ACKD__V1__CLOSE_SESSION_REQUEST__INIT;

    lease.queue = (char *)queue;
    lease.session_id = heartbeat.session_id = close.session_id = session;
    lease.max_tasks = self->wanted < BATCH_MAX ? (int32_t)self->wanted : BATCH_MAX;
    lease.wait_ms = wait_ms;
    request_init(&self->lease, bench->target.lines, "TaskService/Lease");
    request_add(&self->lease, &lease.base);
    request_init(&self->heartbeat, bench->target.lines, "SessionService/Heartbeat");
    request_add(&self->heartbeat, &heartbeat.base);
    request_init(&self->close, bench->target.lines, "SessionService/Close");
    request_add(&self->close, &close.base);
}

static void deinit_holder(struct holder *self)
{
    request_deinit(&self->lease);
    request_deinit(&self->heartbeat);
    request_deinit(&self->close);
}

static enum exit_code open_holder(struct bench *bench, struct holder *self, const char *queue,
                                  int64_t wanted, int64_t session_ms, int64_t wait_ms)
{
    char *session;
    enum exit_code code = bench_open_session(bench, queue, session_ms, &session);

    self->wanted = wanted;
    self->heard_ns = monotonic_ns();
    if (code == EXIT_OK)
        init_holder(bench, self, queue, session, wait_ms);
    return code;
}

static enum exit_code begin(struct bench *bench)
{
    struct leases *self = bench->state;
    size_t batch = feeder_fill_batch(bench->payload_bytes);
    enum exit_code code = bench_connect(bench, LINK_COUNT);

    if (code == EXIT_OK)
        code = bench_make_queue(bench, "lost", self->lost_queue);
    if (code != EXIT_OK)
        return code;
    self->bench = bench;
    self->holder_count = (size_t)cli_number(bench->cli, "sessions");
    self->holders = CLI_ARRAY(bench->cli, self->holder_count, struct holder);
    feeder_init(&self->feeder, bench, bench->queue, batch, false);
    feeder_init(&self->lost_feeder, bench, self->lost_queue, batch, false);
    feeder_make_request(bench, bench->queue, 1, false, &self->publish);
    code = feeder_run(&self->feeder, bench->tasks, INT64_MAX);
    return code == EXIT_OK ? feeder_run(&self->lost_feeder, bench->tasks, INT64_MAX) : code;
}

static void end(struct bench *bench)
{
    struct leases *self = bench->state;

    for (size_t i = 0; i < self->holder_count; i++)
        deinit_holder(&self->holders[i]);
    deinit_holder(&self->loser);
    deinit_holder(&self->taker);
    feeder_deinit(&self->feeder);
    feeder_deinit(&self->lost_feeder);
    request_deinit(&self->publish);
}

/* The broker's CPU, as a share of one core, over so much time in which `run` goes on. */
static enum exit_code measure_cpu(struct leases *self, enum exit_code (*run)(struct leases *self),
                                  double *ret_share)
{
    struct target_sample before, after;
    enum exit_code code = target_sample(&self->bench->target, &before);

    if (code == EXIT_OK)
        code = run(self);
    if (code == EXIT_OK)
        code = target_sample(&self->bench->target, &after);
    if (code == EXIT_OK)
        *ret_share = (after.cpu_s - before.cpu_s) * 1e9 / (double)(after.at_ns - before.at_ns);
    return code;
}

static enum exit_code run_idle(struct leases *self)
{
    interrupt_sleep(self->bench->time_ns / MS_NS);
    return interrupt_came() ? interrupt_exit_code() : EXIT_OK;
}

static size_t count_tasks(struct slice reply)
{
    struct wire_field field;
    size_t count = 0;

    while (wire_next(&reply, &field))
        count += field.number == LEASED_TASKS;
    return count;
}

/* Leases one batch after the other until the holder has what it wants; keeps its session meanwhile.
 * What holds the link's `user`. */
static void on_leased(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct holder *holder = link->user;

    if (reply->tag == CALL_HEARTBEAT) {
        holder->heard_ns = load->now_ns;
        return;
    }
    holder->held += (int64_t)count_tasks(reply->body);
    if (load->now_ns - holder->heard_ns > LOST_SESSION_MS * MS_NS / 4) {
        holder->heard_ns = load->now_ns;
        load_queue(load, link, request_seal(&holder->heartbeat), CALL_HEARTBEAT);
    }
    if (holder->held < holder->wanted)
        load_queue(load, link, request_seal(&holder->lease), CALL_LEASE);
    else
        load_queue(load, link, request_seal(&holder->heartbeat), CALL_HEARTBEAT);
    load_flush(load, link);
}

static enum exit_code lease_all(struct leases *self, struct holder *holder)
{
    struct load *load = &self->bench->load;
    struct link *link = &load->links[LINK_WORKER];

    load->replied = on_leased;
    load->context = self;
    load->now_ns = monotonic_ns();
    link->user = holder;
    load_send(load, link, request_seal(&holder->lease), CALL_LEASE);
    return load_run(load);
}

static enum exit_code lease_parts(struct leases *self)
{
    int64_t part = self->bench->tasks / (int64_t)self->holder_count;
    enum exit_code code = EXIT_OK;

    for (size_t i = 0; i < self->holder_count && code == EXIT_OK; i++) {
        code = open_holder(self->bench, &self->holders[i], self->bench->queue, part, SESSION_MS, 0);
        if (code == EXIT_OK)
            code = lease_all(self, &self->holders[i]);
    }
    return code;
}

static int64_t count_held(const struct leases *self)
{
    int64_t count = 0;

    for (size_t i = 0; i < self->holder_count; i++)
        count += self->holders[i].held;
    return count;
}

/* One holder's heartbeat at each tick, so that each has its turn every HEARTBEAT_MS; to the end of
 * the time measured. */
static void on_beat(struct load *load)
{
    struct leases *self = load->context;
    struct link *link = &load->links[LINK_WORKER];

    if (load->now_ns >= self->until_ns)
        return;
    if (link_in_flight(link) < LINK_DEPTH_MAX)
        load_send(load, link, request_seal(&self->holders[self->next].heartbeat), (int)self->next);
    self->next = (self->next + 1) % self->holder_count;
    self->due_ns += HEARTBEAT_MS * MS_NS / (int64_t)self->holder_count;
    load_wake(load, self->due_ns < self->until_ns ? self->due_ns : self->until_ns);
}

static void on_beaten(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct leases *self = load->context;
    int64_t held = (int64_t)wire_number(reply->body, HEARTBEAT_LEASED);

    (void)link;
    if (held == self->holders[reply->tag].held)
        return;
    complain("a session holds %lld leases, but the broker knows of %lld",
             (long long)self->holders[reply->tag].held, (long long)held);
    load_fail(load, EXIT_REFUSED);
}

static enum exit_code run_heartbeats(struct leases *self)
{
    struct load *load = &self->bench->load;

    load->replied = on_beaten;
    load->ticked = on_beat;
    load->context = self;
    self->due_ns = monotonic_ns();
    self->until_ns = self->due_ns + self->bench->time_ns;
    load_wake(load, self->due_ns);
    return load_run(load);
}

static void ignore(struct load *load, struct link *link, const struct link_reply *reply)
{
    (void)load, (void)link, (void)reply;
}

/* So that they don't expire in the middle of what comes next. */
static enum exit_code close_holders(struct leases *self)
{
    struct load *load = &self->bench->load;
    enum exit_code code = EXIT_OK;

    load->replied = ignore;
    for (size_t i = 0; i < self->holder_count && code == EXIT_OK; i++) {
        load_send(load, &load->links[LINK_WORKER], request_seal(&self->holders[i].close),
                  CALL_CLOSE);
        code = load_run(load);
    }
    return code;
}

static void publish_other(struct load *load)
{
    struct leases *self = load->context;

    load_send(load, &load->links[LINK_OTHER], request_seal(&self->publish), CALL_PUBLISH);
}

static void note_publish(struct leases *self, int64_t now_ns, int64_t latency_ns)
{
    int64_t *worst_ns = now_ns < self->lost_ns ? &self->worst_before_ns : &self->worst_ns;

    if (latency_ns > *worst_ns)
        *worst_ns = latency_ns;
}

/* The taker leases what comes back; the other publishes. */
static void on_taken(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct leases *self = load->context;

    if (reply->tag == CALL_PUBLISH) {
        note_publish(self, load->now_ns, reply->latency_ns);
        load_wake(load, load->now_ns + OTHER_MS * MS_NS);
        return;
    }
    self->taker.held += (int64_t)count_tasks(reply->body);
    if (self->taker.held < self->loser.held)
        load_send(load, link, request_seal(&self->taker.lease), CALL_LEASE);
    else
        load_stop(load);
}

static enum exit_code take_again(struct leases *self)
{
    struct load *load = &self->bench->load;

    load->replied = on_taken;
    load->ticked = publish_other;
    load->context = self;
    load->now_ns = monotonic_ns();
    self->lost_ns = self->loser.heard_ns + LOST_SESSION_MS * MS_NS;
    load_send(load, &load->links[LINK_WORKER], request_seal(&self->taker.lease), CALL_LEASE);
    publish_other(load);
    return load_run(load);
}

static enum exit_code measure_lost(struct leases *self, struct figures *figures)
{
    struct bench *bench = self->bench;
    enum exit_code code =
        open_holder(bench, &self->taker, self->lost_queue, bench->tasks, LONG_SESSION_MS, WAIT_MS);

    if (code == EXIT_OK)
        code = open_holder(bench, &self->loser, self->lost_queue, self->lost_feeder.stored,
                           LOST_SESSION_MS, 0);
    if (code == EXIT_OK)
        code = lease_all(self, &self->loser);
    if (code == EXIT_OK)
        code = take_again(self);
    figures_set(figures, FIGURE_LOST, (double)self->loser.held);
    figures_set(figures, FIGURE_LOST_AGAIN, (double)(bench->load.now_ns - self->lost_ns) / 1e3);
    figures_set(figures, FIGURE_OTHERS_WORST, (double)self->worst_ns / 1e3);
    figures_set(figures, FIGURE_OTHERS_BEFORE, (double)self->worst_before_ns / 1e3);
    return code;
}

static enum exit_code run_round(struct bench *bench, struct figures *figures)
{
    struct leases *self = bench->state;
    double idle = 0, beating = 0;
    struct target_sample sample;
    enum exit_code code = measure_cpu(self, run_idle, &idle);

    if (code == EXIT_OK)
        code = lease_parts(self);
    if (code == EXIT_OK)
        code = measure_cpu(self, run_heartbeats, &beating);
    if (code == EXIT_OK)
        code = target_sample(&bench->target, &sample);
    if (code != EXIT_OK)
        return code;
    figures_set(figures, FIGURE_SESSIONS, (double)self->holder_count);
    figures_set(figures, FIGURE_LEASES, (double)count_held(self));
    figures_set(figures, FIGURE_IDLE_SHARE, idle);
    figures_set(figures, FIGURE_BEATING_SHARE, beating);
    figures_set(figures, FIGURE_RSS, (double)sample.rss_bytes);
    if (sample.anonymous_bytes >= 0)
        figures_set(figures, FIGURE_ANONYMOUS, (double)sample.anonymous_bytes);
    code = close_holders(self);
    return code == EXIT_OK ? measure_lost(self, figures) : code;
}

static const struct scenario scenario = {
    .name = "leases",
    .state_size = sizeof(struct leases),
    .begin = begin,
    .round = run_round,
    .end = end,
};

static enum exit_code run(struct cli *cli)
{
    return bench_run(cli, &scenario);
}

const struct command command_bench_leases = {
    .name = "bench leases",
    .summary = "measure what live leases cost, and how soon a lost worker's tasks come back",
    .description =
        "Leases `--tasks` in equal parts by `--sessions` that then heartbeat, and tells the "
        "broker's CPU beside that of doing nothing. Then one session leases as many tasks and "
        "falls silent: from when it expires until another worker has leased all of them again "
        "counts, and the longest time that somebody else's publish took meanwhile, beside the "
        "longest just before, which is the disk's own.",
    .options = (const struct option_spec[]){BENCH_SPAWN,
                                            BENCH_TLS,
                                            BENCH_DIR,
                                            BENCH_PAYLOAD,
                                            BENCH_TASKS("100000", "to lease"),
                                            {"sessions", 0, OPTION_NUMBER, "N", "100",
                                             "that hold them", 1, 10000},
                                            BENCH_TIME("10s"),
                                            {NULL}},
    .run = run,
};
