/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender.c -- batches to the broker, until each has its answer.
 */
#include "cli/publish/sender.h"

#include <stdio.h>
#include <string.h>

#include "ackd/v1/queue.pb-c.h"
#include "base/clock.h"
#include "cli/broker.h"
#include "cli/interrupt.h"
#include "cli/outcome.h"
#include "cli/units.h"
#include "transport.h"

#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS 2000
#define REPLY_BYTES_MAX ((size_t)64 << 20)

void sender_init(struct sender *self, struct cli *cli, struct progress *progress)
{
    *self = (struct sender){.cli = cli,
                            .progress = progress,
                            .dataset = "",
                            .retry_for_ms = cli_number(cli, "retry-for"),
                            .has_dedup = true};
    arena_init(&self->arena, REPLY_BYTES_MAX);
}

void sender_deinit(struct sender *self)
{
    arena_deinit(&self->arena);
}

static enum exit_code create_queue(struct sender *self)
{
    Ackd__V1__CreateQueueRequest request = ACKD__V1__CREATE_QUEUE_REQUEST__INIT;
    enum exit_code code;

    request.name = (char *)cli_queue(self->cli);
    if (BROKER_CALL(self->cli, "QueueService", "Create", &request, create_queue_response, &code) !=
        NULL)
        cli_say(self->cli, "queue %s made", request.name);
    return code;
}

enum exit_code sender_find_queue(struct sender *self, bool create)
{
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    Ackd__V1__GetQueueResponse *reply;
    ProtobufCMessage *message;
    struct error error;

    request.name = (char *)cli_queue(self->cli);
    if (broker_try(self->cli, "QueueService", "Get", &request.base,
                   &ackd__v1__get_queue_response__descriptor, &self->cli->arena, 0, &message,
                   &error) != STATUS_OK) {
        if (error.status == STATUS_QUEUE_NOT_FOUND && create)
            return create_queue(self);
        return broker_complain(self->cli, &error);
    }
    reply = (Ackd__V1__GetQueueResponse *)message;
    self->has_dedup =
        reply->queue == NULL || reply->queue->config == NULL || reply->queue->config->dedup;
    if (!self->has_dedup)
        cli_say(self->cli, "queue %s has dedup off: rows published twice become two tasks",
                request.name);
    return EXIT_OK;
}

/* One task that the broker did not take. */
static void tell_refused(struct sender *self, const struct origin *origin, const char *task_id,
                         const Ackd__V1__ErrorDetail *detail)
{
    struct error error = outcome_error(detail);
    struct buffer text = BUFFER_EMPTY;

    origin_describe(*origin, 0, &text);
    buffer_append_printf(&text, "task %s refused: ", task_id);
    broker_describe(&error, &text);
    progress_step_aside(self->progress);
    complain("%s", buffer_string(&text));
    buffer_deinit(&text);
    self->refused++;
}

static void count(struct sender *self, const Ackd__V1__PublishResponse *reply,
                  const struct batch *batch, size_t from, bool is_repeated)
{
    self->stored += reply->stored;
    if (is_repeated)
        self->confirmed += reply->duplicates;
    else
        self->duplicates += reply->duplicates;
    for (size_t i = 0; i < reply->n_outcomes; i++) {
        const Ackd__V1__PublishOutcome *outcome = reply->outcomes[i];
        size_t index = from + (size_t)outcome->index;

        if (outcome->error == NULL || index >= batch->count ||
            outcome->error->status == ACKD__V1__STATUS__STATUS_DUPLICATE)
            continue;
        tell_refused(self, &batch->origins[index], batch->tasks[index]->task_id, outcome->error);
    }
}

/* One stretch of trying, from the first failure to success. */
struct absence {
    int64_t since_ms; /* 0: the broker has not failed yet */
    int64_t pause_ms;
    bool outcome_is_unknown; /* some try may have been carried out */
};

static int64_t now_ms(void)
{
    struct clock clock = clock_real();

    return clock_now_ms(&clock);
}

