/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.c -- starts, serves batch by batch, and dies.
 */
#include "broker.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "company.h"
#include "model/audit.h"
#include "sim.h"

#define AUDIT_EVERY 8 /* batches; and after all that goes wrong */
#define DEATH_BATCH_MAX 40

static void run_batch(struct sim *sim, struct event *event);
static void boot(struct sim *sim, struct event *event);

struct shard *broker_shard(struct broker *self)
{
    return self->service->shards[0];
}

/* Letters are opened as soon as they are posted. */
static void open_letters(void *context)
{
    mailbox_drain(&((struct broker *)context)->mailbox);
}

static struct limits draw_limits(struct sim *sim)
{
    struct limits limits = limits_default();

    if (!sim->weather.tiny_limits)
        return limits;
    limits.payload_bytes_max = 3700;
    limits.sessions_max = chance_between(&sim->chance, 2, 5);
    limits.waiters_max = chance_between(&sim->chance, 1, 3);
    return limits;
}

void broker_init(struct sim *sim)
{
    struct broker *self = &sim->broker;

    ASSERT(store_mem_open(&self->store) == STATUS_OK);
    mailbox_init(&self->mailbox, open_letters, self);
    list_init(&self->visits);
    list_init(&self->kept_back);
    event_init(&self->batch, run_batch);
    event_init(&self->boot, boot);
    self->limits = draw_limits(sim);
}

void broker_start(struct sim *sim)
{
    struct broker *self = &sim->broker;
    struct error error = ERROR_NONE;
    struct service_options options = {
        .limits = self->limits,
        .stores = &self->store,
        .shard_count = 1,
        .restart_grace_ms = BROKER_GRACE_MS,
        .stepped = true,
        .version = "sim",
    };

    store_mem_crash(self->store);
    machine_boot();
    options.clock = clock_real();
    if (service_open(&options, &self->service, &error) != STATUS_OK)
        story_fail("the broker does not start: %s", error.message);
    rpc_init(&self->rpc, &(struct rpc_options){.service = self->service,
                                               .counters = &self->counters,
                                               .version = "sim"});
    self->draining = false;
    self->dying = false;
}

static void free_visit(struct visit *visit)
{
    list_remove(&visit->link);
    buffer_deinit(&visit->request.reply);
    arena_deinit(&visit->arena);
    arena_deinit(&visit->own);
    free(visit);
}

/* Takes the service from its store, as the end of a process does: nothing is finished. */
static void end_process(struct sim *sim)
{
    struct broker *self = &sim->broker;
    struct shard *shard = broker_shard(self);

    self->dying = true;
    schedule_cancel(&sim->schedule, &self->batch);
    self->hurries = false;
    shard->failed = true; /* no batch touches the store any more */
    wait_drain(shard);
    shard_step(shard);
    while (list_take_first(&shard->inbox) != NULL)
        ;
    shard->store = NULL;
    service_close(self->service);
    self->service = NULL;
    LIST_EACH_SAFE (link, &self->visits)
        free_visit(CONTAINER_OF(link, struct visit, link));
}

void broker_deinit(struct sim *sim)
{
    struct broker *self = &sim->broker;

    end_process(sim);
    store_mem_crash(self->store);
    store_close(self->store);
    mailbox_deinit(&self->mailbox);
}

static void boot(struct sim *sim, struct event *event)
{
    (void)event;
    broker_start(sim);
    story_tell("the broker starts; its clock says %lld",
               (long long)(machine_process_ms() % 1000000000));
    checker_restart(&sim->checker, sim);
    audit_shard(broker_shard(&sim->broker), sim->broker.store);
}

/* Down for a while. */
static void schedule_boot(struct sim *sim)
{
    bool long_away = !sim->calm && chance_percent(&sim->chance, 20);

    schedule_after(&sim->schedule, &sim->broker.boot,
                   long_away ? chance_between(&sim->chance, 10000, 90000)
                             : chance_between(&sim->chance, 50, 3000));
}

