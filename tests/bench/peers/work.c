/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work.c -- what is measured of a peer.
 *
 *   fill      so many tasks, not measured
 *   publish   batches; a batch counts when its last task is confirmed
 *   cycle     workers: the acks of a batch and the lease of the next go out together. The queue is
 *             filled before the clock starts, and again, with the clock stopped, when it is used up
 *   dispatch  one publish at a time at a steady rate, to workers that wait; from sending the
 *             publish, whose time stands in the payload, until the worker has the task
 *   first     connects and leases one task, as often as that fails
 */
#include "work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FILL_BATCH 1000
#define STAMP_DIGITS 19
#define SECOND_NS INT64_C(1000000000)
#define STRETCH_REQUESTS 100

static void make_publish(struct work *self, struct client *client, size_t count)
{
    buffer_clear(&client->request, SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        self->peer->publish(&client->link, self->payload, &client->request);
}

/* publish and fill */

static void send_batch(struct work *self, struct client *client)
{
    if (self->left <= 0 || self->clients.now_ns >= self->until_ns) {
        if (--self->busy == 0)
            clients_stop(&self->clients);
        return;
    }
    self->left -= (int64_t)self->batch;
    client->awaited = self->batch;
    clients_send(&self->clients, client);
}

static void on_published(struct clients *clients, struct client *client, const struct event *event)
{
    struct work *self = clients->context;

    if (event->kind != EVENT_PUBLISHED || --client->awaited > 0)
        return;
    histogram_add(&self->latencies, clients->now_ns - client->begun_ns);
    self->done += (int64_t)self->batch;
    send_batch(self, client);
}

static bool publish_all(struct work *self, int64_t count, int64_t until_ns)
{
    struct clients *clients = &self->clients;

    self->left = count;
    self->until_ns = until_ns;
    self->busy = clients->count;
    clients->happened = on_published;
    clients->context = self;
    clients->now_ns = monotonic_ns();
    clients->stopped = false;
    for (size_t i = 0; i < clients->count; i++) {
        make_publish(self, &clients->all[i], self->batch);
        send_batch(self, &clients->all[i]);
    }
    return clients->stopped || clients_run(clients);
}

static bool run_publish(struct work *self)
{
    int64_t begun_ns;
    bool fine;

    if (!clients_open(&self->clients, self->peer, self->port, self->connections, false))
        return false;
    begun_ns = monotonic_ns();
    fine = publish_all(self, INT64_MAX, begun_ns + self->time_ns);
    self->took_ns = monotonic_ns() - begun_ns;
    return fine;
}

static bool run_fill(struct work *self)
{
    int64_t begun_ns;
    bool fine;

    if (!clients_open(&self->clients, self->peer, self->port, self->connections, false))
        return false;
    begun_ns = monotonic_ns();
    fine = publish_all(self, self->tasks, INT64_MAX);
    self->took_ns = monotonic_ns() - begun_ns;
    return fine;
}

/* cycle */

static bool fill_stock(struct work *self, int64_t wanted)
{
    struct histogram *kept = malloc(sizeof *kept);
    size_t batch = self->batch;
    int64_t done = self->done;
    bool fine = kept != NULL;

    if (fine && wanted > self->stock) {
        *kept = self->latencies;
        self->batch = FILL_BATCH;
        fine = publish_all(self, wanted - self->stock, INT64_MAX);
        self->stock += self->done - done;
        self->batch = batch;
        self->done = done;
        self->latencies = *kept;
    }
    free(kept);
    return fine;
}

static void send_lease(struct work *self, struct client *client)
{
    if (self->stock < (int64_t)self->batch || self->clients.now_ns >= self->until_ns) {
        if (--self->busy == 0)
            clients_stop(&self->clients);
        return;
    }
    self->stock -= (int64_t)self->batch;
    buffer_clear(&client->request, SIZE_MAX);
    if (client->held > 0)
        self->peer->ack(buffer_view(&client->tokens), client->held, &client->request);
    self->peer->lease(&client->link, self->batch, false, &client->request);
    buffer_clear(&client->tokens, SIZE_MAX);
    client->held = 0;
    client->awaited = self->batch;
    clients_send(&self->clients, client);
}

static void hold(struct client *client, const struct event *event)
{
    buffer_append(&client->tokens, event->token);
    buffer_append_string(&client->tokens, " ");
    client->held++;
}

/* EMPTY: less than there should be; what has come is all that comes. */
static void on_leased(struct clients *clients, struct client *client, const struct event *event)
{
    struct work *self = clients->context;

    if (event->kind == EVENT_TASK) {
        hold(client, event);
        self->done++;
        client->awaited--;
    } else if (event->kind == EVENT_EMPTY) {
        self->stock += (int64_t)client->awaited;
        client->awaited = 0;
    }
    if (client->awaited > 0)
        return;
    histogram_add(&self->latencies, clients->now_ns - client->begun_ns);
    send_lease(self, client);
}

static bool run_stretch(struct work *self)
{
    struct clients *clients = &self->clients;
    int64_t begun_ns = monotonic_ns();
    bool fine;

    self->until_ns = begun_ns + self->time_ns - self->took_ns;
    self->busy = clients->count;
    clients->happened = on_leased;
    clients->now_ns = begun_ns;
    clients->stopped = false;
    for (size_t i = 0; i < clients->count; i++)
        send_lease(self, &clients->all[i]);
    fine = clients->stopped || clients_run(clients);
    self->took_ns += monotonic_ns() - begun_ns;
    return fine;
}

static bool run_cycle(struct work *self)
{
    int64_t stock = (int64_t)(self->connections * self->batch) * STRETCH_REQUESTS;
    bool fine = clients_open(&self->clients, self->peer, self->port, self->connections, false);

    while (fine && self->took_ns < self->time_ns) {
        if (self->took_ns > 0) {
            double rate = (double)self->done / (double)self->took_ns;
            int64_t wanted = (int64_t)(rate * 1.2 * (double)(self->time_ns - self->took_ns));

            stock = wanted > stock ? wanted : stock;
        }
        fine = fill_stock(self, stock) && run_stretch(self);
    }
    return fine;
}

/* dispatch */

static void send_stamped(struct work *self, struct client *client)
{
    char stamp[STAMP_DIGITS + 1];
    uint8_t *payload = (uint8_t *)(uintptr_t)self->payload.data;

    snprintf(stamp, sizeof stamp, "%019" PRId64, monotonic_ns());
    memcpy(payload, stamp, STAMP_DIGITS);
    make_publish(self, client, 1);
    clients_send(&self->clients, client);
    self->sent++;
}

/* One that is due while the one before is still going out waits for the next tick. */
static void on_tick(struct clients *clients)
{
    struct work *self = clients->context;
    struct client *publisher = &clients->all[clients->count - 1];

    if (publisher->out.size == 0 && self->due_ns < self->until_ns) {
        send_stamped(self, publisher);
        self->due_ns += SECOND_NS / self->rate;
    }
    if (self->due_ns < self->until_ns)
        clients_wake(clients, self->due_ns > clients->now_ns ? self->due_ns : clients->now_ns + 1);
    else if (self->received == self->sent)
        clients_stop(clients);
}

static int64_t read_stamp(struct slice payload)
{
    char stamp[STAMP_DIGITS + 1] = "";

    memcpy(stamp, payload.data, payload.size < STAMP_DIGITS ? payload.size : STAMP_DIGITS);
    return strtoll(stamp, NULL, 10);
}

static void wait_for_task(struct work *self, struct client *client)
{
    buffer_clear(&client->request, SIZE_MAX);
    if (client->held > 0)
        self->peer->ack(buffer_view(&client->tokens), client->held, &client->request);
    self->peer->lease(&client->link, 1, true, &client->request);
    buffer_clear(&client->tokens, SIZE_MAX);
    client->held = 0;
    clients_send(&self->clients, client);
}

static void on_dispatched(struct clients *clients, struct client *client, const struct event *event)
{
    struct work *self = clients->context;

    if (event->kind != EVENT_TASK)
        return;
    histogram_add(&self->latencies, clients->now_ns - read_stamp(event->payload));
    self->received++;
    self->done++;
    hold(client, event);
    wait_for_task(self, client);
    if (self->due_ns >= self->until_ns && self->received == self->sent)
        clients_stop(clients);
}

static bool run_dispatch(struct work *self)
{
    struct clients *clients = &self->clients;
    bool fine = clients_open(clients, self->peer, self->port, self->connections + 1, false);
    int64_t begun_ns;

    if (!fine)
        return false;
    clients->happened = on_dispatched;
    clients->ticked = on_tick;
    clients->context = self;
    for (size_t i = 0; i < self->connections; i++)
        wait_for_task(self, &clients->all[i]);
    begun_ns = monotonic_ns();
    self->due_ns = begun_ns + SECOND_NS / 10; /* by then all of them wait */
    self->until_ns = self->due_ns + self->time_ns;
    clients_wake(clients, self->due_ns);
    fine = clients_run(clients);
    self->took_ns = monotonic_ns() - begun_ns - SECOND_NS / 10;
    return fine;
}

/* first */

static void on_first(struct clients *clients, struct client *client, const struct event *event)
{
    struct work *self = clients->context;

    (void)client;
    self->done += event->kind == EVENT_TASK;
    clients_stop(clients);
}

static bool try_first(struct work *self)
{
    struct clients *clients = &self->clients;
    bool fine = clients_open(clients, self->peer, self->port, 1, true);

    if (fine) {
        clients->happened = on_first;
        clients->context = self;
        wait_for_task(self, &clients->all[0]);
        fine = clients_run(clients);
    }
    return fine && self->done > 0;
}

static bool run_first(struct work *self)
{
    int64_t begun_ns = monotonic_ns();
    struct timespec pause = {.tv_nsec = 1000000};
    bool fine = false;

    while (!fine && monotonic_ns() - begun_ns < self->time_ns) {
        fine = try_first(self);
        if (!fine) {
            clients_close(&self->clients);
            nanosleep(&pause, NULL);
        }
    }
    self->took_ns = monotonic_ns() - begun_ns;
    return fine;
}

const struct work_kind work_kinds[] = {
    {"fill", run_fill},         {"publish", run_publish}, {"cycle", run_cycle},
    {"dispatch", run_dispatch}, {"first", run_first},     {NULL, NULL},
};
