/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_message.h -- tasks and outcomes: from the broker's messages to the plain structs of a reply.
 *
 * What they point to lies in the call's reply; memory that is missing is noted there (call.h).
 */
#ifndef ACKD_SDK_TASK_MESSAGE_H
#define ACKD_SDK_TASK_MESSAGE_H

#include "ackd/v1/task.pb-c.h"
#include "call.h"

/* `queue` is not copied: it must live as long as the reply (call_text). */
void leased_from_message(struct call *call, const char *queue, const Ackd__V1__LeasedTask *message,
                         struct ackd_leased_task *leased);
void view_from_message(struct call *call, const char *queue, const Ackd__V1__Task *message,
                       struct ackd_task_view *view);

/* An array in the reply, one for each message. */
struct ackd_outcome *outcomes_from_messages(struct call *call, Ackd__V1__Outcome **messages,
                                            size_t count, size_t *ret_count);
/* Of one item of a batch; no detail says that it was done. */
enum ackd_status outcome_status(struct call *call, const Ackd__V1__ErrorDetail *detail,
                                const char **ret_message);

#endif
