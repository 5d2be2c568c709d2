/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle.c -- TaskService.Ack, Nack, Renew, SaveCheckpoint: what a lease's holder says.
 *
 * The items of a request may belong to several shards: each shard gets its own, and the outcomes
 * come back in the order of the request.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/internal.h"

static enum status check_bytes(size_t size, int64_t max, const char *name, size_t index,
                               const char *what, struct error *error)
{
    if (size <= (size_t)max)
        return STATUS_OK;
    return error_limit(error, STATUS_TOO_LARGE, field_of(name, index, what).text, max,
                       (int64_t)size, "the %s has %zu bytes; the limit is %" PRId64, what, size,
                       max);
}

static enum status check_token(const char *text, const char *name, size_t index,
                               struct lease_token *ret_token, struct error *error)
{
    if (token_read(slice_of_string(text), ret_token))
        return STATUS_OK;
    return read_lease_token(text, field_of(name, index, "lease_token").text, ret_token, error);
}

/* Keeps an item's error for its outcome. */
static enum status keep_error(struct arena *arena, const struct error *error,
                              struct error **ret_error)
{
    *ret_error = ARENA_NEW(arena, struct error);
    if (*ret_error != NULL)
        **ret_error = *error;
    return error->status;
}

static enum status read_ack(struct service_call *call, const PB(AckItem) *from, const char *name,
                            size_t index, struct ack_item *item, struct error *error)
{
    const struct limits *limits = service_limits(call->service);
    bool has_result = from->has_result_case != 0;

    if (check_token(from->lease_token, name, index, &item->token, error) != STATUS_OK ||
        check_bytes(has_result ? from->result.len : 0, limits->result_bytes_max, name, index,
                    "result", error) != STATUS_OK)
        return error->status;
    item->has_result = has_result;
    item->committed = from->committed;
    if (has_result)
        item->result = slice_of(from->result.data, from->result.len);
    return STATUS_OK;
}

/* What the reason is and what goes with it. */
static enum status check_nack(const PB(NackItem) *from, const char *name, size_t index,
                              struct error *error)
{
    if (from->reason < 1 || from->reason > 3) {
        struct field_path path = field_of(name, index, "reason");

        return error_limit(error, STATUS_INVALID, path.text, 3, from->reason,
                           "%s must be FAILED, PREEMPTED or RELEASED", path.text);
    }
    if (from->permanent && from->reason != ACKD__V1__NACK_REASON__NACK_REASON_FAILED) {
        struct field_path path = field_of(name, index, "permanent");

        return error_limit(error, STATUS_INVALID, path.text, 0, 1,
                           "%s goes with reason FAILED alone", path.text);
    }
    if (from->has_delay_ms_case != 0 && (from->delay_ms < 0 || from->delay_ms > DELAY_MS_MAX))
        return check_range(from->delay_ms, 0, DELAY_MS_MAX, field_of(name, index, "delay_ms").text,
                           "ms", error);
    return STATUS_OK;
}

static enum status read_nack(struct service_call *call, const PB(NackItem) *from, const char *name,
                             size_t index, struct nack_item *item, struct error *error)
{
    static const enum task_command_kind kinds[] = {TASK_NACK_FAILED, TASK_NACK_FAILED,
                                                   TASK_NACK_PREEMPTED, TASK_NACK_RELEASED};
    const struct limits *limits = service_limits(call->service);
    bool has_checkpoint = from->has_checkpoint_case != 0;

    if (check_token(from->lease_token, name, index, &item->token, error) != STATUS_OK ||
        check_bytes(strlen(from->error), ERROR_TEXT_BYTES_MAX, name, index, "error", error) !=
            STATUS_OK ||
        check_bytes(has_checkpoint ? from->checkpoint.len : 0, limits->checkpoint_bytes_max, name,
                    index, "checkpoint", error) != STATUS_OK ||
        check_nack(from, name, index, error) != STATUS_OK)
        return error->status;
    item->delay_ms = from->has_delay_ms_case != 0 ? from->delay_ms : TASK_DELAY_BACKOFF;
    item->kind = kinds[from->reason];
    item->error = slice_of_string(from->error);
    item->has_checkpoint = has_checkpoint;
    if (has_checkpoint)
        item->checkpoint = slice_of(from->checkpoint.data, from->checkpoint.len);
    item->unstarted = from->unstarted;
    item->permanent = from->permanent;
    return STATUS_OK;
}

