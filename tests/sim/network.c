/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.c -- parcels on their way.
 */
#include "network.h"

#include "base/assert.h"
#include "codec/codec.h"
#include "sim.h"

struct parcel {
    struct event arrival;
    struct exchange *exchange;
    enum status status;
    struct slice reply;
};

static int64_t draw_delay_ms(struct sim *sim)
{
    const struct weather *weather = &sim->weather;

    if (chance_percent(&sim->chance, weather->slow_percent))
        return chance_between(&sim->chance, 500, 20000);
    return chance_between(&sim->chance, 0, weather->delay_ms_max);
}

static void tell_actor(struct sim *sim, struct exchange *exchange, enum status status,
                       struct slice bytes)
{
    struct actor *actor = exchange->actor;
    struct error error = ERROR_NONE;
    ProtobufCMessage *reply = NULL;
    struct arena arena;

    if (exchange->over || exchange->life != actor->life)
        return;
    exchange->over = true;
    actor->calls--;
    schedule_cancel(&sim->schedule, &exchange->patience);
    arena_init(&arena, SIZE_MAX);
    if (status == STATUS_OK &&
        codec_decode(CODEC_PROTOBUF, bytes, method_at(exchange->method)->response, &arena, &reply,
                     &error) != STATUS_OK)
        story_fail("a reply of %s can't be read", method_at(exchange->method)->name);
    actor->kind->hear(sim, actor, exchange->tag, status, reply);
    arena_deinit(&arena);
}

static void request_arrives(struct sim *sim, struct event *event)
{
    broker_receive(sim, CONTAINER_OF(event, struct parcel, arrival)->exchange);
}

static void reply_arrives(struct sim *sim, struct event *event)
{
    struct parcel *parcel = CONTAINER_OF(event, struct parcel, arrival);

    tell_actor(sim, parcel->exchange, parcel->status, parcel->reply);
}

static struct parcel *send_parcel(struct sim *sim, struct exchange *exchange,
                                  void (*arrive)(struct sim *sim, struct event *event))
{
    struct parcel *parcel = ARENA_NEW(&sim->memory, struct parcel);

    ASSERT(parcel != NULL);
    parcel->exchange = exchange;
    event_init(&parcel->arrival, arrive);
    schedule_after(&sim->schedule, &parcel->arrival, draw_delay_ms(sim));
    return parcel;
}

static void broker_hears_hang_up(struct sim *sim, struct event *event)
{
    broker_hang_up(sim, CONTAINER_OF(event, struct exchange, hang_up));
}

static void run_out_of_patience(struct sim *sim, struct event *event)
{
    struct exchange *exchange = CONTAINER_OF(event, struct exchange, patience);

    if (!chance_percent(&sim->chance, sim->weather.half_open_percent))
        schedule_after(&sim->schedule, &exchange->hang_up, draw_delay_ms(sim));
    if (exchange->life == exchange->actor->life)
        story_tell("%s waits no longer for %s", exchange->actor->name,
                   method_at(exchange->method)->name);
    tell_actor(sim, exchange, STATUS_TIMEOUT, SLICE_EMPTY);
}

static struct slice encode(struct sim *sim, const ProtobufCMessage *message)
{
    struct buffer buffer = BUFFER_EMPTY;
    struct slice bytes;

    codec_encode(CODEC_PROTOBUF, message, &buffer);
    ASSERT(!buffer.failed);
    bytes = arena_copy(&sim->memory, buffer_view(&buffer));
    buffer_deinit(&buffer);
    return bytes;
}

void network_call(struct sim *sim, struct actor *actor, int tag, enum method_number method,
                  const ProtobufCMessage *request, int64_t patience_ms)
{
    const struct weather *weather = &sim->weather;
    struct exchange *exchange = ARENA_NEW(&sim->memory, struct exchange);

    ASSERT(exchange != NULL);
    exchange->actor = actor;
    exchange->life = actor->life;
    exchange->tag = tag;
    exchange->method = method;
    exchange->request = encode(sim, request);
    event_init(&exchange->patience, run_out_of_patience);
    event_init(&exchange->hang_up, broker_hears_hang_up);
    actor->calls++;
    schedule_after(&sim->schedule, &exchange->patience, patience_ms);
    sim->figures->messages++;
    if (chance_percent(&sim->chance, weather->lose_percent)) {
        story_tell("the network loses %s's %s", actor->name, method_at(method)->name);
        sim->figures->lost++;
        return;
    }
    send_parcel(sim, exchange, request_arrives);
    if (chance_percent(&sim->chance, weather->double_percent)) {
        story_tell("the network doubles %s's %s", actor->name, method_at(method)->name);
        sim->figures->doubled++;
        send_parcel(sim, exchange, request_arrives);
    }
}

void network_reply(struct sim *sim, struct exchange *exchange, enum status status,
                   struct slice reply)
{
    struct parcel *parcel;

    sim->figures->messages++;
    if (chance_percent(&sim->chance, sim->weather.lose_percent)) {
        story_tell("the network loses %s's reply to %s", method_at(exchange->method)->name,
                   exchange->actor->name);
        sim->figures->lost++;
        return;
    }
    parcel = send_parcel(sim, exchange, reply_arrives);
    parcel->status = status;
    parcel->reply = arena_copy(&sim->memory, reply);
}
