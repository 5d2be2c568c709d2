/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c -- leases, with the acks of the last batch.
 */
#include "cli/bench/worker.h"

#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "cli/bench/wire.h"
#include "cli/broker.h"

#define SESSION_MS 3600000 /* no heartbeat falls into a measured stretch */
#define TOKEN_BYTES_MAX 64

enum { LEASE_MAX_TASKS = 2, LEASE_ACKS = 6 };                       /* of LeaseRequest */
enum { LEASED_TASKS = 1, LEASED_ACK_OUTCOMES = 2, TASK_TOKEN = 6 }; /* of LeaseResponse */
enum { ACK_TOKEN = 1, OUTCOME_ERROR = 1, ERROR_MESSAGE = 2 };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };
#define TAG(number, type) ((uint8_t)((number) << 3 | (type)))

static enum exit_code open_session(struct bench *bench, char **ret_session)
{
    Ackd__V1__OpenSessionRequest request = ACKD__V1__OPEN_SESSION_REQUEST__INIT;
    Ackd__V1__OpenSessionResponse *reply;
    enum exit_code code;

    request.queue = bench->queue;
    request.worker = (char *)"ackctl bench";
    request.session_ms = SESSION_MS;
    reply =
        BROKER_CALL(bench->cli, "SessionService", "Open", &request, open_session_response, &code);
    if (reply != NULL)
        *ret_session = reply->session_id;
    return code;
}

enum exit_code worker_init(struct worker *self, struct bench *bench, size_t batch)
{
    Ackd__V1__LeaseRequest message = ACKD__V1__LEASE_REQUEST__INIT;
    enum exit_code code = open_session(bench, &message.session_id);

    if (code != EXIT_OK)
        return code;
    message.queue = bench->queue;
    message.max_tasks = (int32_t)batch;
    request_init(&self->request, bench->target.host, "TaskService/Lease");
    request_add(&self->request, &message.base);
    self->fixed_bytes = request_body_size(&self->request);
    return EXIT_OK;
}

void worker_deinit(struct worker *self)
{
    request_deinit(&self->request);
}

static void carry(struct worker *self, struct slice token)
{
    uint8_t *at = request_extend(&self->request, 4 + token.size);

    *at++ = TAG(LEASE_ACKS, WIRE_BYTES);
    *at++ = (uint8_t)(2 + token.size);
    *at++ = TAG(ACK_TOKEN, WIRE_BYTES);
    *at++ = (uint8_t)token.size;
    memcpy(at, token.data, token.size);
    self->carried++;
}

static enum exit_code tell_refused(struct slice outcome)
{
    struct wire_field error, message = {.bytes = SLICE_EMPTY};

    if (wire_find(outcome, OUTCOME_ERROR, &error))
        wire_find(error.bytes, ERROR_MESSAGE, &message);
    complain("an ack was refused: %.*s", (int)message.bytes.size, (const char *)message.bytes.data);
    return EXIT_REFUSED;
}

enum exit_code worker_take(struct worker *self, struct slice reply, size_t *ret_tasks)
{
    size_t acks = self->carried;
    struct wire_field field, token;

    request_cut(&self->request, self->fixed_bytes);
    self->carried = 0;
    while (wire_next(&reply, &field)) {
        if (field.number == LEASED_ACK_OUTCOMES) {
            acks--;
            if (wire_find(field.bytes, OUTCOME_ERROR, &token))
                return tell_refused(field.bytes);
        } else if (field.number == LEASED_TASKS) {
            if (!wire_find(field.bytes, TASK_TOKEN, &token) || token.bytes.size > TOKEN_BYTES_MAX)
                break;
            carry(self, token.bytes);
        }
    }
    *ret_tasks = self->carried;
    if (reply.size == 0 && acks == 0)
        return EXIT_OK;
    complain("a lease's reply is not what it should be");
    return EXIT_REFUSED;
}

/* A field that comes twice counts as it came last. */
void worker_ack_only(struct worker *self)
{
    uint8_t *at = request_extend(&self->request, 2);

    *at++ = TAG(LEASE_MAX_TASKS, WIRE_VARINT);
    *at = 0;
}
