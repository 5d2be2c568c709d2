/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c -- leases and their acks.
 */
#include "cli/bench/worker.h"

#include "ackd/v1/task.pb-c.h"
#include "cli/bench/wire.h"

#define SESSION_MS 3600000 /* no heartbeat falls into a measured stretch */
#define TOKEN_BYTES_MAX 64

/* Field numbers of the messages that are written and read here. */
enum { LEASE_MAX_TASKS = 2, LEASE_ACKS = 6, ACK_ITEMS = 1, ITEM_TOKEN = 1 };
enum { LEASED_TASKS = 1, LEASED_ACK_OUTCOMES = 2, TASK_TOKEN = 6, ACKED_OUTCOMES = 1 };
enum { OUTCOME_ERROR = 1, ERROR_MESSAGE = 2 };

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };
#define TAG(number, type) ((uint8_t)((number) << 3 | (type)))

enum exit_code worker_init(struct worker *self, struct bench *bench,
                           const struct worker_options *options)
{
    Ackd__V1__LeaseRequest message = ACKD__V1__LEASE_REQUEST__INIT;
    enum exit_code code =
        bench_open_session(bench, options->queue, SESSION_MS, &message.session_id);

    if (code != EXIT_OK)
        return code;
    message.queue = (char *)options->queue;
    message.max_tasks = (int32_t)options->batch;
    message.wait_ms = options->wait_ms;
    request_init(&self->lease, bench->target.lines, "TaskService/Lease");
    request_add(&self->lease, &message.base);
    self->fixed_bytes = request_body_size(&self->lease);
    self->acks_apart = options->acks_apart;
    if (self->acks_apart)
        request_init(&self->ack, bench->target.lines, "TaskService/Ack");
    return EXIT_OK;
}

void worker_deinit(struct worker *self)
{
    request_deinit(&self->lease);
    request_deinit(&self->ack);
}

static void put_ack(struct request *request, int field, struct slice token)
{
    uint8_t *at = request_extend(request, 4 + token.size);

    *at++ = TAG(field, WIRE_BYTES);
    *at++ = (uint8_t)(2 + token.size);
    *at++ = TAG(ITEM_TOKEN, WIRE_BYTES);
    *at++ = (uint8_t)token.size;
    memcpy(at, token.data, token.size);
}

static void add_ack(struct worker *self, struct slice token)
{
    if (self->acks_apart)
        put_ack(&self->ack, ACK_ITEMS, token);
    else
        put_ack(&self->lease, LEASE_ACKS, token);
    self->acks++;
}

static enum exit_code tell_broken(void)
{
    complain("the broker's reply to a worker is not what it should be");
    return EXIT_REFUSED;
}

/* An empty outcome is a success. */
static enum exit_code check_outcome(struct slice outcome)
{
    struct wire_field error, message = {.bytes = SLICE_EMPTY};

    if (outcome.size == 0 || !wire_find(outcome, OUTCOME_ERROR, &error))
        return EXIT_OK;
    wire_find(error.bytes, ERROR_MESSAGE, &message);
    complain("an ack was refused: %.*s", (int)message.bytes.size, (const char *)message.bytes.data);
    return EXIT_REFUSED;
}

enum exit_code worker_take(struct worker *self, struct slice reply, size_t *ret_tasks)
{
    size_t carried = self->acks_apart ? 0 : self->acks;
    enum exit_code code = EXIT_OK;
    struct wire_field field, token;

    request_cut(&self->lease, self->fixed_bytes);
    if (self->acks_apart)
        request_cut(&self->ack, 0);
    self->acks = 0;
    while (code == EXIT_OK && wire_next(&reply, &field)) {
        if (field.number == LEASED_ACK_OUTCOMES) {
            carried--;
            code = check_outcome(field.bytes);
        } else if (field.number == LEASED_TASKS) {
            if (!wire_find(field.bytes, TASK_TOKEN, &token) || token.bytes.size > TOKEN_BYTES_MAX)
                return tell_broken();
            add_ack(self, token.bytes);
        }
    }
    *ret_tasks = self->acks;
    if (code == EXIT_OK && (wire_is_broken(reply) || carried != 0))
        return tell_broken();
    return code;
}

enum exit_code worker_check_acked(struct worker *self, struct slice reply)
{
    enum exit_code code = EXIT_OK;
    struct wire_field field;

    while (code == EXIT_OK && wire_next(&reply, &field)) {
        if (field.number != ACKED_OUTCOMES)
            continue;
        self->acks--;
        code = check_outcome(field.bytes);
    }
    if (code == EXIT_OK && (wire_is_broken(reply) || self->acks != 0))
        return tell_broken();
    return code;
}

/* A field that comes twice counts as it came last. */
void worker_ack_only(struct worker *self)
{
    uint8_t *at = request_extend(&self->lease, 2);

    *at++ = TAG(LEASE_MAX_TASKS, WIRE_VARINT);
    *at = 0;
}