void broker_kill(struct sim *sim, const char *why)
{
    if (sim->broker.service == NULL)
        return;
    story_tell("the broker dies: %s", why);
    end_process(sim);
    schedule_boot(sim);
}

void broker_restart(struct sim *sim)
{
    struct broker *self = &sim->broker;

    if (self->service == NULL)
        return;
    story_tell("the broker is asked to stop");
    sim->figures->restarts++;
    self->draining = true;
    service_drain(self->service);
    broker_settle(sim);
    if (self->service == NULL)
        return;
    end_process(sim);
    schedule_boot(sim);
}

/* ---- requests ---- */

static void answered(struct rpc_request *request)
{
    struct visit *visit = CONTAINER_OF(request, struct visit, request);
    struct broker *self = &visit->sim->broker;
    struct error error = ERROR_NONE;
    ProtobufCMessage *reply;

    if (self->dying)
        return;
    ASSERT(!visit->answered);
    visit->answered = true;
    visit->in_time = !store_mem_has_failed(self->store);
    visit->status = request->http_status == 200 ? STATUS_OK : request->call.error.status;
    if (visit->status != STATUS_OK)
        return;
    if (codec_decode(CODEC_PROTOBUF, buffer_view(&request->reply), request->method->response,
                     &visit->own, &reply, &error) != STATUS_OK)
        story_fail("a reply of %s can't be read", request->method->name);
    visit->reply = reply;
}

/* A commit takes a moment, and now and then a long one. */
static int64_t draw_latency_ms(struct sim *sim)
{
    if (chance_percent(&sim->chance, sim->weather.slow_commit_percent))
        return chance_between(&sim->chance, 100, 5000);
    return chance_between(&sim->chance, 0, 4);
}

/* When the next batch will be: soon if something waits, else when something is due by itself. */
static void plan_batch(struct sim *sim)
{
    struct broker *self = &sim->broker;
    struct shard *shard;
    int64_t wait_ms;

    if (self->service == NULL)
        return;
    shard = broker_shard(self);
    if (!list_is_empty(&shard->inbox) || !list_is_empty(&shard->cancels)) {
        if (!self->hurries)
            schedule_after(&sim->schedule, &self->batch, draw_latency_ms(sim));
        self->hurries = true;
        return;
    }
    if (shard_next_ms(shard) == INT64_MAX)
        return;
    wait_ms = shard_next_ms(shard) - machine_process_ms();
    schedule_after(&sim->schedule, &self->batch, wait_ms > 1 ? wait_ms : 1);
}

static struct visit *begin_visit(struct sim *sim, enum method_number method, struct slice body,
                                 struct exchange *exchange)
{
    struct broker *self = &sim->broker;
    struct visit *visit = calloc(1, sizeof *visit);
    const struct list *last = broker_shard(self)->inbox.prev;
    struct error error = ERROR_NONE;
    ProtobufCMessage *asked;

    ASSERT(visit != NULL);
    visit->sim = sim;
    visit->method = method;
    visit->exchange = exchange;
    arena_init(&visit->arena, SIZE_MAX);
    arena_init(&visit->own, SIZE_MAX);
    ASSERT(codec_decode(CODEC_PROTOBUF, body, method_at(method)->request, &visit->own, &asked,
                        &error) == STATUS_OK);
    visit->asked = asked;
    visit->request = (struct rpc_request){
        .verb = slice_of_string("POST"),
        .path = slice_of_string(method_at(method)->path),
        .headers[RPC_HEADER_CONTENT_TYPE] = slice_of_string("application/proto"),
        .body = body,
        .arena = &visit->arena,
        .mailbox = &self->mailbox,
        .done = answered,
        .reply = BUFFER_EMPTY,
    };
    list_append(&self->visits, &visit->link);
    sim->figures->requests++;
    rpc_begin(&self->rpc, &visit->request);
    if (broker_shard(self)->inbox.prev != last)
        visit->call = broker_shard(self)->inbox.prev;
    return visit;
}

