/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_message.c -- see task_message.h.
 */
#include "task_message.h"

/* What LeasedTask and Task have in common; their C types share nothing but the names. */
#define TASK_FROM_MESSAGE(call, queue_, message, task)                                             \
    do {                                                                                           \
        (task)->id = call_text((call), (message)->task_id);                                        \
        (task)->queue = (queue_);                                                                  \
        (task)->dataset = call_text((call), (message)->dataset);                                   \
        (task)->payload = call_bytes((call), (message)->payload);                                  \
        (task)->priority = (message)->priority;                                                    \
        (task)->fence = (message)->fence;                                                          \
        (task)->published_unix_ms = (message)->published_unix_ms;                                  \
        (task)->failures = (message)->failures;                                                    \
        (task)->preemptions = (message)->preemptions;                                              \
        (task)->losses = (message)->losses;                                                        \
        (task)->deliveries = (message)->deliveries;                                                \
        (task)->attributes = attributes = call_array(                                              \
            (call), (message)->n_attributes, sizeof *attributes, &(task)->attribute_count);        \
        for (size_t i = 0; i < (task)->attribute_count; i++) {                                     \
            attributes[i].key = call_text((call), (message)->attributes[i]->key);                  \
            attributes[i].value = call_text((call), (message)->attributes[i]->value);              \
        }                                                                                          \
    } while (0)

void leased_from_message(struct call *call, const char *queue, const Ackd__V1__LeasedTask *message,
                         struct ackd_leased_task *leased)
{
    struct ackd_attribute *attributes;

    TASK_FROM_MESSAGE(call, queue, message, &leased->task);
    if (message->has_checkpoint_case != 0)
        leased->task.checkpoint = call_bytes(call, message->checkpoint);
    leased->lease_token = call_text(call, message->lease_token);
    leased->deadline_unix_ms = message->deadline_unix_ms;
}

static void attempt_from_message(struct call *call, const Ackd__V1__Attempt *message,
                                 struct ackd_attempt *attempt)
{
    attempt->fence = message->fence;
    attempt->end = (enum ackd_attempt_end)message->end;
    attempt->leased_unix_ms = message->leased_unix_ms;
    attempt->ended_unix_ms = message->ended_unix_ms;
    attempt->session_id = call_text(call, message->session_id);
    attempt->worker = call_text(call, message->worker);
    attempt->pod = call_text(call, message->pod);
    attempt->node = call_text(call, message->node);
    attempt->error = call_text(call, message->error);
    attempt->has_checkpoint = message->has_checkpoint;
    attempt->unstarted = message->unstarted;
    attempt->dead_reason = (enum ackd_dead_reason)message->dead_reason;
}

void view_from_message(struct call *call, const char *queue, const Ackd__V1__Task *message,
                       struct ackd_task_view *view)
{
    struct ackd_attribute *attributes;
    struct ackd_attempt *attempts;

    TASK_FROM_MESSAGE(call, queue, message, &view->task);
    view->state = (enum ackd_task_state)message->state;
    view->due_unix_ms = message->due_unix_ms;
    view->leased_unix_ms = message->leased_unix_ms;
    view->done_unix_ms = message->done_unix_ms;
    view->session_id = call_text(call, message->session_id);
    view->last_error = call_text(call, message->last_error);
    view->has_checkpoint = message->has_checkpoint;
    view->has_result = message->has_result;
    view->dead_reason = (enum ackd_dead_reason)message->dead_reason;
    view->payload_bytes = message->payload_bytes;
    view->dead_unix_ms = message->dead_unix_ms;
    view->progress_unix_ms = message->progress_unix_ms;
    view->attempts_left_out = message->attempts_left_out;
    view->attempts = attempts =
        call_array(call, message->n_attempts, sizeof *attempts, &view->attempt_count);
    for (size_t i = 0; i < view->attempt_count; i++)
        attempt_from_message(call, message->attempts[i], &attempts[i]);
}

struct ackd_outcome *outcomes_from_messages(struct call *call, Ackd__V1__Outcome **messages,
                                            size_t count, size_t *ret_count)
{
    struct ackd_outcome *array = call_array(call, count, sizeof *array, ret_count);

    for (size_t i = 0; i < *ret_count; i++)
        array[i].status = outcome_status(call, messages[i]->error, &array[i].message);
    return array;
}

enum ackd_status outcome_status(struct call *call, const Ackd__V1__ErrorDetail *detail,
                                const char **ret_message)
{
    *ret_message = detail == NULL ? "" : call_text(call, detail->message);
    return detail == NULL ? ACKD_OK : (enum ackd_status)detail->status;
}