static enum status read_renew(const PB(RenewItem) *from, size_t index, struct renew_item *item,
                              struct error *error)
{
    int64_t lease_ms = from->lease_ms;

    if (check_token(from->lease_token, "items", index, &item->token, error) != STATUS_OK)
        return error->status;
    item->lease_ms = lease_ms;
    item->progress = from->progress;
    if (lease_ms == 0 || (lease_ms >= LEASE_MS_MIN && lease_ms <= LEASE_MS_MAX))
        return STATUS_OK;
    return check_range(lease_ms, LEASE_MS_MIN, LEASE_MS_MAX,
                       field_of("items", index, "lease_ms").text, "ms", error);
}

/* An array of pointers to `count` zeroed items of `size` bytes. */
static void **new_items(struct arena *arena, size_t count, size_t size)
{
    void **items = ARENA_ARRAY(arena, count, void *);
    char *memory = arena_alloc_array(arena, count, size);

    for (size_t i = 0; i < count && items != NULL && memory != NULL; i++)
        items[i] = memory + i * size;
    return memory == NULL ? NULL : items;
}

struct ack_item **read_acks(struct service_call *call, PB(AckItem) **items, size_t count,
                            const char *name, struct error **ret_errors)
{
    struct ack_item **read = (struct ack_item **)new_items(call->arena, count, sizeof **read);
    struct error error; /* of an item that has one */

    for (size_t i = 0; i < count && read != NULL; i++) {
        read[i]->status = read_ack(call, items[i], name, i, read[i], &error);
        if (read[i]->status != STATUS_OK)
            keep_error(call->arena, &error, &ret_errors[i]);
    }
    return read;
}

struct nack_item **read_nacks(struct service_call *call, PB(NackItem) **items, size_t count,
                              const char *name, struct error **ret_errors)
{
    struct nack_item **read = (struct nack_item **)new_items(call->arena, count, sizeof **read);
    struct error error; /* of an item that has one */

    for (size_t i = 0; i < count && read != NULL; i++) {
        read[i]->status = read_nack(call, items[i], name, i, read[i], &error);
        if (read[i]->status != STATUS_OK)
            keep_error(call->arena, &error, &ret_errors[i]);
    }
    return read;
}

static struct renew_item **read_renews(struct service_call *call, PB(RenewItem) **items,
                                       size_t count, struct error **ret_errors)
{
    struct renew_item **read = (struct renew_item **)new_items(call->arena, count, sizeof **read);
    struct error error; /* of an item that has one */

    for (size_t i = 0; i < count && read != NULL; i++) {
        read[i]->status = read_renew(items[i], i, read[i], &error);
        if (read[i]->status != STATUS_OK)
            keep_error(call->arena, &error, &ret_errors[i]);
    }
    return read;
}

PB(AckOutcome) **wire_ack_outcomes(struct arena *arena, struct ack_item **items, size_t count,
                                   struct error **errors)
{
    PB(AckOutcome) **outcomes = PB_ARRAY(arena, count, AckOutcome, ack_outcome);

    for (size_t i = 0; i < count && outcomes != NULL; i++) {
        outcomes[i]->salvaged = items[i]->salvaged;
        outcomes[i]->repeated = items[i]->repeated;
        if (!wire_outcome_error(arena, items[i]->status, errors[i], &outcomes[i]->error))
            return NULL;
    }
    return outcomes;
}

PB(Outcome) **wire_nack_outcomes(struct arena *arena, struct nack_item **items, size_t count,
                                 struct error **errors)
{
    PB(Outcome) **outcomes = PB_ARRAY(arena, count, Outcome, outcome);