static void end_visit(struct sim *sim, struct visit *visit)
{
    if (visit->exchange != NULL)
        network_reply(sim, visit->exchange, visit->status, buffer_view(&visit->request.reply));
    free_visit(visit);
}

void broker_receive(struct sim *sim, struct exchange *exchange)
{
    struct visit *visit;

    if (sim->broker.service == NULL)
        return; /* nobody listens */
    visit = begin_visit(sim, exchange->method, exchange->request, exchange);
    if (visit->answered) {
        checker_judge_at_once(&sim->checker, visit);
        end_visit(sim, visit);
    }
    plan_batch(sim);
}

void broker_hang_up(struct sim *sim, struct exchange *exchange)
{
    LIST_EACH (link, &sim->broker.visits) {
        struct visit *visit = CONTAINER_OF(link, struct visit, link);

        if (visit->exchange != exchange || visit->hung_up)
            continue;
        visit->hung_up = true;
        rpc_cancel(&visit->request);
    }
    plan_batch(sim);
}

void broker_ask(struct sim *sim, enum method_number method, const ProtobufCMessage *request)
{
    struct buffer body = BUFFER_EMPTY;
    struct visit *visit;

    codec_encode(CODEC_PROTOBUF, request, &body);
    visit = begin_visit(sim, method, buffer_view(&body), NULL);
    ASSERT(!visit->answered);
    buffer_deinit(&body);
}

/* ---- batches ---- */

/* Whether the checker can tell what a batch that is the last would have done: its calls must be few
 * and none of them may meet a full disk. */
static bool may_die_now(struct sim *sim)
{
    int count = 0;

    LIST_EACH (link, &sim->broker.visits)
        count++;
    return count < DEATH_BATCH_MAX && checker_is_sure(&sim->checker);
}

/* What goes wrong in the batch to come; returns what was armed. */
static enum store_mem_fault arm_fault(struct sim *sim)
{
    static const enum store_mem_fault deaths[] = {
        STORE_MEM_FAULT_ANY_LOST, STORE_MEM_FAULT_ANY_LOST, STORE_MEM_FAULT_COMMIT_LOST,
        STORE_MEM_FAULT_COMMIT_UNKNOWN};
    struct broker *self = &sim->broker;
    enum store_mem_fault fault = STORE_MEM_FAULT_NONE;
    int k = 1;

    if (chance_percent(&sim->chance, sim->weather.death_percent) && may_die_now(sim)) {
        fault = deaths[chance_below(&sim->chance, 4)];
        k = fault == STORE_MEM_FAULT_ANY_LOST ? chance_between(&sim->chance, 1, 80) : 1;
        self->mute = chance_percent(&sim->chance, 70);
    } else if (chance_percent(&sim->chance, sim->weather.full_percent)) {
        fault = chance_percent(&sim->chance, 30) ? STORE_MEM_FAULT_COMMIT_FULL
                                                 : STORE_MEM_FAULT_WRITE_FULL;
        k = fault == STORE_MEM_FAULT_WRITE_FULL ? chance_between(&sim->chance, 1, 60) : 1;
    }
    if (fault != STORE_MEM_FAULT_NONE)
        store_mem_fault(self->store, fault, (uint64_t)k);
    return fault;
}