static void tell_away(struct sender *self, const struct error *error)
{
    struct text text;

    progress_step_aside(self->progress);
    if (transport_no_reply(error))
        complain("broker not reached at %s: trying again for up to %s; Ctrl-C ends it",
                 self->cli->url, units_duration(&text, self->retry_for_ms));
    else
        complain("%s: trying again for up to %s; Ctrl-C ends it", error->message,
                 units_duration(&text, self->retry_for_ms));
}

static void tell_back(struct sender *self, const struct absence *absence)
{
    struct text text;

    if (absence->since_ms == 0)
        return;
    progress_step_aside(self->progress);
    cli_say(self->cli, "ackctl: the broker is back after %s",
            units_duration(&text, now_ms() - absence->since_ms));
}

/* Until the next try: as long as the broker asks for, but not past the last one's time. */
static int64_t until_next_ms(const struct sender *self, const struct absence *absence,
                             const struct error *error)
{
    int64_t left_ms = self->retry_for_ms - (now_ms() - absence->since_ms);
    int64_t pause_ms = absence->pause_ms;

    if (pause_ms < error->retry_after_ms)
        pause_ms = error->retry_after_ms;
    if (pause_ms > left_ms)
        pause_ms = left_ms;
    return pause_ms > 0 ? pause_ms : 0;
}

/* After a failed try: whether to try again. If not, *ret_code is set and the reason told. */
static bool wait_for_broker(struct sender *self, struct absence *absence, const struct error *error,
                            enum exit_code *ret_code)
{
    bool is_unknown = transport_no_reply(error);

    if (interrupt_came()) {
        *ret_code = interrupt_exit_code();
        return false;
    }
    absence->outcome_is_unknown |= is_unknown;
    if (!broker_is_away(error) || (is_unknown && !self->has_dedup) ||
        (absence->since_ms != 0 && now_ms() - absence->since_ms >= self->retry_for_ms)) {
        progress_step_aside(self->progress);
        *ret_code = broker_complain(self->cli, error);
        if (is_unknown && !self->has_dedup)
            complain("the queue has dedup off, so the last request can't be repeated: it may have "
                     "been stored");
        return false;
    }
    if (absence->since_ms == 0) {
        absence->since_ms = now_ms();
        absence->pause_ms = RETRY_FIRST_MS;
        tell_away(self, error);
    }
    interrupt_sleep(until_next_ms(self, absence, error));
    if (absence->pause_ms < RETRY_LAST_MS)
        absence->pause_ms *= 2;
    return true;
}

static enum status try_once(struct sender *self, const struct batch *batch, size_t from, size_t to,
                            ProtobufCMessage **ret_reply, struct error *error)
{
    Ackd__V1__PublishRequest request = ACKD__V1__PUBLISH_REQUEST__INIT;

    request.queue = (char *)cli_queue(self->cli);
    request.dataset = (char *)self->dataset;
    request.brief = true;
    request.tasks = (Ackd__V1__NewTask **)batch->tasks + from;
    request.n_tasks = to - from;
    arena_reset(&self->arena);
    return broker_try(self->cli, "TaskService", "Publish", &request.base,
                      &ackd__v1__publish_response__descriptor, &self->arena, 0, ret_reply, error);
}

/* Tasks `from` .. `to` of the batch. Where the broker's limit on a request is smaller than ours,
 * the halves go one after the other. */
static enum exit_code send_range(struct sender *self, const struct batch *batch, size_t from,
                                 size_t to)
{
    struct absence absence = {0};
    ProtobufCMessage *reply;
    enum exit_code code;
    struct error error;

    while (try_once(self, batch, from, to, &reply, &error) != STATUS_OK) {
        size_t middle = from + (to - from) / 2;

        if (error.status == STATUS_TOO_LARGE && middle > from) {
            code = send_range(self, batch, from, middle);
            return code != EXIT_OK ? code : send_range(self, batch, middle, to);
        }
        if (!wait_for_broker(self, &absence, &error, &code))
            return code;
    }
    tell_back(self, &absence);
    count(self, (const Ackd__V1__PublishResponse *)reply, batch, from, absence.outcome_is_unknown);
    return EXIT_OK;
}

enum exit_code sender_send(struct sender *self, const struct batch *batch)
{
    return batch->count == 0 ? EXIT_OK : send_range(self, batch, 0, batch->count);
}