    for (size_t i = 0; i < count && outcomes != NULL; i++) {
        if (!wire_outcome_error(arena, items[i]->status, errors[i], &outcomes[i]->error))
            return NULL;
    }
    return outcomes;
}

/* ---- the three RPCs: items to their shards, outcomes back ---- */

/* The items of one kind on their way. They differ in type alone, so offsets stand for the types. */
struct settling {
    struct fan *fan;
    void **items;
    size_t count;
    struct error **errors;
    size_t token_offset;
    size_t status_offset;
};

static const struct lease_token *token_of(const struct settling *self, size_t i)
{
    return (const struct lease_token *)(const void *)((const char *)self->items[i] +
                                                      self->token_offset);
}

static enum status *status_of(const struct settling *self, size_t i)
{
    return (enum status *)(void *)((char *)self->items[i] + self->status_offset);
}

/* The shared shape of ack_call, nack_call and renew_call. */
struct items_call {
    struct call call;
    void **items;
    size_t item_count;
};
_Static_assert(offsetof(struct items_call, items) == offsetof(struct ack_call, items) &&
                   offsetof(struct items_call, items) == offsetof(struct nack_call, items) &&
                   offsetof(struct items_call, items) == offsetof(struct renew_call, items),
               "the three calls have one shape");

/* This shard's share of the items that were well-formed. */
static void give_items(struct fan *fan, struct call *base, int shard)
{
    struct items_call *call = CONTAINER_OF(base, struct items_call, call);
    struct settling *self = fan->call->context;

    call->items = ARENA_ARRAY(fan->call->arena, self->count, void *);
    for (size_t i = 0; i < self->count && call->items != NULL; i++) {
        int owner = SHARD_OF_QUEUE(token_of(self, i)->place.queue);

        if (*status_of(self, i) != STATUS_OK)
            continue;
        if (owner == shard)
            call->items[call->item_count++] = self->items[i];
        else if (owner >= fan->count && shard == 0)
            *status_of(self, i) = STATUS_LEASE_LOST; /* of a shard that is not here */
    }
}

/* False: refused already. */
static bool begin(struct service *self, struct service_call *call, size_t count,
                  size_t token_offset, size_t status_offset, struct settling *ret)
{
    call->service = self;
    if (check_count(count, 1, service_limits(self), "items", &call->error) != STATUS_OK) {
        refuse(call);
        return false;
    }
    allow_reply(call, REPLY_BYTES_MAX);
    *ret = (struct settling){.count = count,
                             .errors = ARENA_ARRAY(call->arena, count, struct error *),
                             .token_offset = token_offset,
                             .status_offset = status_offset};
    if (ret->errors == NULL)
        refuse_memory(call);
    return ret->errors != NULL;
}

static void settle(struct service_call *call, struct settling *self, const struct verb *verb,
                   ProtobufCMessage *(*build)(struct service_call *, struct fan *))
{
    struct settling *kept = ARENA_NEW(call->arena, struct settling);

    if (self->items == NULL || kept == NULL) {
        refuse_memory(call);
        return;
    }
    *kept = *self;
    call->context = kept;
    fan_out(call, sizeof(struct ack_call), verb, give_items, shard_send, build);
}

static ProtobufCMessage *build_ack(struct service_call *call, struct fan *fan)
{
    struct settling *self = call->context;
    PB(AckResponse) *response = PB_NEW(call->arena, AckResponse, ack_response);

    (void)fan;
    if (response == NULL)
        return NULL;
    response->n_outcomes = self->count;
    response->outcomes =
        wire_ack_outcomes(call->arena, (struct ack_item **)self->items, self->count, self->errors);
    return response->outcomes == NULL ? NULL : &response->base;
}

