/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c -- TaskService.Lease.
 */
#include <inttypes.h>

#include "service/internal.h"

#define REPLY_BYTES_LEAST 65536
#define TASK_OVERHEAD_BYTES 1024 /* of a task in the reply, beside its body */

struct leasing {
    struct lease_call base; /* carries the items that may go to the shard, those below are all */
    struct ack_item **acks;
    size_t ack_count;
    struct error **ack_errors;
    struct nack_item **nacks;
    size_t nack_count;
    struct error **nack_errors;
};

static enum status check(struct service_call *call, const PB(LeaseRequest) *request)
{
    const struct limits *limits = service_limits(call->service);
    struct error *error = &call->error;

    if (check_range(request->max_tasks, 0, limits->batch_items_max, "max_tasks", "", error) !=
            STATUS_OK ||
        check_range(request->wait_ms, 0, WAIT_MS_MAX, "wait_ms", "ms", error) != STATUS_OK ||
        check_range(request->max_bytes, 0, LEASE_REPLY_BYTES_MAX, "max_bytes", "bytes", error) !=
            STATUS_OK ||
        check_count(request->n_acks + request->n_nacks, 0, limits, "acks", error) != STATUS_OK)
        return error->status;
    if (request->lease_ms != 0)
        return check_range(request->lease_ms, LEASE_MS_MIN, LEASE_MS_MAX, "lease_ms", "ms", error);
    return STATUS_OK;
}

/* A long poll ends a little before its caller stops waiting. */
static int64_t bounded_wait_ms(struct service_call *call, int64_t wait_ms)
{
    int64_t left_ms;

    if (call->deadline_ms == 0)
        return wait_ms;
    left_ms = call->deadline_ms - service_now_ms(call->service);
    left_ms -= left_ms / 10;
    return left_ms < wait_ms ? (left_ms > 0 ? left_ms : 0) : wait_ms;
}

/* Reads the acks carried along. What is refused here is not the shard's to see. */
static bool make_acks(struct service_call *call, struct leasing *self,
                      const PB(LeaseRequest) *request)
{
    struct lease_call *base = &self->base;

    self->ack_count = request->n_acks;
    self->ack_errors = ARENA_ARRAY(call->arena, request->n_acks, struct error *);
    base->acks = ARENA_ARRAY(call->arena, request->n_acks, struct ack_item *);
    if (self->ack_errors == NULL || base->acks == NULL)
        return false;
    self->acks = read_acks(call, request->acks, request->n_acks, "acks", self->ack_errors);
    for (size_t i = 0; i < self->ack_count && self->acks != NULL; i++)
        if (self->acks[i]->status == STATUS_OK)
            base->acks[base->ack_count++] = self->acks[i];
    return self->acks != NULL;
}

/* The same for nacks. */
static bool make_nacks(struct service_call *call, struct leasing *self,
                       const PB(LeaseRequest) *request)
{
    struct lease_call *base = &self->base;

    self->nack_count = request->n_nacks;
    self->nack_errors = ARENA_ARRAY(call->arena, request->n_nacks, struct error *);
    base->nacks = ARENA_ARRAY(call->arena, request->n_nacks, struct nack_item *);
    if (self->nack_errors == NULL || base->nacks == NULL)
        return false;
    self->nacks = read_nacks(call, request->nacks, request->n_nacks, "nacks", self->nack_errors);
    for (size_t i = 0; i < self->nack_count && self->nacks != NULL; i++)
        if (self->nacks[i]->status == STATUS_OK)
            base->nacks[base->nack_count++] = self->nacks[i];
    return self->nacks != NULL;
}

/* Most requests carry one kind, or none. False: no memory. */
static bool make_settled(struct service_call *call, struct leasing *self,
                         const PB(LeaseRequest) *request)
{
    return (request->n_acks == 0 || make_acks(call, self, request)) &&
           (request->n_nacks == 0 || make_nacks(call, self, request));
}

static void fill_counters(PB(LeasedTask) *task, const struct task *t)
{
    task->fence = t->fence;
    task->deadline_unix_ms = t->at_ms;
    task->published_unix_ms = t->published_ms;
    task->failures = (int32_t)t->failures;
    task->preemptions = (int32_t)t->preemptions;
    task->losses = (int32_t)t->losses;
    task->deliveries = (int32_t)t->deliveries;
}

/* What the tasks of one queue have in common in a reply. */
struct marks {
    struct made_id_stem stem;
    uint64_t seal; /* of their tokens */
};

