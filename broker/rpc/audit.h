/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h -- who did what that only an administrator may, and who was refused: a line each.
 *
 *   {"time":"...","level":"audit","event":"admin_call","caller":"token:ops","address":"10.0.0.7",
 *    "method":"/ackd.v1.QueueService/Purge","target":"ocr","code":"OK","trace_id":"..."}
 *
 *   admin_call          a method that takes the right admin, by a caller that is known; whatever
 *                       came of it
 *   login_refused       nobody knows who calls
 *   permission_refused  the caller has not the right
 *
 * Written once the outcome is known, by one write(2) a line, to a file that is only appended to, or
 * into the log. Refusals, of which anybody can make as many as he likes, are rationed, and
 * `audit_left_out` says how many have no line; admin calls all have theirs. No line holds a payload
 * or a secret. What can't be written is counted and does not stop the broker.
 *
 * Threads: any tell; one at a time refreshes.
 */
#ifndef ACKD_RPC_AUDIT_H
#define ACKD_RPC_AUDIT_H

#include "rpc/rpc.h"

/* Into the file at `path`; "-" is stdout, and NULL the log. */
enum status audit_open(const char *path, struct counters *counters, struct audit **ret_audit,
                       struct error *error) MUST_USE;
/* NULL is nothing. */
void audit_close(struct audit *self);
/* Now and then: says what was left out; if `reopened`, goes on in a new file of the same name. */
void audit_refresh(struct audit *self, bool reopened);

/* The request goes on beyond its connection: keeps what a line needs. */
void audit_begin(struct rpc_request *request);
/* It ends with this status. */
void audit_end(const struct rpc_request *request, enum status status);

#endif
