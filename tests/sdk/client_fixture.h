/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_fixture.h -- what the cases of ackd_client share: one client of the broker that ACKD_URL
 * names, and the steps that most cases begin with. Each case has a queue of its own, named after
 * it.
 */
#ifndef ACKD_TESTS_SDK_CLIENT_FIXTURE_H
#define ACKD_TESTS_SDK_CLIENT_FIXTURE_H

#include "ackd/ackd.h"
#include "support/check.h"

extern struct ackd_client *client;
extern _Thread_local struct ackd_error error;

void make_queue(const char *name);
/* In the dataset "books", with two attributes and priority 3. */
void publish_one(const char *queue, const char *id, const char *payload);
/* One task of the queue, under a lease of a minute. */
struct ackd_lease_reply *lease_one(const char *queue, const char *session_id);
/* On the node "node-1", in the pod "pod-1" of "ocr". */
struct ackd_session *open_session(const char *queue, const char *worker, int64_t session_ms);
struct ackd_ack_outcome ack_one(const char *token, const char *result);

/* For the whole group of cases. */
int open_client(void **state);
int close_client(void **state);

#endif
