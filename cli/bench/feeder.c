/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feeder.c -- publishes tasks as fast as they are taken.
 */
#include "cli/bench/feeder.h"

#include <stdlib.h>

#include "ackd/v1/task.pb-c.h"
#include "base/assert.h"
#include "cli/bench/wire.h"

#define ID_PREFIX "row-"
#define ID_DIGITS 16
#define FILL_BATCH 1000
#define FILL_BYTES ((size_t)8 << 20)

enum { PUBLISH_QUEUE = 1, PUBLISH_TASKS = 2, TASK_ID = 1 }; /* of PublishRequest */
enum { PUBLISHED_STORED = 2, PUBLISHED_DUPLICATES = 3, PUBLISHED_REFUSED = 4 }; /* of its reply */

size_t feeder_fill_batch(size_t payload_bytes)
{
    size_t fitting = FILL_BYTES / payload_bytes + 1;

    return fitting < FILL_BATCH ? fitting : FILL_BATCH;
}

/* Text that no store could shrink to nothing. */
static void fill_payload(uint8_t *payload, size_t size)
{
    uint32_t random = 2463534242;

    for (size_t i = 0; i < size; i++) {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        payload[i] = (uint8_t)(' ' + random % 95);
    }
}

void feeder_make_request(struct bench *bench, const char *queue, size_t batch, bool has_ids,
                         struct request *ret_request)
{
    Ackd__V1__PublishRequest message = ACKD__V1__PUBLISH_REQUEST__INIT;
    Ackd__V1__NewTask task = ACKD__V1__NEW_TASK__INIT;

    task.payload.len = bench->payload_bytes;
    task.payload.data = cli_alloc(bench->cli, task.payload.len);
    fill_payload(task.payload.data, task.payload.len);
    if (has_ids)
        task.task_id = (char *)(ID_PREFIX "0000000000000000");
    message.queue = (char *)queue;
    message.brief = true;
    message.n_tasks = batch;
    message.tasks = CLI_ARRAY(bench->cli, batch, Ackd__V1__NewTask *);
    for (size_t i = 0; i < batch; i++)
        message.tasks[i] = &task;
    request_init(ret_request, bench->target.lines, "TaskService/Publish");
    request_add(ret_request, &message.base);
}

/* Where the IDs stand: the tasks are alike, so the distance is the same from each to the next. */
static void find_ids(struct feeder *self)
{
    struct slice body =
        slice_of(request_body(&self->requests[0]), request_body_size(&self->requests[0]));
    struct slice rest = body;
    struct wire_field task, id;
    size_t found = 0;

    while (found < 2 && wire_next(&rest, &task)) {
        if (task.number != PUBLISH_TASKS || !wire_find(task.bytes, TASK_ID, &id))
            continue;
        if (found++ == 0)
            self->id_at = (size_t)(id.bytes.data - body.data);
        else
            self->id_stride = (size_t)(id.bytes.data - body.data) - self->id_at;
    }
    ASSERT(found > 0);
}

/* Where the number at the end of the queue's name stands. */
static void find_queue(struct feeder *self)
{
    struct slice body =
        slice_of(request_body(&self->requests[0]), request_body_size(&self->requests[0]));
    struct wire_field queue;

    if (wire_find(body, PUBLISH_QUEUE, &queue))
        self->queue_at =
            (size_t)(queue.bytes.data - body.data) + queue.bytes.size - BENCH_SPREAD_DIGITS;
    ASSERT(self->queue_at > 0);
}

void feeder_init(struct feeder *self, struct bench *bench, const char *queue, size_t batch,
                 bool has_ids)
{
    *self = (struct feeder){.bench = bench, .queue = queue, .batch = batch, .has_ids = has_ids};
    self->spread = strcmp(queue, bench->queue) == 0 ? bench->spread : 1;
    self->stored_in = CLI_ARRAY(bench->cli, self->spread, int64_t);
    self->is_patched = has_ids || self->spread > 1;
    self->request_count = self->is_patched ? bench->load.count * bench->depth : 1;
    self->requests = CLI_ARRAY(bench->cli, self->request_count, struct request);
    for (size_t i = 0; i < self->request_count; i++)
        feeder_make_request(bench, queue, batch, has_ids, &self->requests[i]);
    if (has_ids)
        find_ids(self);
    if (self->spread > 1)
        find_queue(self);
}

void feeder_deinit(struct feeder *self)
{
    for (size_t i = 0; i < self->request_count; i++)
        request_deinit(&self->requests[i]);
}

static void write_number(uint8_t *at, int digits, uint64_t number)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        at[i] = (uint8_t)('0' + number % 10);
}

static void number_tasks(struct feeder *self, struct request *request)
{
    uint8_t *at = request_body(request) + self->id_at + strlen(ID_PREFIX);

    for (size_t i = 0; i < self->batch; i++, at += self->id_stride)
        write_number(at, ID_DIGITS, self->next_id++);
}

/* The request that is free while this place of the pipeline is, made ready to go. */
static struct request *next_request(struct feeder *self, const struct link *link, int slot)
{
    struct request *request = &self->requests[0];

    if (self->is_patched)
        request = &self->requests[link->index * self->bench->depth + (size_t)slot];
    if (self->has_ids)
        number_tasks(self, request);
    if (self->spread > 1)
        write_number(request_body(request) + self->queue_at, BENCH_SPREAD_DIGITS, self->next_queue);
    self->stored_in[self->next_queue] += (int64_t)self->batch;
    self->next_queue = (self->next_queue + 1) % self->spread;
    return request;
}

static void send_next(struct feeder *self, struct link *link, int slot)
{
    struct load *load = &self->bench->load;

    if (self->left <= 0 || load->now_ns >= self->until_ns)
        return;
    self->left -= (int64_t)self->batch;
    load_send(load, link, request_seal(next_request(self, link, slot)), slot);
}

static void on_replied(struct load *load, struct link *link, const struct link_reply *reply)
{
    struct feeder *self = load->context;
    uint64_t stored = wire_number(reply->body, PUBLISHED_STORED);

    if (stored != self->batch) {
        complain("of %zu tasks the broker stored %llu; duplicates: %llu, refused: %llu",
                 self->batch, (unsigned long long)stored,
                 (unsigned long long)wire_number(reply->body, PUBLISHED_DUPLICATES),
                 (unsigned long long)wire_number(reply->body, PUBLISHED_REFUSED));
        load_fail(load, EXIT_REFUSED);
        return;
    }
    self->stored += (int64_t)stored;
    if (self->latencies != NULL)
        histogram_add(self->latencies, reply->latency_ns);
    send_next(self, link, reply->tag);
}

enum exit_code feeder_run(struct feeder *self, int64_t count, int64_t until_ns)
{
    struct load *load = &self->bench->load;

    self->left = count;
    self->until_ns = until_ns;
    load->replied = on_replied;
    load->context = self;
    load->now_ns = monotonic_ns();
    for (size_t slot = 0; slot < self->bench->depth; slot++)
        for (size_t i = 0; i < load->count; i++)
            send_next(self, &load->links[i], (int)slot);
    return load_run(load);
}