void service_ack(struct service *self, struct service_call *call)
{
    const PB(AckRequest) *request = (const void *)call->request;
    struct settling settling;

    if (!begin(self, call, request->n_items, offsetof(struct ack_item, token),
               offsetof(struct ack_item, status), &settling))
        return;
    settling.items =
        (void **)read_acks(call, request->items, request->n_items, "items", settling.errors);
    settle(call, &settling, &verb_ack, build_ack);
}

static ProtobufCMessage *build_nack(struct service_call *call, struct fan *fan)
{
    struct settling *self = call->context;
    PB(NackResponse) *response = PB_NEW(call->arena, NackResponse, nack_response);

    (void)fan;
    if (response == NULL)
        return NULL;
    response->n_outcomes = self->count;
    response->outcomes = wire_nack_outcomes(call->arena, (struct nack_item **)self->items,
                                            self->count, self->errors);
    return response->outcomes == NULL ? NULL : &response->base;
}

void service_nack(struct service *self, struct service_call *call)
{
    const PB(NackRequest) *request = (const void *)call->request;
    struct settling settling;

    if (!begin(self, call, request->n_items, offsetof(struct nack_item, token),
               offsetof(struct nack_item, status), &settling))
        return;
    settling.items =
        (void **)read_nacks(call, request->items, request->n_items, "items", settling.errors);
    settle(call, &settling, &verb_nack, build_nack);
}

static ProtobufCMessage *build_renew(struct service_call *call, struct fan *fan)
{
    struct settling *self = call->context;
    PB(RenewResponse) *response = PB_NEW(call->arena, RenewResponse, renew_response);

    (void)fan;
    if (response == NULL)
        return NULL;
    response->n_outcomes = self->count;
    response->outcomes = PB_ARRAY(call->arena, self->count, RenewOutcome, renew_outcome);
    for (size_t i = 0; i < self->count && response->outcomes != NULL; i++) {
        const struct renew_item *item = self->items[i];
        PB(RenewOutcome) *outcome = response->outcomes[i];

        if (item->status == STATUS_OK)
            outcome->deadline_unix_ms = item->deadline_ms;
        if (!wire_outcome_error(call->arena, item->status, self->errors[i], &outcome->error))
            return NULL;
    }
    return response->outcomes == NULL ? NULL : &response->base;
}

void service_renew(struct service *self, struct service_call *call)
{
    const PB(RenewRequest) *request = (const void *)call->request;
    struct settling settling;

    if (!begin(self, call, request->n_items, offsetof(struct renew_item, token),
               offsetof(struct renew_item, status), &settling))
        return;
    settling.items = (void **)read_renews(call, request->items, request->n_items, settling.errors);
    settle(call, &settling, &verb_renew, build_renew);
}

static ProtobufCMessage *build_saved(struct service_call *call, struct call *base)
{
    (void)base;
    return wire_new(call->arena, &ackd__v1__save_checkpoint_response__descriptor);
}

void service_save_checkpoint(struct service *self, struct service_call *call)
{
    const PB(SaveCheckpointRequest) *request = (const void *)call->request;
    struct checkpoint_call *base = ARENA_NEW(call->arena, struct checkpoint_call);
    int64_t max = service_limits(self)->checkpoint_bytes_max;
    int shard;

    call->service = self;
    if (base == NULL) {
        refuse_memory(call);
        return;
    }
    if (read_lease_token(request->lease_token, "lease_token", &base->token, &call->error) !=
        STATUS_OK) {
        refuse(call);
        return;
    }
    if (request->data.len > (size_t)max) {
        error_limit(&call->error, STATUS_TOO_LARGE, "data", max, (int64_t)request->data.len,
                    "the checkpoint has %zu bytes; the limit is %" PRId64, request->data.len, max);
        refuse(call);
        return;
    }
    shard = SHARD_OF_QUEUE(base->token.place.queue);
    if (shard >= self->shard_count) {
        error_set(&call->error, STATUS_LEASE_LOST, NULL);
        refuse(call);
        return;
    }
    base->data = slice_of(request->data.data, request->data.len);
    send_call(call, self->shards[shard], &base->call, &verb_checkpoint, build_saved);
}