/* The store has failed in this batch: the process ends. */
static void die(struct sim *sim, const struct batch_seen *batch, enum store_mem_fault fault)
{
    struct broker *self = &sim->broker;

    story_tell("the broker dies within a batch (%s%s)",
               fault == STORE_MEM_FAULT_COMMIT_UNKNOWN ? "after its commit"
               : fault == STORE_MEM_FAULT_COMMIT_LOST  ? "at its commit"
                                                       : "before its commit",
               self->mute ? "" : ", reporting it");
    sim->figures->deaths += self->mute;
    sim->figures->disk_errors += !self->mute;
    sim->figures->unsynced += fault == STORE_MEM_FAULT_COMMIT_LOST;
    sim->figures->unknown += fault == STORE_MEM_FAULT_COMMIT_UNKNOWN;
    checker_judge_last(&sim->checker, sim, batch);
    LIST_EACH (link, &self->visits) {
        struct visit *visit = CONTAINER_OF(link, struct visit, link);

        if (visit->answered && visit->exchange != NULL && (visit->in_time || !self->mute))
            network_reply(sim, visit->exchange, visit->status, buffer_view(&visit->request.reply));
    }
    end_process(sim);
    schedule_boot(sim);
}

static bool is_audit_due(struct sim *sim, bool full)
{
    return full || sim->figures->batches % AUDIT_EVERY == 0;
}

static void tell_batch(struct sim *sim)
{
    char line[STORY_LINE_BYTES] = "";
    size_t size = 0;

    if (story.voice == STORY_SILENT)
        return;
    LIST_EACH (link, &sim->broker.visits) {
        const struct visit *visit = CONTAINER_OF(link, struct visit, link);

        if (size < sizeof line)
            size +=
                (size_t)snprintf(line + size, sizeof line - size, " %s%s",
                                 method_at(visit->method)->name, visit->hung_up ? "(gone)" : "");
    }
    story_tell("a batch:%s", line);
}

static void step(struct sim *sim, enum store_mem_fault fault, int open_percent)
{
    struct broker *self = &sim->broker;
    struct shard *shard = broker_shard(self);
    struct batch_seen batch = {
        .now_ms = machine_process_ms(),
        .puts_off = shard->chores_after_ms > machine_process_ms(),
        .expires = shard->has_ttl && shard->ttl_next_ms <= machine_process_ms(),
    };

    sim->figures->batches++;
    tell_batch(sim);
    company_begin(sim, open_percent);
    shard_step(shard);
    company_end(sim);
    if (store_mem_has_failed(self->store)) {
        die(sim, &batch, fault);
        return;
    }
    batch.puts_off = shard->chores_after_ms > batch.now_ms;
    batch.may_be_full = sim->checker.squeezed || sim->schedule.now_ms < sim->checker.room_at_ms ||
                        (fault != STORE_MEM_FAULT_NONE && !store_mem_is_armed(self->store));
    batch.serves_later = shard->serve_again_ms > batch.now_ms &&
                         shard->serve_again_ms <= batch.now_ms + SERVE_AGAIN_MS;
    sim->figures->full += batch.may_be_full;
    store_mem_fault(self->store, STORE_MEM_FAULT_NONE, 0);
    checker_judge(&sim->checker, sim, &batch);
    LIST_EACH_SAFE (link, &self->visits) {
        struct visit *visit = CONTAINER_OF(link, struct visit, link);

        if (visit->answered)
            end_visit(sim, visit);
    }
    if (is_audit_due(sim, batch.may_be_full))
        audit_shard(shard, self->store);
}

static void run_batch(struct sim *sim, struct event *event)
{
    struct broker *self = &sim->broker;

    (void)event;
    self->hurries = false;
    checker_ask_along(&sim->checker, sim);
    step(sim, arm_fault(sim), sim->weather.open_percent);
    if (self->service != NULL && company_was_late(sim))
        step(sim, STORE_MEM_FAULT_NONE, 0); /* at once: the checker's questions are among them */
    plan_batch(sim);
}

void broker_settle(struct sim *sim)
{
    struct broker *self = &sim->broker;
    struct shard *shard = broker_shard(self);

    do
        step(sim, STORE_MEM_FAULT_NONE, 0);
    while (self->service != NULL &&
           (!list_is_empty(&shard->inbox) || !list_is_empty(&shard->cancels)));
    plan_batch(sim);
}