/* False: no room. */
static bool fill_task(struct arena *arena, const struct leased_task *leased,
                      const struct marks *marks, PB(LeasedTask) *task)
{
    struct lease_token token = {leased->place, leased->task.fence, marks->seal};

    if (!wire_attributes(arena, slice_of(leased->body.data, leased->attributes_size),
                         &ackd__v1__leased_task__attributes_entry__descriptor, &task->attributes,
                         &task->n_attributes))
        return false;
    task->task_id = wire_task_id(arena, leased->id, leased->place, &marks->stem);
    task->payload = wire_bytes(slice_of(leased->body.data + leased->attributes_size,
                                        leased->body.size - leased->attributes_size));
    task->dataset = wire_string(arena, leased->dataset);
    task->lease_token = wire_token(arena, &token);
    task->priority = leased->place.priority;
    fill_counters(task, &leased->task);
    if (leased->has_checkpoint) {
        task->has_checkpoint_case = ACKD__V1__LEASED_TASK__HAS_CHECKPOINT_CHECKPOINT;
        task->checkpoint = wire_bytes(leased->checkpoint);
    }
    return task->task_id != NULL && task->dataset != NULL && task->lease_token != NULL;
}

static bool build_tasks(struct arena *arena, const struct lease_call *done,
                        PB(LeaseResponse) *response)
{
    struct marks marks;

    if (done->task_count == 0)
        return true;
    marks.stem = made_id_stem(done->queue_created_ms);
    marks.seal = token_seal(done->tasks[0].place.queue, done->queue_created_ms);
    response->n_tasks = done->task_count;
    response->tasks = PB_ARRAY(arena, done->task_count, LeasedTask, leased_task);
    for (size_t i = 0; i < done->task_count && response->tasks != NULL; i++) {
        if (!fill_task(arena, &done->tasks[i], &marks, response->tasks[i]))
            return false;
    }
    return response->tasks != NULL;
}

static bool build_outcomes(struct arena *arena, const struct leasing *self,
                           PB(LeaseResponse) *response)
{
    response->n_ack_outcomes = self->ack_count;
    response->n_nack_outcomes = self->nack_count;
    if (self->ack_count > 0)
        response->ack_outcomes =
            wire_ack_outcomes(arena, self->acks, self->ack_count, self->ack_errors);
    if (self->nack_count > 0)
        response->nack_outcomes =
            wire_nack_outcomes(arena, self->nacks, self->nack_count, self->nack_errors);
    return (self->ack_count == 0 || response->ack_outcomes != NULL) &&
           (self->nack_count == 0 || response->nack_outcomes != NULL);
}

/* More than the reply takes besides the bodies. An attribute has at least 5 bytes in the body, and
 * becomes an entry, its pointer and two strings. */
static size_t reply_bytes(const struct leasing *self, const struct lease_call *done)
{
    size_t items = done->task_count + self->ack_count + self->nack_count;
    size_t attribute_bytes = 0;

    for (size_t i = 0; i < done->task_count; i++)
        attribute_bytes += done->tasks[i].attributes_size;
    return REPLY_BYTES_LEAST + items * 2 * TASK_OVERHEAD_BYTES + attribute_bytes * 32;
}

static ProtobufCMessage *build(struct service_call *call, struct call *base)
{
    struct lease_call *done = CONTAINER_OF(base, struct lease_call, call);
    struct leasing *self = CONTAINER_OF(done, struct leasing, base);
    struct arena *arena = call->arena;
    PB(LeaseResponse) *response = PB_NEW(arena, LeaseResponse, lease_response);

    if (response == NULL)
        return NULL;
    allow_reply(call, reply_bytes(self, done)); /* the leases are granted: there must be room */
    if (!build_tasks(arena, done, response))
        return NULL;
    response->situation = wire_situation(arena, &done->situation);
    if (response->situation == NULL || !build_outcomes(arena, self, response))
        return NULL;
    return &response->base;
}

void service_lease(struct service *self, struct service_call *call)
{
    const PB(LeaseRequest) *request = (const void *)call->request;
    struct leasing *leasing;

    call->service = self;
    if (check(call, request) != STATUS_OK) {
        refuse(call);
        return;
    }
    /* Room for one task too large for max_bytes, which is given all the same. */
    allow_reply(call, (size_t)LEASE_REPLY_BYTES_MAX +
                          (size_t)(service_limits(self)->payload_bytes_max +
                                   service_limits(self)->checkpoint_bytes_max) +
                          ((size_t)request->max_tasks + request->n_acks + request->n_nacks + 64) *
                              TASK_OVERHEAD_BYTES);
    leasing = ARENA_NEW(call->arena, struct leasing);
    if (leasing == NULL || !make_settled(call, leasing, request)) {
        refuse_memory(call);
        return;
    }
    if (request->session_id[0] != '\0' &&
        read_session_id(request->session_id, &leasing->base.session, &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    leasing->base.queue = slice_of_string(request->queue);
    leasing->base.max_tasks = (uint32_t)request->max_tasks;
    leasing->base.wait_ms = bounded_wait_ms(call, request->wait_ms);
    leasing->base.lease_ms = request->lease_ms;
    leasing->base.max_bytes =
        request->max_bytes == 0 ? LEASE_REPLY_BYTES_DEFAULT : request->max_bytes;
    send_to_queue(call, request->queue, &leasing->base.call, &verb_lease, build);
}
